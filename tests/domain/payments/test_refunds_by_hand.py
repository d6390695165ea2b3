"""Refunds that somebody made at Stripe: taken over onto a credit note, once, or told to staff."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.invoicing.operations import record_payment
from callbill.domain.ledger.models import Account
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import FraudWarning, GatewayEvent, Refund, StaffAlert
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import Shop
from tests.domain.payments.test_refunds import credit, held, paid, refund

NOW = world.at("2026-02-10T15:00")


def by_hand(shop: Shop, invoice: Invoice, minor: int | None = None) -> str:
    """Somebody refunds the invoice's charge in Stripe's Dashboard."""
    given: Any = {"charge": str(shop.attempt(invoice).charge), **({"amount": minor} if minor else {})}
    return str(shop.stripe.v1.refunds.create(given).id)


def take_over(shop: Shop, note: CreditNote, reference: str, reason: str = "Made by hand") -> Any:
    return operations.take_over_refund(
        note_id=note.id, reference=reference, actor_id=shop.staff.user_id, reason=reason, now=NOW
    )


def at_once(*works: Callable[[], object]) -> None:
    """Each in a thread of its own, with a connection of its own."""

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def message(reference: str, kind: str = "refund.created") -> GatewayEvent:
    """A message of Stripe's that was stored."""
    return GatewayEvent.objects.create(
        event_id=f"evt_{reference}", kind=kind, object_id=reference, received_at=NOW
    )


def test_a_part_is_taken_over_and_the_rest_can_still_go_back(shop: Shop) -> None:
    invoice = paid(shop)
    made = by_hand(shop, invoice, 35_00)
    note = credit(shop, invoice)
    done = take_over(shop, note, made)
    assert (done.made, done.amount, done.card) == (True, Money(35_00, "USD"), "Visa •••• 4242")
    assert Refund.objects.get().reference == made
    assert (held(shop, Account.CUSTOMER_BALANCE), held(shop, Account.STRIPE_CLEARING)) == (-100_00, 100_00)
    assert held(shop, Account.REFUNDS_PAYABLE) == 0
    assert queries.books_differences() == []
    (told,) = shop.told("refund_made")
    assert "$35.00 of credit note CIC-CN-000001 went back to your Visa •••• 4242." in told.body_text
    action = StaffAction.objects.get(action="take_over_refund")
    assert (action.reason, action.details["refund"]) == ("Made by hand", made)
    assert refund(shop, note).amount == Money(100_00, "USD")
    assert queries.books_differences() == []


def test_all_of_a_charge_settles_its_warning_of_fraud(shop: Shop) -> None:
    invoice = paid(shop)
    warned = str(shop.sandbox.early_fraud_warning(str(shop.attempt(invoice).charge))["id"])
    operations.look_at(kind="radar.early_fraud_warning.created", reference=warned, now=NOW)
    assert FraudWarning.objects.count() == len(queries.open_warnings(shop.staff)) == 1
    take_over(shop, credit(shop, invoice), by_hand(shop, invoice))
    assert queries.open_warnings(shop.staff) == []
    assert held(shop, Account.STRIPE_CLEARING) == 0
    assert queries.books_differences() == []


def test_it_is_taken_over_once(shop: Shop) -> None:
    invoice = paid(shop)
    made, note = by_hand(shop, invoice, 35_00), credit(shop, invoice)
    take_over(shop, note, made)
    with pytest.raises(operations.CannotRefund, match=r"in the books already, on credit note CIC-CN-000001"):
        take_over(shop, note, made)
    ours = refund(shop, note)
    reference = str(Refund.objects.get(id=ours.id).reference)
    Refund.objects.filter(id=ours.id).update(reference=None)
    with pytest.raises(operations.CannotRefund, match="in the books already"):
        take_over(shop, note, reference)
    assert Refund.objects.count() == 2
    assert StaffAction.objects.filter(action="take_over_refund").count() == 1
    assert queries.books_differences() == []


def test_two_members_of_staff_at_once(shop: Shop) -> None:
    invoice = paid(shop)
    made, note = by_hand(shop, invoice, 35_00), credit(shop, invoice)
    went: list[str] = []

    def press() -> None:
        try:
            take_over(shop, note, made)
            went.append("taken")
        except operations.PaymentRefused:
            went.append("refused")

    at_once(press, press)
    assert sorted(went) == ["refused", "taken"]
    assert held(shop, Account.STRIPE_CLEARING) == 100_00
    assert len(shop.told("refund_made")) == 1
    assert queries.books_differences() == []


def test_too_little_credit_says_how_much_more(shop: Shop) -> None:
    invoice = paid(shop)
    made = by_hand(shop, invoice, 50_00)
    first = credit(shop, invoice, 20_00)
    with pytest.raises(
        operations.CannotRefund, match=rf"Credit lines of {invoice.number} for at least \$30\.00"
    ):
        take_over(shop, first, made)
    assert (Refund.objects.count(), held(shop, Account.CUSTOMER_BALANCE)) == (0, -20_00)
    second = credit(shop, invoice, 30_00)
    assert take_over(shop, second, made).amount == Money(50_00, "USD"), "two credit notes cover it"
    assert held(shop, Account.CUSTOMER_BALANCE) == 0
    assert queries.refundable_notes(shop.staff, invoice.id) == {}
    assert queries.books_differences() == []


def test_credit_that_was_used_has_gone_twice(shop: Shop) -> None:
    invoice = paid(shop)
    made, note = by_hand(shop, invoice), credit(shop, invoice)
    shop.bill(10, month=2)
    with pytest.raises(operations.CannotRefund, match=r"had .* twice"):
        take_over(shop, note, made)
    assert Refund.objects.count() == 0


