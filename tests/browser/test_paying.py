"""Being paid, as a customer lives it in a real browser: the bank asks, another card, several invoices."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from callbill.domain.invoicing.models import Invoice
from tests.browser.conftest import World, assert_accessible
from tests.domain.payments.shop import sdk
from tests.domain.world import calls, company, person

pytestmark = pytest.mark.django_db(transaction=True)
ALWAYS_3DS = "4000002760003184"


def save_card(world: World, page: Page, number: str, *, asked: bool = False) -> None:
    """Save a card through Stripe's form; `asked`: the bank wants the cardholder even for that."""
    page.goto("/company/")
    page.get_by_role("link", name="Add payment method").click()
    expect(page.get_by_role("button", name="Save card")).to_be_enabled()
    world.fill_in_card(page, number)
    if asked:
        answer_bank(page, "Complete")
    expect(page.get_by_role("heading", name="Card saved")).to_be_visible()


def answer_bank(page: Page, word: str) -> None:
    """Press a button in the bank's window."""
    bank = page.frame_locator('iframe[title="Secure authentication"]')
    bank.get_by_role("button", name=re.compile(word)).click()


def test_the_bank_asks_and_the_cardholder_answers_without_signing_in(world: World) -> None:
    acme = company()
    person("ana@acme.example", company=acme, administrator=True)
    calls(acme, 100)
    world.at("2026-01-20T12:00")
    ana = world.sign_in("ana@acme.example")
    save_card(world, ana, ALWAYS_3DS, asked=True)
    world.at("2026-02-01T09:00")

    ana.goto("/invoices/CIC-000001/")
    confirm = ana.get_by_role("link", name="Confirm this payment")
    expect(confirm).to_be_visible()
    assert_accessible(ana)
    address = confirm.get_attribute("href")
    assert address

    # Somebody with only the link in the mail, such as whoever holds the card.
    holder = world.stranger()
    holder.goto(address)
    expect(holder.get_by_role("main")).to_contain_text("$135.00 USD")
    assert_accessible(holder)
    button = holder.get_by_role("button", name="Confirm and pay $135.00")
    button.click()
    answer_bank(holder, "Fail")
    expect(holder.get_by_role("status")).to_contain_text("The confirmation at the bank did not succeed")
    assert_accessible(holder)
    button.dblclick()
    answer_bank(holder, "Complete")
    expect(holder.get_by_role("heading", name="Paid")).to_be_visible()
    assert_accessible(holder)
    assert Invoice.objects.get().status == "paid"
    assert [charge.paid for charge in sdk(world.sandbox).v1.charges.list({})].count(True) == 1
    ana.goto(address)
    expect(ana.get_by_role("heading", name="Paid")).to_be_visible()
