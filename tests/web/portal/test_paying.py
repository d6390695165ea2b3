"""Paying one invoice or several in the portal, agreeing to a replaced card, and what a new card pays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations
from callbill.domain.payments.models import CardConsent, PaymentAttempt, PaymentMethod
from callbill.domain.users.models import User
from callbill.lib import clock
from tests.domain import world
from tests.domain.payments.shop import DECLINES, Shop
from tests.domain.payments.test_card_updater import replaced
from tests.house.rules_of_the_house import unsafe_markup
from tests.web.portal.conftest import browser, text_of

NOW = world.at("2026-04-02T09:00")


@pytest.fixture
def ann(shop: Shop) -> Iterator[Client]:
    """Acme's billing administrator, on 2 April."""
    clock.move_to(NOW)
    yield browser(User.objects.get(email="ann@acme.example"))
    clock.back_to_real_time()


@pytest.fixture
def owed(shop: Shop, ann: Client) -> list[Invoice]:
    """January's and February's invoice, past due."""
    shop.add_card(DECLINES)
    made = [shop.bill(month=month) for month in (1, 2)]
    operations.collect_due(now=NOW)
    return made


def hidden(answer: Any) -> dict[str, list[str]]:
    """What the page's form of payment says: numbers, and how many attempts were seen."""
    html = answer.content.decode()
    found = re.findall(r'<input type="hidden" name="(number|seen)" value="([^"]*)">', html)
    return {name: [value for key, value in found if key == name] for name in ("number", "seen")}


def test_choosing_the_total_and_how_it_went(shop: Shop, ann: Client, owed: list[Invoice]) -> None:
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    listing = ann.get("/invoices/").content.decode()
    for invoice in owed:
        assert f'type="checkbox" name="number" value="{invoice.number}"' in listing
    assert 'method="get" action="/invoices/pay/"' in listing
    first, second = (str(invoice.number) for invoice in owed)
    page = ann.get("/invoices/pay/", {"number": [first, second]})
    said = text_of(page)
    assert f"{first} Mastercard •••• 4444 Mastercard •••• 4444 $135.00" in said, "once for small screens"
    assert "Total $270.00 USD" in said
    assert "Pay $270.00" in said
    assert unsafe_markup("pay", page.content.decode()) == []
    shop.sandbox.decline_next(PaymentMethod.objects.get(last4="4444").reference)
    done = ann.post("/invoices/pay/", hidden(page))
    said = text_of(done)
    assert "1 of 2 paid" in said
    assert f"{first} $135.00 Declined There was not enough money available on the card." in said
    assert f"{second} $135.00 Paid Mastercard •••• 4444" in said
    assert "Paid in all: $135.00 USD" in said
    # Reloading the answer sends the form again: nothing is charged by that.
    said = text_of(ann.post("/invoices/pay/", hidden(page)))
    assert "Not paid" in said
    assert f"Invoice {first} was tried just now" in said
    assert f"Invoice {second} is paid" in said
    assert len(shop.charges(paid=True)) == 1


def test_nothing_chosen_and_what_cannot_be_paid(shop: Shop, ann: Client, owed: list[Invoice]) -> None:
    assert "Nothing is chosen that can be paid now" in text_of(ann.get("/invoices/pay/"))
    assert ann.post("/invoices/pay/").status_code == 302
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    first = str(owed[0].number)
    ann.post(f"/invoices/{first}/pay/")
    page = ann.get("/invoices/pay/", {"number": [first, str(owed[1].number), "x\x00y"]})
    assert f"Not among them {first} cannot be paid by card now" in text_of(page)
    assert hidden(page)["number"] == [str(owed[1].number)]


def test_who_may_not_pay(shop: Shop, ann: Client, owed: list[Invoice]) -> None:
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    number = str(owed[0].number)
    joe = browser(world.person("joe@acme.example", company=shop.company))
    other = world.company("other", "Other")
    eve = browser(world.person("eve@other.example", company=other, administrator=True))
    assert 'type="checkbox"' not in joe.get("/invoices/").content.decode()
    for client, status in ((joe, 403), (eve, 404)):
        assert hidden(client.get("/invoices/pay/", {"number": number})) == {"number": [], "seen": []}
        assert client.post("/invoices/pay/", {"number": number, "seen": "1"}).status_code == status
        assert client.get(f"/invoices/pay/past-due/{shop.payer.id}/").status_code == status
        assert client.post(f"/settings/collection/{shop.payer.id}/", {"choice": "now"}).status_code == status
    assert not shop.charges(paid=True)


def test_a_new_default_card_offers_to_pay_all_that_is_past_due(
    shop: Shop, ann: Client, owed: list[Invoice]
) -> None:
    card = shop.add_card("pm_card_mastercard", now=NOW)
    answer = ann.post(f"/company/payment-methods/{card.id}/default/", follow=True)
    said = text_of(answer)
    for invoice in owed:
        assert f"{invoice.number} : $135.00" in said
    assert "Pay now: all 2" in said
    said = text_of(ann.post("/invoices/pay/", hidden(answer)))
    assert "Paid. Thank you." in said
    assert "Paid in all: $270.00 USD" in said
    assert len(shop.charges(paid=True)) == 2
    said = text_of(ann.get(f"/invoices/pay/past-due/{shop.payer.id}/"))
    assert "Acme Dental is up to date" in said


