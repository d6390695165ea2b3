"""What changed between a try and its recovery: stopped, held, not told; nothing is lost or doubled."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from callbill.domain.customers.models import BillableEntity
from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import charge_back, void_invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments._chargebacks import apply_chargeback
from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import CollectionPlan, CollectionStop, PaymentAttempt
from callbill.rules import dunning
from callbill.rules.dunning import Stop
from callbill.rules.money import Money
from tests.domain.payments.disputes import given_back, lift, lose, paid
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop, issued_row

CREATE = "/v1/payment_intents$"
CONFIRM = "/confirm$"
LATER = ISSUED + timedelta(hours=1)
IN_MARCH = ISSUED + timedelta(days=28)


def left_in_doubt(shop: Shop, path: str) -> Invoice:
    """An invoice whose charge broke off before anything was done at Stripe."""
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("reset_before", path=path, method="POST", times=3)
    operations.collect_due(now=ISSUED)
    shop.sandbox.clear_faults()
    assert shop.charges() == []
    return invoice


def stop(shop: Shop) -> None:
    operations.stop_collection(payer_id=shop.payer.id, key="x", reason="Two charges.", now=ISSUED)


@pytest.mark.parametrize("path", [CREATE, CONFIRM])
def test_a_payer_that_was_stopped_meanwhile_is_not_charged_by_the_sweeper(shop: Shop, path: str) -> None:
    invoice = left_in_doubt(shop, path)
    stop(shop)
    operations.sweep_attempts(now=LATER)
    operations.collect_due(now=LATER)
    assert shop.charges() == []
    invoice.refresh_from_db()
    assert invoice.status == "open"
    assert CollectionPlan.objects.get().stopped_because == Stop.STOPPED.value
    operations.lift_collection_stop(
        stop_id=CollectionStop.objects.get().id, actor_id=shop.staff.user_id, reason="Explained", now=LATER
    )
    operations.collect_due(now=LATER)
    assert [charge.amount for charge in shop.charges(paid=True)] == [135_00]


def test_a_stopped_payer_is_promised_no_charge(shop: Shop) -> None:
    shop.add_card("pm_card_chargeCustomerFail")
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    assert "will be charged on" in queries.what_happens_next(invoice.id)
    stop(shop)
    words = queries.what_happens_next(invoice.id)
    assert (
        words
        == "We look into a payment of yours first. Nothing is charged meanwhile; there is nothing to do."
    )
    assert queries.waits_for_us(shop.payer.id, Money(135_00, "USD"))


@pytest.mark.parametrize("path", [CREATE, CONFIRM])
def test_what_was_held_meanwhile_is_not_charged_by_the_sweeper(shop: Shop, path: str) -> None:
    invoice = left_in_doubt(shop, path)
    Hold.objects.create(
        invoice=invoice,
        kind="fraud_warning",
        cause="issfr_1",
        reason="-",
        placed_at=ISSUED,
        amount_minor=35_00,
    )
    operations.sweep_attempts(now=LATER)
    operations.collect_due(now=LATER)
    assert [charge.amount for charge in shop.charges(paid=True)] == [100_00]
    assert queries.books_differences() == []


def test_a_confirmed_payment_that_is_declined_is_told(shop: Shop) -> None:
    shop.add_card(ALWAYS_3DS)
    shop.bill()
    operations.collect_due(now=ISSUED)
    attempt = PaymentAttempt.objects.select_related("intent", "payment_method").get()
    reference, card = str(attempt.intent.reference), attempt.payment_method.reference
    asked = shop.stripe.v1.payment_intents.confirm(reference, {"payment_method": card})
    shop.sandbox.decline_next(card, "insufficient_funds")
    shop.sandbox.authenticate(reference, str(asked.client_secret))
    operations.sweep_attempts(now=LATER)
    attempt.refresh_from_db()
    assert attempt.state == "declined"
    subjects = [mail.subject for mail in shop.told("payment_failed")]
    assert len(subjects) == 2, subjects
    assert subjects[1].startswith("Payment failed")


def test_lifting_a_stop_waits_for_the_payer_before_its_invoices(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    stop(shop)
    operations.collect_due(now=ISSUED)
    there = CollectionStop.objects.get()
    order: list[str] = []

    def lift() -> None:
        try:
            operations.lift_collection_stop(
                stop_id=there.id, actor_id=shop.staff.user_id, reason="Explained", now=LATER
            )
            order.append("lifted")
        finally:
            connection.close()

    worker = threading.Thread(target=lift)
    with transaction.atomic():
        # Voiding does so: the payer, then one invoice, then the others.
        BillableEntity.objects.select_for_update(no_key=True).get(id=shop.payer.id)
        worker.start()
        while not waits_for_a_lock():
            assert worker.is_alive()
        # Whoever waits for the payer holds no invoice.
        Invoice.objects.select_for_update(nowait=True).get(id=invoice.id)
        order.append("voided")
    worker.join(timeout=10)
    assert order == ["voided", "lifted"]


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_what_was_too_small_for_stripe_can_be_charged_when_it_is_more(shop: Shop, monkeypatch: Any) -> None:
    shop.add_card()
    invoice = shop.bill()
    hold = shop.hold_some(invoice, 134_60)
    with monkeypatch.context() as patched:
        # Stripe's least is that of the currency we are paid out in, which may be more than our table says.
        patched.setattr(dunning, "_SMALLEST_ELSEWHERE", 30)
        operations.collect_due(now=ISSUED)
    assert PaymentAttempt.objects.get().state == "canceled"
    assert CollectionPlan.objects.get().stopped_because == Stop.TOO_SMALL.value
    operations.lift_hold(hold_id=hold.id, actor_id=shop.staff.user_id, reason="-", now=LATER)
    operations.collect_due(now=LATER)
    assert [charge.amount for charge in shop.charges(paid=True)] == [135_00]


def test_what_was_brought_forward_and_is_owed_again_is_not_brought_forward_twice(shop: Shop) -> None:
    small = issued_row(shop.payer, date(2025, 12, 1), date(2026, 1, 1), 60_30, paid_minor=60_00)
    january = shop.bill()
    assert january.brought_minor == 30
    charge_back(invoice_id=small.id, amount_minor=25, reference="dp_1", now=LATER)
    february = shop.bill(month=2)
    assert february.brought_minor == 0
    void_invoice(invoice_id=january.id, reason="Wrong", actor_id=shop.staff.user_id, now=LATER)
    small.refresh_from_db()
    january.refresh_from_db()
    assert (small.status, small.due_minor, january.due_minor) == ("past_due", 55, 0)


def test_given_back_while_a_new_charge_is_in_doubt_that_is_declined(shop: Shop) -> None:
    """Nobody is told of a failed payment of an invoice that is paid, and nothing is planned for it."""
    invoice = paid(shop)
    reference = lose(shop, invoice)
    lift(shop, reference)
    card = shop.attempt(invoice).payment_method.reference
    shop.sandbox.decline_next(card, "insufficient_funds")
    shop.sandbox.fault("reset_after", path="/confirm$", method="POST", times=3)
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
    assert operations.collect_due(now=IN_MARCH).attempts == {"submitted": 1}
    shop.sandbox.clear_faults()
    view = gateway().fetch_chargeback(reference=reference)
    assert apply_chargeback(view=given_back(view, "txn_back_4"), known=("lost", 135_00), now=IN_MARCH)
    assert operations.sweep_attempts(now=IN_MARCH + timedelta(minutes=20)).attempts == {"declined": 1}
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    assert shop.told("payment_failed") == []
    assert CollectionPlan.objects.get().next_attempt_at is None
