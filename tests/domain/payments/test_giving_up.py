"""Staff take back a payment that waits or is in doubt: what it says is what is true at Stripe."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from callbill.domain.customers import operations as customers
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments._attempt import drive
from callbill.domain.payments._preparing import prepare
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt, PaymentIntent, StaffAlert
from callbill.domain.users.models import StaffAction
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop

LATER = ISSUED + timedelta(hours=2)


@pytest.fixture
def invoice(shop: Shop) -> Invoice:
    """January's; its payment waits for the cardholder."""
    shop.add_card(ALWAYS_3DS)
    made = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"action_required": 1}
    return made


def give_up(shop: Shop, invoice: Invoice, now: datetime = LATER, *, nothing_charged: bool = False) -> str:
    return operations.stop_waiting(
        invoice_id=invoice.id,
        actor_id=shop.staff.user_id,
        reason="A cheque comes",
        now=now,
        nothing_charged=nothing_charged,
    ).state


def test_a_500_is_not_done_and_the_next_try_asks_anew(shop: Shop, invoice: Invoice) -> None:
    """Stripe repeats a 500 under its key for a day: under one key nobody could give the payment up."""
    shop.sandbox.fault("500_before", path="/cancel$", method="POST")
    assert give_up(shop, invoice) == "action_required"
    assert give_up(shop, invoice) == "canceled"
    assert [there.status for there in shop.stripe.v1.payment_intents.list({}).data] == ["canceled"]


def test_an_answer_that_was_lost_is_asked_for(shop: Shop, invoice: Invoice) -> None:
    shop.sandbox.fault("500_after", path="/cancel$", method="POST")
    assert give_up(shop, invoice) == "canceled"


def test_the_cardholder_was_quicker(shop: Shop, invoice: Invoice) -> None:
    attempt = PaymentAttempt.objects.get()
    reference = str(attempt.intent.reference)
    there = shop.stripe.v1.payment_intents.confirm(
        reference, {"payment_method": attempt.payment_method.reference}
    )
    shop.sandbox.authenticate(reference, str(there.client_secret))
    assert give_up(shop, invoice) == "succeeded"
    invoice.refresh_from_db()
    assert invoice.status == "paid"


CONFIRM, FETCH = "/confirm$", "/v1/payment_intents/pi_[^/]+$"


@pytest.fixture
def doubtful(shop: Shop) -> Invoice:
    """January's; its confirm met a 500, which Stripe repeats under its key for a day."""
    shop.add_card()
    made = shop.bill()
    shop.sandbox.fault("500_before", path=CONFIRM, method="POST")
    operations.collect_due(now=ISSUED)
    assert PaymentAttempt.objects.get().state == "submitted"
    return made


def test_a_payment_in_doubt_is_given_up_once_stripe_says_canceled(shop: Shop, doubtful: Invoice) -> None:
    with pytest.raises(operations.PaymentInProgress, match="being made just now"):
        give_up(shop, doubtful, ISSUED + timedelta(minutes=59))
    assert queries.to_give_up(doubtful.id, now=ISSUED + timedelta(minutes=59)) is None
    assert queries.to_give_up(doubtful.id, now=LATER) == "in_doubt"
    assert StaffAction.objects.count() == 0
    shop.sandbox.fault("503", path="/cancel$", method="POST", times=3)
    assert give_up(shop, doubtful) == "submitted", "Stripe did not confirm it, so it blocks"
    assert give_up(shop, doubtful) == "canceled"
    assert StaffAction.objects.count() == 2
    assert operations.collect_due(now=LATER).attempts == {}, "staff wanted it given up, so not at once"
    assert operations.retry_now(
        invoice_id=doubtful.id, actor_id=shop.staff.user_id, reason="Again", now=LATER
    ).paid
    assert len(shop.charges(paid=True)) == 1