def test_only_of_a_charge_of_this_invoice(shop: Shop) -> None:
    invoice, other = paid(shop), paid(shop, month=2)
    note = credit(shop, invoice)
    with pytest.raises(operations.CannotRefund, match=rf"belongs to invoice {other.number}"):
        take_over(shop, note, by_hand(shop, other, 10_00))
    customer = str(shop.stripe.v1.customers.create({"name": "Somebody else"}).id)
    method = shop.stripe.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    stranger = shop.stripe.v1.payment_intents.create(
        {
            "amount": 10_00,
            "currency": "usd",
            "customer": customer,
            "payment_method": method,
            "confirm": True,
            "off_session": True,
            "allowed_payment_method_types": ["card"],
        }
    )
    theirs = shop.stripe.v1.refunds.create({"charge": str(stranger.latest_charge)})
    with pytest.raises(operations.CannotRefund, match="of a charge that Callbill did not make"):
        take_over(shop, note, str(theirs.id))
    with pytest.raises(operations.CannotRefund, match="Stripe has no refund re_nothing"):
        take_over(shop, note, "re_nothing")
    assert Refund.objects.count() == 0


def test_it_needs_a_reason(shop: Shop) -> None:
    invoice = paid(shop)
    made, note = by_hand(shop, invoice, 35_00), credit(shop, invoice)
    with pytest.raises(ReasonMissing):
        take_over(shop, note, made, reason=" ")
    assert (Refund.objects.count(), held(shop, Account.CUSTOMER_BALANCE)) == (0, -135_00)


def test_its_message_is_settled_with_it(shop: Shop) -> None:
    invoice = paid(shop)
    made = by_hand(shop, invoice, 35_00)
    event = message(made)
    for hours in range(0, 80, 8):
        operations.handle_events(now=NOW + timedelta(hours=hours))
    event.refresh_from_db()
    assert event.flagged_at is not None
    (matter,) = StaffAlert.objects.filter(settled_at=None)
    assert f"Credit lines of invoice {invoice.number}" in matter.message
    assert "Take over a refund made at Stripe" in matter.message
    take_over(shop, credit(shop, invoice), made)
    event.refresh_from_db()
    assert (event.handled_at, event.flagged_at) == (None, None), "it may be newer than what was taken over"
    assert operations.handle_events(now=NOW) == 1
    assert not StaffAlert.objects.filter(settled_at=None).exists()


def test_at_the_same_time_as_its_message(shop: Shop) -> None:
    invoice = paid(shop)
    made, note = by_hand(shop, invoice, 35_00), credit(shop, invoice)
    message(made)
    at_once(lambda: take_over(shop, note, made), lambda: operations.handle_events(now=NOW))
    operations.handle_events(now=NOW + timedelta(days=1))
    assert GatewayEvent.objects.filter(handled_at=None).count() == 0
    assert held(shop, Account.STRIPE_CLEARING) == 100_00
    assert len(shop.told("refund_made")) == 1
    assert queries.books_differences() == []


def in_doubt(shop: Shop) -> Invoice:
    """An invoice that its card paid, of which no answer came."""
    shop.add_card(default=True)
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path="/confirm$", times=9)
    shop.sandbox.fault("503", path="/payment_intents/pi_", method="GET", times=9)
    operations.collect_due(now=NOW)
    shop.sandbox.clear_faults()
    assert shop.attempt(invoice).state == "submitted"
    return invoice


def test_a_charge_that_the_books_did_not_take_is_settled_by_its_refund(shop: Shop) -> None:
    """As our own words advise: it was paid twice, so it is refunded at Stripe."""
    invoice = in_doubt(shop)
    record_payment(invoice_id=invoice.id, amount_minor=135_00, reference="wire", now=NOW, into=Account.BANK)
    operations.sweep_attempts(now=NOW + timedelta(hours=1))
    (matter,) = open_matters()
    assert "Refund it" in matter
    event = message(by_hand(shop, invoice))
    operations.handle_events(now=NOW + timedelta(hours=2))
    event.refresh_from_db()
    assert event.handled_at is not None
    assert "not in the books" in event.problem
    assert held(shop, Account.STRIPE_CLEARING) == 0
    # No bank payment is behind the wire: the machine's own way refuses one while a card is in doubt.
    assert [difference.what for difference in queries.books_differences()] == ["bank"]
    with pytest.raises(operations.CannotRefund, match="not in the books"):
        take_over(shop, credit(shop, invoice), event.object_id)


def open_matters() -> list[str]:
    """What staff must mend."""
    return list(StaffAlert.objects.filter(settled_at=None).values_list("message", flat=True))


def test_a_charge_that_nobody_here_made_is_settled_by_its_refund(shop: Shop) -> None:
    invoice = paid(shop)
    made = shop.stripe.v1.payment_intents.create(
        {
            "amount": 10_00,
            "currency": "usd",
            "customer": str(shop.payer.gateway_customer.reference),
            "payment_method": shop.attempt(invoice).payment_method.reference,
            "confirm": True,
            "off_session": True,
            "allowed_payment_method_types": ["card"],
        }
    )
    event = message(str(shop.stripe.v1.refunds.create({"charge": str(made.latest_charge)}).id))
    operations.handle_events(now=NOW)
    event.refresh_from_db()
    assert event.handled_at == NOW


def test_a_charge_in_doubt_is_waited_for(shop: Shop) -> None:
    invoice = in_doubt(shop)
    intent = str(shop.attempt(invoice).intent.reference)
    charge = str(shop.stripe.v1.payment_intents.retrieve(intent).latest_charge)
    event = message(str(shop.stripe.v1.refunds.create({"charge": charge, "amount": 35_00}).id))
    operations.handle_events(now=NOW)
    event.refresh_from_db()
    assert (event.handled_at, event.tries) == (None, 1), "the books may take it yet"
