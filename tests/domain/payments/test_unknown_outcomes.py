"""No answer is not an answer: whatever the network does, there is one charge, one payment, one message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callbill.domain.invoicing.queries import books_differences
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments.models import PaymentAttempt, PaymentIntent, Receipt, StaffAlert
from callbill.gateways.stripe import _client
from tests.domain import world
from tests.domain.payments.shop import DECLINES, ISSUED, VISA, Shop

CONFIRM = "/confirm$"
CREATE = "/v1/payment_intents$"


def recover(shop: Shop, *, hours: int = 1) -> None:
    """What the worker does by itself: sweep and collect, again and again."""
    for minutes in (0, 20, 40):
        now = ISSUED + timedelta(hours=hours, minutes=minutes)
        operations.sweep_attempts(now=now)
        operations.collect_due(now=now)


def assert_paid_once(shop: Shop) -> None:
    assert len(shop.charges(paid=True)) == 1
    assert Entry.objects.filter(kind="payment").count() == 1
    assert Receipt.objects.count() == 1
    assert len(shop.told("payment_received")) == 1
    assert not shop.told("payment_failed")
    assert PaymentAttempt.objects.filter(state="succeeded").count() == 1
    assert books_differences() == []


@pytest.mark.parametrize("path", [CREATE, CONFIRM])
@pytest.mark.parametrize(
    "action",
    [
        "reset_before",
        "reset_after",
        "reset_mid_body",
        "500_after",
        "503",
        "html",
        "429",
        "lock_timeout",
        "409",
    ],
)
def test_a_fault_that_outlasts_the_sdk_s_own_retries(shop: Shop, action: str, path: str) -> None:
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault(action, path=path, method="POST", times=3)
    operations.collect_due(now=ISSUED)
    invoice.refresh_from_db()
    assert invoice.status in ("open", "paid")
    recover(shop)
    # A 500 is what Stripe repeats for a key for a day; nothing is lost, only late.
    shop.sandbox.advance(25 * 3600)
    recover(shop, hours=25)
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert_paid_once(shop)
    # Those that 429 kept in doubt for more than an hour were told to staff, until they were known.
    assert set(StaffAlert.objects.values_list("kind", flat=True)) <= {"payment_in_doubt"}
    assert not StaffAlert.objects.filter(settled_at=None).exists()


@pytest.mark.parametrize("path", [CREATE, CONFIRM])
def test_a_timeout_after_it_was_done(shop: Shop, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(_client, "NETWORK_RETRIES", 0)
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("timeout_after", path=path, method="POST", times=1)
    operations.collect_due(now=ISSUED)
    recover(shop)
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert_paid_once(shop)


def test_while_the_outcome_is_unknown_nobody_may_try_again(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("reset_mid_body", path=CONFIRM, method="POST")
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
    operations.collect_due(now=ISSUED)
    attempt = shop.attempt(invoice)
    assert attempt.state == "submitted"
    assert attempt.problem
    assert "waiting for the bank's answer" in queries.what_happens_next(invoice.id)
    assert not queries.can_pay_now(invoice.id)
    with pytest.raises(operations.PaymentInProgress, match="payment in progress"):
        operations.retry_now(
            invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="customer called", now=ISSUED
        )
    with pytest.raises(operations.PaymentInProgress):
        operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    shop.sandbox.clear_faults()
    recover(shop)
    assert_paid_once(shop)


def test_a_decline_whose_answer_was_lost_is_told_once(shop: Shop) -> None:
    shop.add_card(DECLINES)
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path=CONFIRM, method="POST", times=3)
    operations.collect_due(now=ISSUED)
    recover(shop)
    invoice.refresh_from_db()
    assert invoice.status == "past_due"
    assert len(shop.told("payment_failed")) == 1
    assert len(shop.charges()) == 1
    assert PaymentAttempt.objects.count() == 1


def test_a_refused_key_stops_the_run_alerts_staff_and_hurts_no_customer(shop: Shop, settings: Any) -> None:
    shop.add_card()
    invoice = shop.bill()
    settings.STRIPE_SECRET_KEY = "sk_nonsense"
    gateway._made.cache_clear()
    done = operations.collect_due(now=ISSUED)
    assert done.stopped
    assert done.problems
    after_due = ISSUED + timedelta(days=60)
    assert operations.collect_due(now=after_due).past_due == 0
    invoice.refresh_from_db()
    assert invoice.status == "open"
    assert not shop.told("payment_failed") + shop.told("past_due")
    (matter,) = queries.open_matters(shop.staff)
    assert matter.kind == "gateway_key"
    assert queries.open_matters(shop.admin) == []
    # Mended: the same attempt goes on, and the matter is settled.
    settings.STRIPE_SECRET_KEY = shop.sandbox.secret_key
    gateway._made.cache_clear()
    operations.sweep_attempts(now=after_due)
    assert_paid_once(shop)
    assert PaymentAttempt.objects.count() == 1
    assert queries.open_matters(shop.staff) == []


def test_our_own_bad_request_is_an_error_and_never_a_decline(shop: Shop) -> None:
    card = shop.add_card()
    invoice = shop.bill()
    # Somebody detached the card at Stripe: what we ask for is impossible.
    shop.stripe.v1.payment_methods.detach(card.reference)
    done = operations.collect_due(now=ISSUED)
    assert done.stopped
    invoice.refresh_from_db()
    attempt = shop.attempt(invoice)
    assert (invoice.status, attempt.state) == ("open", "error")
    assert attempt.problem
    assert not shop.told("payment_failed")
    assert queries.open_matters(shop.staff)[0].kind == "our_mistake"
    assert "the fault is ours" in queries.what_happens_next(invoice.id)
    (shown,) = queries.attempts(shop.admin, invoice.id)
    assert shown.staff_problem == ""
    # With a card that works, the next try comes a day later by itself, on the same payment.
    shop.add_card(VISA, default=True)
    assert operations.collect_due(now=ISSUED + timedelta(hours=2)).attempts == {}
    assert operations.collect_due(now=ISSUED + timedelta(hours=25)).attempts == {"succeeded": 1}
    assert PaymentIntent.objects.count() == 1
    assert_paid_once(shop)


def test_a_payment_canceled_at_stripe_is_replaced_by_a_new_one(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    first = PaymentIntent.objects.get()
    shop.stripe.v1.payment_intents.cancel(str(first.reference))
    shown = operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    assert shown.state == "canceled"
    operations.collect_due(now=ISSUED + timedelta(hours=1))
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert list(PaymentIntent.objects.order_by("generation").values_list("generation", "state")) == [
        (1, "canceled"),
        (2, "succeeded"),
    ]
    assert len(shop.charges(paid=True)) == 1


def test_a_silent_stripe_does_not_hold_up_the_minute(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question may take a minute, so after three in a row the others wait for the next."""
    shop.add_card()
    for month in range(1, 6):
        shop.bill(month=month)
    shop.sandbox.fault("503", path="/confirm$", method="POST", times=100)
    operations.collect_due(now=world.at("2026-06-01T12:00"))
    assert PaymentAttempt.objects.filter(state="submitted").count() == 5
    asked: list[str] = []

    def silent(self: Any, *, reference: str) -> Any:
        asked.append(reference)
        raise gateway.OutcomeUnknown("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(type(gateway.gateway()), "fetch_intent", silent)
        operations.sweep_attempts(now=world.at("2026-06-01T12:30"))
    assert len(asked) == 3
    shop.sandbox.clear_faults()
    operations.sweep_attempts(now=world.at("2026-06-01T13:00"))
    assert PaymentAttempt.objects.filter(state="succeeded").count() == 5
