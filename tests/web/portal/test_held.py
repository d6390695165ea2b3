"""What customers read of holds and of charges that are disputed at the bank, and who does not."""

from __future__ import annotations

import itertools

from django.test import Client

from callbill.domain.customers.queries import Viewer
from callbill.domain.disputes.operations import place_hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations
from callbill.domain.payments.models import GatewayEvent
from callbill.domain.users.models import User
from callbill.lib import clock
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import DECLINES, Shop
from tests.web.portal.conftest import TODAY, Cast, browser, text_of

NOW = world.at("2026-02-10T15:00")
_events = itertools.count(1)


def page_of(shop: Shop, invoice: Invoice) -> str:
    return page_at(shop.admin, f"/invoices/{invoice.number}/")


def page_at(viewer: Viewer, address: str) -> str:
    client = Client()
    client.force_login(User.objects.get(id=viewer.user_id))
    return text_of(client.get(address))


def paid(shop: Shop) -> Invoice:
    shop.add_card(default=True)
    invoice = shop.bill()
    operations.collect_due(now=NOW)
    return invoice


def disputed(shop: Shop, invoice: Invoice, outcome: str = "", *, inquiry: bool = False) -> None:
    made = shop.sandbox.dispute(str(shop.attempt(invoice).charge), inquiry=inquiry)
    if outcome:
        shop.sandbox.close_dispute(made["id"], outcome)
    GatewayEvent.objects.create(
        event_id=f"evt_held_{next(_events)}",
        kind="charge.dispute.closed",
        object_id=made["id"],
        received_at=NOW,
    )
    operations.handle_events(now=NOW)


def test_a_hold_says_what_why_and_what_next(cast: Cast) -> None:
    invoice = cast.invoice(cast.clinic)
    place_hold(
        invoice_id=invoice.id,
        kind="question",
        cause="q",
        amount=Money(5_00, "USD"),
        reason="You asked about the calls of 12 January",
        actor_id=cast.staff.id,
        now=TODAY,
    )
    said = text_of(browser(cast.olga).get(f"/invoices/{invoice.number}/"))
    assert "$5.00 of this invoice has been on hold since 10 February 2026: You asked about the calls" in said
    assert "When that is settled, it is charged as usual or credited." in said
    # A company's people see neither the payer's payments nor what is asked about other companies.
    assert "on hold" not in text_of(browser(cast.cleo).get(f"/invoices/{invoice.number}/"))


def test_with_a_part_held_every_page_says_what_is_charged(shop: Shop) -> None:
    shop.add_card(DECLINES, default=True)
    invoice = shop.bill()
    operations.collect_due(now=NOW)
    place_hold(
        invoice_id=invoice.id,
        kind="question",
        cause="q",
        amount=Money(35_00, "USD"),
        reason="You asked about the calls of 12 January",
        actor_id=shop.staff.user_id,
        now=NOW,
    )
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    said = page_of(shop, invoice)
    assert "$135.00 still to be paid, $35.00 of it on hold" in said
    assert "Still to be paid $135.00 of it on hold $35.00" in said
    assert "Pay now: $100.00" in said
    listed = page_at(shop.admin, "/invoices/")
    assert f"Past due: {invoice.number} , $135.00, $35.00 of it on hold" in listed
    assert "$135.00 still to be paid, $35.00 of it on hold" in listed
    assert "Pay now: $100.00" in listed
    asked = page_at(shop.admin, f"/invoices/pay/?number={invoice.number}")
    assert "$100.00 $35.00 more is on hold" in asked
    assert "Pay $100.00" in asked
    staff = page_at(shop.staff, f"/console/invoices/{invoice.number}/")
    assert "Still to be paid $135.00 $35.00 of it on hold" in staff
    assert "Still to be paid $135.00 of it on hold $35.00" in staff


def test_with_all_of_it_held_there_is_nothing_to_press(shop: Shop) -> None:
    shop.add_card(default=True)
    invoice = shop.bill()
    place_hold(
        invoice_id=invoice.id,
        kind="staff",
        cause="s",
        amount=None,
        reason="We look into it.",
        actor_id=shop.staff.user_id,
        now=NOW,
    )
    said = page_of(shop, invoice)
    assert "All that is owed on this invoice has been on hold since 10 February 2026:" in said
    assert "We look into it." in said
    assert "Pay now" not in said
    assert "Add a card" not in said


def test_while_the_bank_decides(shop: Shop) -> None:
    invoice = paid(shop)
    disputed(shop, invoice)
    said = page_of(shop, invoice)
    assert "Paid on 10 February 2026. The cardholder's bank disputes the payment of 10 February 2026" in said
    assert "If you did not mean to dispute it, tell your bank." in said
    assert "Disputed : $135.00, Visa •••• 4242" in said
    assert "did not make the payment" not in said, "what the bank tells us is for staff"
    assert "stripe" not in said.lower()


def test_when_it_is_owed_again(shop: Shop) -> None:
    invoice = paid(shop)
    disputed(shop, invoice, "lost")
    said = page_of(shop, invoice)
    assert "so it is owed again. No card is charged for it by itself" in said
    assert "Paid -$135.00 Taken back by the cardholder's bank $135.00 Still to be paid $135.00" in said
    assert "Taken back : $135.00, Visa •••• 4242" in said
    assert "by its due date" not in said
    assert "Pay now" not in said
    assert "Add a card for" not in said
    assert "Receipt PDF" not in said
    clock.move_to(NOW)
    try:
        overview = Client()
        overview.force_login(User.objects.get(id=shop.admin.user_id))
        listed = text_of(overview.get("/invoices/"))
    finally:
        clock.back_to_real_time()
    assert "Past due" in listed
    assert "so it is owed again" in listed


def test_an_ended_dispute_is_in_the_history(shop: Shop) -> None:
    invoice = paid(shop)
    disputed(shop, invoice, "won")
    said = page_of(shop, invoice)
    assert "Paid on 10 February 2026. There is nothing to do." in said
    assert "Dispute ended : $135.00" in said
    assert "has decided that it was right: it stays paid." in said