def test_what_was_paid_while_in_doubt_is_applied(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path=CONFIRM, method="POST", times=3)
    shop.sandbox.fault("503", path=FETCH, method="GET", times=9)
    operations.collect_due(now=ISSUED)
    shop.sandbox.clear_faults()
    assert give_up(shop, invoice) == "succeeded"
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_what_stripe_never_made_is_canceled_here(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("500_before", path="/v1/payment_intents$", method="POST")
    operations.collect_due(now=ISSUED)
    attempt = PaymentAttempt.objects.get()
    assert (attempt.state, attempt.intent.reference) == ("prepared", None)
    assert give_up(shop, invoice) == "canceled"
    drive(attempt_id=attempt.id, now=LATER, resumed=True)
    assert shop.charges() == []
    assert operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="Again", now=LATER
    ).paid
    assert [each.state for each in PaymentIntent.objects.order_by("generation")] == ["canceled", "succeeded"]


def test_what_was_prepared_and_never_submitted_is_canceled_at_stripe(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    attempt = prepare(invoice_id=invoice.id, trigger="staff", now=ISSUED)
    made = shop.stripe.v1.payment_intents.create({"amount": 135_00, "currency": "usd"})
    PaymentIntent.objects.update(reference=made.id)
    assert give_up(shop, invoice) == "canceled"
    attempt.refresh_from_db()
    assert attempt.state == "canceled"
    assert shop.stripe.v1.payment_intents.retrieve(made.id).status == "canceled"


def test_what_stripe_does_not_know_ends_only_by_a_persons_word(shop: Shop, doubtful: Invoice) -> None:
    """Another account's key: nobody but a person can see whether it was charged."""

    def missing(self: Any, **given: Any) -> Any:
        raise gateway.NotThere("No such payment_intent (resource_missing)")

    kind = type(gateway.gateway())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kind, "fetch_intent", missing)
        patched.setattr(kind, "cancel_intent", missing)
        operations.sweep_attempts(now=LATER)
        with pytest.raises(operations.PaymentInProgress, match="tick that you looked"):
            give_up(shop, doubtful)
        assert PaymentAttempt.objects.get().state == "submitted"
        assert give_up(shop, doubtful, nothing_charged=True) == "error"
    assert [action.action for action in StaffAction.objects.order_by("at")][-1] == "say_not_charged"
    assert StaffAlert.objects.get().settled_at == LATER
    assert PaymentIntent.objects.get().state == "canceled"
    next_try = CollectionPlan.objects.get().next_attempt_at
    assert next_try is not None
    assert next_try > LATER + timedelta(days=7)


def test_a_refused_key_is_no_persons_word(shop: Shop, doubtful: Invoice) -> None:
    def refused(self: Any, **given: Any) -> Any:
        raise gateway.NotAccepted("Invalid key")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(gateway.gateway()), "cancel_intent", refused)
        with pytest.raises(operations.NotAccepted):
            give_up(shop, doubtful, nothing_charged=True)
    assert PaymentAttempt.objects.get().state == "submitted"


def test_the_wish_outlives_whoever_asked(shop: Shop, doubtful: Invoice) -> None:
    """Found by the kill table: canceled at Stripe, dead before that was kept here, charged again at once."""
    shop.sandbox.fault("reset_after", path="/cancel$", method="POST", times=3)
    shop.sandbox.fault("503", path=FETCH, method="GET", times=3)
    with pytest.raises(operations.GatewayError):
        give_up(shop, doubtful)
    shop.sandbox.clear_faults()
    soon = LATER + timedelta(minutes=3)
    operations.sweep_attempts(now=soon)
    assert PaymentAttempt.objects.get().state == "canceled"
    next_try = CollectionPlan.objects.get().next_attempt_at
    assert next_try is not None
    assert next_try > LATER + timedelta(days=7)
    assert operations.collect_due(now=soon).attempts == {}


@pytest.mark.parametrize("state", ["submitted", "action_required", "prepared"])
def test_what_stripe_did_not_cancel_the_sweeper_cancels(shop: Shop, state: str) -> None:
    shop.add_card(ALWAYS_3DS if state == "action_required" else "pm_card_visa")
    invoice = shop.bill()
    path = "/v1/payment_intents$" if state == "prepared" else CONFIRM
    if state != "action_required":
        shop.sandbox.fault("reset_before", path=path, method="POST", times=3)
        shop.sandbox.fault("503", path=FETCH, method="GET", times=3)
    operations.collect_due(now=ISSUED)
    shop.sandbox.clear_faults()
    attempt = PaymentAttempt.objects.get()
    assert attempt.state == state
    PaymentAttempt.objects.filter(id=attempt.id).update(given_up_at=LATER, lease_until=LATER)
    operations.sweep_attempts(now=LATER)
    attempt.refresh_from_db()
    assert attempt.state == "canceled"
    operations.collect_due(now=LATER)
    assert [charge for charge in shop.charges() if charge.paid] == []
    assert PaymentAttempt.objects.count() == 1
    assert operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="Again", now=LATER
    ).state in ("succeeded", "action_required")


