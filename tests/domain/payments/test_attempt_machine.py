"""The attempt machine, row by row of its table of crashes and faults (docs/payments.md): where each is tested.

| Row | Test |
| --- | --- |
| before T1 commits; after T1; after S1 before T2; after T2; after T3 before S2; answered, T4 not committed | tests/kills (keys fresh and 25 hours old) |
| after S2 without an answer: kill, timeout, reset, 500 | tests/kills, test_unknown_outcomes |
| T4 committed, mail not sent | tests/domain/notifications/test_crashes |
| webhook first, twice, never, out of order | test_events |
| 409, 429, lock timeout | test_unknown_outcomes |
| 401 and 403 | test_unknown_outcomes, test_collection_runs |
| 400 of ours | test_unknown_outcomes; our question is refused: here |
| two triggers at once | here; in two processes: test_killed, test_collection_runs |
| the customer confirms the same payment | test_confirming; while staff retry: here |
| voided or credited while in doubt | here, test_refunds |
| amount changed while an attempt waits | here, test_bank_payments |
| canceled at Stripe, then a new generation | test_unknown_outcomes; never before it is confirmed: here |
| refund crash | tests/kills, test_refunds |
"""  # noqa: E501 (a table's rows are long)

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments._attempt import drive
from callbill.domain.payments._preparing import prepare
from callbill.domain.payments.models import (
    CollectionPlan,
    PaymentAttempt,
    PaymentIntent,
    Receipt,
    StaffAlert,
)
from callbill.rules.lifecycle import MoveRefused
from tests.domain.payments.shop import ALWAYS_3DS, DECLINES, ISSUED, Shop

LATER = ISSUED + timedelta(hours=1)


def staff_retry(shop: Shop, invoice: Invoice, now: Any = LATER) -> Any:
    return operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="They called", now=now
    )


def assert_paid_once(shop: Shop) -> None:
    assert len(shop.charges(paid=True)) == 1
    assert PaymentAttempt.objects.filter(state="succeeded").count() == 1
    assert Entry.objects.filter(kind="payment").count() == 1
    assert Receipt.objects.count() == 1
    assert len(shop.told("payment_received")) == 1
    assert queries.books_differences() == []


def test_two_triggers_at_once(shop: Shop) -> None:
    """The run, staff and the customer in the same moment: one charges, the others read that one does."""
    shop.add_card()
    invoice = shop.bill()
    start, refused = threading.Barrier(3), []

    def at_once(pay: Any) -> None:
        try:
            start.wait(timeout=60)
            pay()
        except operations.PaymentRefused as refusal:
            refused.append(type(refusal))
        finally:
            connections.close_all()

    triggers = (
        lambda: operations.collect_due(now=ISSUED),
        lambda: staff_retry(shop, invoice, ISSUED),
        lambda: operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED),
    )
    threads = [threading.Thread(target=at_once, args=(pay,)) for pay in triggers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refused) <= {operations.PaymentInProgress, operations.NothingDue}
    assert PaymentAttempt.objects.count() == 1
    assert_paid_once(shop)