def test_set_to_pay_by_itself_it_says_so_and_offers_nothing(
    shop: Shop, ann: Client, owed: list[Invoice]
) -> None:
    said = text_of(ann.get("/settings/"))
    assert "As CIC does it: ask first" in said
    answer = ann.post(f"/settings/collection/{shop.payer.id}/", {"choice": "now"}, follow=True)
    assert "Saved for Acme Dental." in text_of(answer)
    assert BillableEntity.objects.get().pay_on_new_card is True
    assert '<option value="now" selected>' in answer.content.decode()
    assert ann.post(f"/settings/collection/{shop.payer.id}/", {"choice": "maybe"}).status_code == 422
    card = shop.add_card("pm_card_mastercard", now=NOW)
    answer = ann.post(f"/company/payment-methods/{card.id}/default/", follow=True)
    assert "will be charged within a few minutes" in text_of(answer)
    assert hidden(answer)["number"] == []
    page = text_of(ann.get(f"/invoices/{owed[0].number}/"))
    assert "Next : 2 Apr 2026, 05:00 EDT Automatic, for a new card" in page
    ann.post(f"/settings/collection/{shop.payer.id}/", {"choice": "seller"})
    assert BillableEntity.objects.get().pay_on_new_card is None


def test_a_replaced_card_is_agreed_to_again_by_an_administrator(shop: Shop, ann: Client) -> None:
    card = replaced(shop, shop.add_card(now=NOW), brand="mastercard", last4="4444")
    invoice = shop.bill(month=3)
    operations.collect_due(now=NOW)
    said = text_of(ann.get("/company/"))
    assert (
        "Your bank replaced your card with the Mastercard •••• 4444. To go on using it, agree again." in said
    )
    waits = f"Charged once that is agreed: {invoice.number} , $135.00."
    assert waits in said
    address = f"/company/payment-methods/{card.id}/agree/"
    assert address in ann.get("/company/").content.decode()
    page = ann.get(f"/invoices/{invoice.number}/")
    assert "Agree to the card again" in text_of(page)
    assert "Pay now" not in text_of(page)
    joe = browser(world.person("joe@acme.example", company=shop.company))
    assert "It is not charged before a billing administrator agrees again." in text_of(joe.get("/company/"))
    assert joe.get(address).status_code == joe.post(address).status_code == 403
    asked = text_of(ann.get(address))
    assert "By agreeing you allow CIC to charge this card, which your bank put in the place" in asked
    assert "By saving this card" not in asked
    assert waits in asked
    said = text_of(ann.post(address, follow=True))
    assert "Thank you. Mastercard •••• 4444 can be charged again, also for what waited for it." in said
    consent = CardConsent.objects.get()
    assert consent.mandate_version == "2026-11-again"
    assert (consent.ip_address, consent.given_by.email) == ("127.0.0.1", "ann@acme.example")
    assert "There is nothing to agree to" in text_of(ann.get(address))
    assert "Charged once that is agreed" not in text_of(ann.get("/company/"))
    ann.post(address)
    assert CardConsent.objects.count() == 1
    operations.charge_new_cards(now=clock.now())
    assert len(shop.charges(paid=True)) == 1


def test_a_replaced_card_cannot_be_made_the_default_first(shop: Shop, ann: Client) -> None:
    shop.add_card(now=NOW)
    second = replaced(shop, shop.add_card("pm_card_amex", now=NOW), brand="visa", last4="1111")
    answer = ann.post(f"/company/payment-methods/{second.id}/default/")
    assert answer.status_code == 422
    assert "Agree to its use again" in text_of(answer)


def test_the_company_page_names_the_day_a_card_ends(shop: Shop, ann: Client) -> None:
    card = shop.add_card(now=NOW)
    PaymentMethod.objects.filter(id=card.id).update(exp_month=5, exp_year=2026)
    said = text_of(ann.get("/company/"))
    assert "Expires within 60 days" in said
    assert "It is good until 31 May 2026. Add your new card and make it the default." in said


def test_the_next_try_is_on_the_page_with_its_hour_and_its_reason(
    shop: Shop, ann: Client, owed: list[Invoice]
) -> None:
    said = text_of(ann.get(f"/invoices/{owed[0].number}/"))
    assert "Next : 1 May 2026, 00:00 EDT Automatic retry, with the next billing cycle" in said
    assert "Declined : $135.00, Visa •••• 0341 2 Apr 2026, 05:00 EDT · Automatic, first attempt" in said
    assert "will be charged on 1 May 2026 at 00:00 EDT" in said


def test_a_double_click_on_pay_now_charges_once(shop: Shop, ann: Client, owed: list[Invoice]) -> None:
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    shop.sandbox.decline_next(PaymentMethod.objects.get(last4="4444").reference)
    number = owed[0].number
    page = ann.get(f"/invoices/{number}/")
    seen = hidden(page)["seen"][0]
    before = PaymentAttempt.objects.count()
    ann.post(f"/invoices/{number}/pay/", {"seen": seen})
    said = text_of(ann.post(f"/invoices/{number}/pay/", {"seen": seen}, follow=True))
    assert "was tried just now, so it is not tried again" in said
    assert PaymentAttempt.objects.count() == before + 1
    ann.post(f"/invoices/{number}/pay/", {"seen": hidden(ann.get(f"/invoices/{number}/"))["seen"][0]})
    assert len(shop.charges(paid=True)) == 1