def test_the_page_says_that_it_is_given_up(shop: Shop, doubtful: Invoice) -> None:
    shop.sandbox.fault("503", path="/cancel$", method="POST", times=3)
    assert give_up(shop, doubtful) == "submitted"
    (attempt,) = queries.attempts(shop.admin, doubtful.id)
    assert attempt.what_happened.startswith("We gave this payment up; it ends")
    assert give_up(shop, doubtful) == "canceled"
    (attempt,) = queries.attempts(shop.admin, doubtful.id)
    assert attempt.what_happened == "We gave this payment up; nothing was charged."


def test_what_is_given_up_is_not_confirmed_any_more(shop: Shop, invoice: Invoice) -> None:
    path = queries.confirmation_path(shop.admin, invoice.id, now=LATER)
    assert path
    shop.sandbox.fault("500_before", path="/cancel$", method="POST")
    assert give_up(shop, invoice) == "action_required"
    assert not queries.confirmation_path(shop.admin, invoice.id, now=LATER)
    payment, form = operations.open_confirmation(token=path.split("/")[-2], now=LATER)
    assert (payment.headline, form) == ("Not now", None)


def test_what_is_given_up_is_not_charged_to_another_card_meanwhile(shop: Shop, invoice: Invoice) -> None:
    customers.set_pay_on_new_card(viewer=shop.admin, payer_id=shop.payer.id, choice=True)
    shop.sandbox.fault("500_before", path="/cancel$", method="POST")
    assert give_up(shop, invoice) == "action_required"
    shop.add_card(default=True)
    assert not queries.can_pay_now(invoice.id)
    with pytest.raises(operations.PaymentInProgress, match="was given up, and Stripe has not confirmed"):
        operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    assert operations.charge_new_cards(now=LATER).attempts == {}
    assert shop.charges(paid=True) == []
    operations.sweep_attempts(now=LATER + timedelta(minutes=3))
    assert PaymentAttempt.objects.get().state == "canceled", "it is asked again soon, not in an hour"
    # What the customer wants of the new card is not what staff gave up.
    after = LATER + timedelta(minutes=4)
    assert operations.charge_new_cards(now=after).attempts == {"succeeded": 1}


def test_a_mistake_of_ours_does_not_undo_the_wish(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    attempt = prepare(invoice_id=invoice.id, trigger="issue", now=ISSUED)
    PaymentAttempt.objects.filter(id=attempt.id).update(given_up_at=LATER, lease_until=LATER)

    def wrong(self: Any, **given: Any) -> Any:
        raise gateway.OurMistake("A wrong request")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(gateway.gateway()), "find_intent", wrong)
        operations.sweep_attempts(now=LATER)
    assert PaymentAttempt.objects.get().state == "error"
    next_try = CollectionPlan.objects.get().next_attempt_at
    assert next_try is not None
    assert next_try > LATER + timedelta(days=7)


def test_staff_are_told_of_a_payment_in_doubt_until_it_is_known(shop: Shop, doubtful: Invoice) -> None:
    soon, later = ISSUED + timedelta(minutes=50), LATER + timedelta(minutes=5)
    operations.sweep_attempts(now=soon)
    assert queries.open_matters(shop.staff) == []
    operations.sweep_attempts(now=LATER)
    (matter,) = queries.open_matters(shop.staff)
    assert matter.kind == "payment_in_doubt"
    assert matter.message.startswith(f"Invoice {doubtful.number}: for more than an hour Stripe has not said")
    shop.sandbox.advance(25 * 3600)
    operations.sweep_attempts(now=later)
    doubtful.refresh_from_db()
    assert doubtful.status == "paid"
    assert queries.open_matters(shop.staff) == []