def test_the_database_itself_allows_one_live_attempt(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    attempt = prepare(invoice_id=invoice.id, trigger="staff", now=ISSUED)
    with pytest.raises(operations.PaymentInProgress):
        prepare(invoice_id=invoice.id, trigger="customer", now=ISSUED)
    attempt.pk = None
    attempt.id = PaymentAttempt._meta.get_field("id").get_default()
    with pytest.raises(IntegrityError, match="one_live_attempt_an_invoice"), transaction.atomic():
        attempt.save(force_insert=True)


@pytest.mark.parametrize("moment", ["before the retry reads it", "after the retry has begun"])
def test_the_cardholder_confirms_while_staff_retry_with_another_card(
    shop: Shop, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One payment at Stripe: whichever comes first is the charge, and the words name the card that paid."""
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    shop.add_card("pm_card_mastercard", default=True)
    first = PaymentAttempt.objects.get()
    reference = str(first.intent.reference)

    def confirm_in_the_browser() -> None:
        there = shop.stripe.v1.payment_intents.confirm(
            reference, {"payment_method": first.payment_method.reference}
        )
        shop.sandbox.authenticate(reference, str(there.client_secret))

    if moment == "before the retry reads it":
        second = prepare(invoice_id=invoice.id, trigger="staff", now=LATER)
        confirm_in_the_browser()
        drive(attempt_id=second.id, now=LATER)
    else:
        from callbill.domain.payments import _attempt

        plain = _attempt._submit

        def submitted(*args: Any) -> bool:
            went_on = plain(*args)
            confirm_in_the_browser()
            return went_on

        monkeypatch.setattr(_attempt, "_submit", submitted)
        staff_retry(shop, invoice)
    assert_paid_once(shop)
    paid = PaymentAttempt.objects.get(state="succeeded")
    assert paid.payment_method.last4 == "3184"
    assert "Visa •••• 3184" in shop.told("payment_received")[0].body_text
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert CollectionPlan.objects.get().next_attempt_at is None


@pytest.mark.parametrize("succeeded", [True, False])
def test_while_in_doubt_nothing_is_changed_on_the_invoice(shop: Shop, succeeded: bool) -> None:
    """No answer: void, credit, write-off and bank money wait; then what is allowed follows what happened."""
    shop.add_card() if succeeded else shop.add_card(DECLINES)
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path="/confirm$", method="POST", times=3)
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_[^/]+$", method="GET", times=9)
    operations.collect_due(now=ISSUED)
    assert PaymentAttempt.objects.get().state == "submitted"
    act = {"invoice_id": invoice.id, "reason": "Wrong", "actor_id": shop.staff.user_id, "now": LATER}
    for change in (
        lambda: invoicing.void_invoice(**act),
        lambda: invoicing.credit_lines(**act, amounts=None),
        lambda: invoicing.write_off(**act),
        lambda: staff_retry(shop, invoice),
    ):
        with pytest.raises((invoicing.BeingPaid, operations.PaymentInProgress)):
            change()
    shop.sandbox.clear_faults()
    operations.sweep_attempts(now=LATER)
    if succeeded:
        assert_paid_once(shop)
        with pytest.raises(MoveRefused, match="paid cannot be voided"):
            invoicing.void_invoice(**act)
    else:
        assert invoicing.void_invoice(**act).invoice.status == "void"
        assert shop.charges(paid=True) == []
        assert queries.books_differences() == []


def test_what_is_owed_changes_between_the_row_and_the_charge(shop: Shop) -> None:
    """Money is recorded elsewhere after T1: T3 sees it under the lock, and the old amount is not charged."""
    shop.add_card()
    invoice = shop.bill()
    attempt = prepare(invoice_id=invoice.id, trigger="staff", now=ISSUED)
    invoicing.record_payment(invoice_id=invoice.id, amount_minor=35_00, reference="elsewhere", now=ISSUED)
    drive(attempt_id=attempt.id, now=ISSUED)
    attempt.refresh_from_db()
    assert (attempt.state, shop.charges()) == ("canceled", [])
    assert operations.collect_due(now=LATER).attempts == {"succeeded": 1}
    assert [charge.amount for charge in shop.charges()] == [100_00]
    assert PaymentIntent.objects.count() == 1
    assert queries.books_differences() == []


def test_a_new_generation_only_when_the_old_one_is_confirmed_to_be_canceled(shop: Shop) -> None:
    """Staff give the waiting up, Stripe does not answer: until it says canceled there is no second one."""
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    give_up = {"invoice_id": invoice.id, "actor_id": shop.staff.user_id, "reason": "A cheque", "now": LATER}
    shop.sandbox.fault("503", path="/cancel$", method="POST", times=3)
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_[^/]+$", method="GET", times=3)
    with pytest.raises(operations.GatewayError):
        operations.stop_waiting(**give_up)
    assert PaymentAttempt.objects.get().state == "action_required"
    assert PaymentIntent.objects.get().state == "open"
    shop.sandbox.clear_faults()
    operations.stop_waiting(**give_up)
    assert PaymentIntent.objects.get().state == "canceled"
    shop.add_card("pm_card_mastercard", default=True)
    assert staff_retry(shop, invoice, LATER + timedelta(days=2)).paid
    assert list(PaymentIntent.objects.order_by("generation").values_list("generation", "state")) == [
        (1, "canceled"),
        (2, "succeeded"),
    ]
    assert_paid_once(shop)


def test_a_question_that_stripe_refuses_leaves_the_outcome_in_doubt(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money moved, the answer was lost, and asking says 404 (another account's key): it stays in doubt."""
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path="/confirm$", method="POST", times=3)
    refuse = gateway.OurMistake("No such payment_intent (resource_missing)")

    def missing(self: Any, *, reference: str) -> Any:
        raise refuse

    kind = type(gateway.gateway())
    with monkeypatch.context() as patched:
        patched.setattr(kind, "fetch_intent", missing)
        done = operations.collect_due(now=ISSUED)
        assert done.stopped
        for minutes in (20, 40):
            operations.sweep_attempts(now=ISSUED + timedelta(minutes=minutes))
        attempt = PaymentAttempt.objects.get()
        assert attempt.state == "submitted", "it may have been paid, so it is not over"
        assert "could not be asked" in attempt.problem
        with pytest.raises(operations.PaymentInProgress):
            staff_retry(shop, invoice)
        (alert,) = StaffAlert.objects.all()
        assert (alert.kind, alert.times) == ("our_mistake", 3)
    operations.sweep_attempts(now=LATER)
    assert_paid_once(shop)
    alert.refresh_from_db()
    assert alert.settled_at == LATER
    invoice.refresh_from_db()
    assert invoice.status == "paid"
