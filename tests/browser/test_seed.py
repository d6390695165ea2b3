"""The seed, top to bottom, as the people in it live it."""

from __future__ import annotations

import re
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from callbill.domain.payments.models import PaymentMethod
from tests.browser.conftest import World, assert_accessible
from tests.domain.documents.reading import text_of
from tests.domain.world import PER_CALL, calls, company, person, terms

pytestmark = pytest.mark.django_db(transaction=True)

CONTRACT = (
    PER_CALL
    + """
[[fee]]
id = "platform"
name = "Platform fee"
amount = "49.00"
[[discount]]
name = "Launch promotion"
percent = "10"
applies_to = ["inbound"]
[tax]
[[tax.rate]]
name = "NY sales tax"
percent = "8.875"
applies_to = ["inbound"]
"""
)


def add_card(world: World, page: Page, number: str) -> None:
    page.get_by_role("link", name="Company", exact=True).first.click()
    page.get_by_role("link", name="Add payment method").click()
    expect(page.get_by_role("button", name="Save card")).to_be_enabled()
    world.fill_in_card(page, number)
    expect(page.get_by_role("heading", name="Card saved")).to_be_visible()


def open_invoices(page: Page) -> Page:
    """The sidebar's link says that it opens a new tab, and does."""
    link = page.get_by_role("link", name="Invoices opens in a new tab")
    with page.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_load_state()
    return opened.value


def make_it_the_default(page: Page) -> None:
    """From the page of a saved card by the one that says what it is charged for."""
    page.get_by_role("link", name="Make it the default").click()
    page.get_by_role("button", name="Make default").click()


def test_the_seed_top_to_bottom(world: World) -> None:
    acme = company(contract=terms(CONTRACT))
    person("ana@acme.example", company=acme, administrator=True)
    person("mia@cic.example", staff=True)
    calls(acme, 100)
    world.at("2026-01-20T12:00")

    # Setting up a payment method: a card, and a second one that becomes the default.
    ana = world.sign_in("ana@acme.example")
    expect(ana.get_by_text("No payment method on file")).to_be_visible()
    assert_accessible(ana)
    add_card(world, ana, "4242424242424242")
    assert_accessible(ana)
    add_card(world, ana, "5555555555554444")
    make_it_the_default(ana)
    master = ana.get_by_role("listitem").filter(has_text="4444")
    expect(master.get_by_text("Default", exact=True)).to_be_visible()
    expect(ana.get_by_role("listitem").filter(has_text="4242")).not_to_contain_text("Charged for new")
    assert_accessible(ana)

    # The month ends: the invoice is issued and the default card is charged.
    world.at("2026-02-01T09:00")
    tab = open_invoices(ana)
    row = tab.get_by_role("row").filter(has_text="CIC-000001")
    expect(row).to_contain_text("Paid")
    expect(row).to_contain_text("$181.28")  # 135.00 - 13.50 + 49.00 + 8.875 % of 121.50
    assert_accessible(tab)
    tab.get_by_role("link", name="CIC-000001", exact=True).click()
    for words in ("Usage", "Fixed fees", "Adjustments", "Tax", "Acme Dental", "1 to 31 January 2026"):
        expect(tab.get_by_role("main")).to_contain_text(words)
    expect(tab.get_by_role("main")).to_contain_text("100 calls × $1.35")
    assert_accessible(tab)

    # A payment fails: Past due, with the reason and what to do, on the page and by e-mail.
    world.sandbox.decline_next(PaymentMethod.objects.get(last4="4444").reference, "insufficient_funds")
    calls(acme, 10, on=date(2026, 2, 10))
    world.at("2026-03-01T09:00")
    tab.goto("/invoices/CIC-000002/")
    expect(tab.get_by_role("main")).to_contain_text("Past due")
    expect(tab.get_by_role("main")).to_contain_text(re.compile("enough money|insufficient funds", re.I))
    assert_accessible(tab)
    tab.goto("/mailbox/")
    letter = tab.get_by_role("link", name=re.compile(r"CIC-000002.*(past due|failed|not.*paid)", re.I)).first
    letter.click()
    expect(tab.get_by_role("main")).to_contain_text("billing@acme.example")
    assert_accessible(tab)

    # A new card; staff retry; Paid.
    add_card(world, ana, "378282246310005")
    expect(ana.get_by_role("main")).to_contain_text("CIC-000002")
    make_it_the_default(ana)
    mia = world.sign_in("mia@cic.example")
    mia.goto("/console/invoices/CIC-000002/")
    mia.get_by_label("Reason").fill("Ana called: new card on file")
    mia.get_by_role("button", name="Retry now").click()
    expect(mia.get_by_role("main")).to_contain_text("Paid")
    assert_accessible(mia)
    world.catch_up()

    # The receipt has the same lines and the payment confirmation.
    tab.goto("/invoices/CIC-000002/")
    expect(tab.get_by_role("main")).to_contain_text("Paid")
    assert_accessible(tab)
    address = tab.get_by_role("link", name="Receipt PDF").get_attribute("href")
    assert address
    text = text_of(tab.request.get(address).body())
    for words in ("Receipt", "CIC-000002", "Inbound calls", "Platform fee", "Launch promotion", "0005"):
        assert words in text, text
    assert "62.23" in text  # 13.50 - 1.35 + 49.00 + 8.875 % of 12.15
