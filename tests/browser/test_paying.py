"""Being paid, as a customer lives it in a real browser: the bank asks, another card, several invoices."""

from __future__ import annotations

import re
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments._saving import follow_card
from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import PaymentMethod
from callbill.lib import clock
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


def test_several_invoices_a_new_card_and_a_replaced_one(world: World) -> None:
    acme = company()
    person("ana@acme.example", company=acme, administrator=True)
    person("mia@cic.example", staff=True)
    world.at("2026-01-20T12:00")
    ana = world.sign_in("ana@acme.example")
    save_card(world, ana, "4000000000000341")
    for month in (1, 2, 3):
        calls(acme, 100 * month, on=date(2026, month, 15))
        world.at(f"2026-{month + 1:02d}-01T09:00")

    # A new card names what is past due and pays all of it, or what one chooses.
    save_card(world, ana, "5555555555554444")
    ana.get_by_role("link", name="Make it the default").click()
    ana.get_by_role("button", name="Make default").click()
    expect(ana.get_by_role("button", name="Pay now: all 3")).to_be_visible()
    assert_accessible(ana)
    ana.goto("/invoices/")
    ana.get_by_label("Pay CIC-000001").check()
    ana.get_by_label("Pay CIC-000003").check()
    assert_accessible(ana)
    ana.get_by_role("button", name="Pay selected").click()
    expect(ana.get_by_role("row", name="Total")).to_contain_text("$540.00 USD")
    assert_accessible(ana)
    world.sandbox.decline_next(PaymentMethod.objects.get(last4="4444").reference)
    ana.get_by_role("button", name="Pay $540.00").dblclick()
    expect(ana.get_by_role("status")).to_contain_text("CIC-000003")
    assert_accessible(ana)
    paid = [charge for charge in sdk(world.sandbox).v1.charges.list({}).data if charge.paid]
    assert [charge.amount for charge in paid] == [40500]

    # By itself from now on: the next default card pays what is left, within a minute.
    ana.goto("/settings/")
    ana.get_by_label("When a new card becomes the default").select_option("now")
    ana.get_by_role("button", name="Save for Acme Dental").click()
    expect(ana.get_by_role("status")).to_contain_text("Saved for Acme Dental.")
    assert_accessible(ana)
    save_card(world, ana, "378282246310005")
    ana.get_by_role("link", name="Make it the default").click()
    expect(ana.get_by_role("main")).to_contain_text("Charged at once")
    assert_accessible(ana)
    ana.get_by_role("button", name="Make default").click()
    expect(ana.get_by_role("main")).to_contain_text("will be charged within a few minutes")
    assert_accessible(ana)
    world.catch_up()
    assert set(Invoice.objects.values_list("status", flat=True)) == {"paid"}

    # The issuer puts another brand in its place: agree again.
    card = PaymentMethod.objects.get(last4="0005")
    PaymentMethod.objects.filter(id=card.id).update(brand="visa")
    follow_card(card=card, view=gateway().card(reference=card.reference), now=clock.now())
    ana.goto("/company/")
    assert_accessible(ana)
    ana.get_by_role("link", name="Agree again").click()
    assert_accessible(ana)
    ana.get_by_role("button", name="I agree").click()
    expect(ana.get_by_role("status")).to_contain_text("can be charged again")

    mia = world.sign_in("mia@cic.example")
    mia.goto("/console/settings/")
    mia.get_by_label("Extra retries").fill("3, 5")
    mia.get_by_label("Reason").fill("agreed with finance")
    mia.get_by_role("button", name="Save").click()
    expect(mia.get_by_role("main")).to_contain_text("Changed how we collect")
    assert_accessible(mia)
    mia.goto("/console/companies/acme/")
    mia.get_by_text("Who agreed to charges").click()
    expect(mia.get_by_role("main")).to_contain_text("again after its issuer replaced it")
    assert_accessible(mia)
