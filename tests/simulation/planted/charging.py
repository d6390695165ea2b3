"""Bugs of charging."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest import mock

from tests.simulation.planted.bugs import bug, ddl, put


@bug("an attempt is not saved as submitted before the card is charged", "one charge an attempt")
def not_saved_before_confirm(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt

    put(stack, _attempt, "_submit", lambda work, view, now: True)


@bug(
    "after no answer the card is charged again under a fresh key, nobody asks first", "one charge an attempt"
)
def charged_again_under_a_fresh_key(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt
    from callbill.gateways.stripe.gateway import StripeGateway

    plain_drive, plain_confirm = _attempt._drive, StripeGateway.confirm

    def drive(attempt_id: Any, now: Any, resumed: bool) -> None:
        work = _attempt._read(attempt_id)
        if work.state != "submitted":
            plain_drive(attempt_id, now, resumed)
            return
        view = mock.Mock(reference=work.intent)
        with mock.patch.object(
            StripeGateway,
            "confirm",
            lambda self, *, reference, card, key: plain_confirm(
                self, reference=reference, card=card, key=f"{key}:{now}"
            ),
        ):
            _attempt._confirm(work, view, now)

    put(stack, _attempt, "_drive", drive)


@bug("a payment is made again where it should be looked for, under a key that Stripe forgot", "one payment")
def made_again_under_an_old_key(stack: ExitStack) -> None:
    from callbill.gateways.stripe.gateway import StripeGateway

    put(stack, StripeGateway, "find_intent", lambda self, *, customer, intent_id: None)


@bug(
    "each attempt makes a payment of its own, and no index or lock keeps a second one away",
    *("paid once", "one live attempt", "no mistake of ours", "money at Stripe = ledger"),
)
def two_attempts_at_once(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt, _preparing
    from callbill.domain.payments.models import PaymentIntent

    ddl(
        stack,
        "DROP INDEX one_live_attempt_an_invoice",
        "DROP INDEX one_open_intent_an_invoice",
    )

    def open_intent(invoice: Any, amount: Any, now: Any) -> PaymentIntent:
        made = PaymentIntent.objects.filter(invoice=invoice).count()
        return PaymentIntent.objects.create(
            invoice=invoice,
            amount_minor=amount.minor,
            currency=invoice.currency,
            description=f"Invoice {invoice.number}",
            generation=made + 1,
            created_at=now,
        )

    put(stack, _preparing, "open_intent", open_intent)
    put(stack, _attempt._plan, "live_attempt", lambda invoice_id: None)


@bug("what an answer says is posted each time it is heard", "no mistake of ours", "ledger = invoices")
def applied_each_time(stack: ExitStack) -> None:
    from callbill.domain.payments import _apply
    from callbill.domain.payments.operations import _events

    plain, plain_locked = _apply.apply, _apply.locked

    def locked(attempt_id: Any) -> Any:
        invoice, attempt = plain_locked(attempt_id)
        if attempt.state == "succeeded":
            attempt.state = "submitted"
        return invoice, attempt

    def apply(*, attempt_id: Any, view: Any, now: Any, refusal: Any = None) -> Any:
        record = _apply.invoicing.record_payment

        def under_another_key(*, reference: str, **given: Any) -> Any:
            return record(reference=f"{reference}:{now}", **given)

        with (
            mock.patch.object(_apply, "locked", locked),
            mock.patch.object(_apply.invoicing, "record_payment", under_another_key),
        ):
            return plain(attempt_id=attempt_id, view=view, now=now, refusal=refusal)

    put(stack, _events, "apply", apply)


@bug("a message of Stripe is believed as it was sent, and makes a paid invoice past due", "states")
def message_believed(stack: ExitStack) -> None:
    from callbill.domain.invoicing.models import Invoice
    from callbill.domain.payments.operations import _events

    def believed(reference: str, now: Any) -> None:
        owed = Invoice.objects.filter(payment_intents__reference=reference)
        owed.update(status="past_due", past_due_at=now)

    stack.enter_context(mock.patch.dict(_events._HANDLERS, {"payment_intent.payment_failed": believed}))


@bug("attempts whose worker died are not swept up", "nothing stuck", "money at Stripe = ledger")
def not_swept(stack: ExitStack) -> None:
    from callbill.domain.payments.operations import Collected
    from callbill.jobs import work

    put(stack, work.payments, "sweep_attempts", lambda **given: Collected())


@bug("a Stripe that does not answer makes the customer past due", "past due for a reason")
def past_due_by_our_fault(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt
    from callbill.domain.payments.models import PaymentAttempt

    plain = _attempt._look_again

    def look_again(attempt_id: Any, now: Any, problem: str) -> None:
        plain(attempt_id, now, problem)
        attempt = PaymentAttempt.objects.get(id=attempt_id)
        _attempt.invoicing_fall_past_due(invoice_id=attempt.invoice_id, now=now)

    from callbill.domain.invoicing.operations import fall_past_due

    _attempt.invoicing_fall_past_due = fall_past_due  # type: ignore[attr-defined]
    put(stack, _attempt, "_look_again", look_again)


@bug(
    "what is owed changed, and the payment at Stripe keeps its old amount",
    *("no mistake of ours", "money at Stripe", "money at Stripe = ledger", "paid once", "nothing stuck"),
)
def old_amount_charged(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt

    put(stack, _attempt, "_other_amount", lambda work, view, now: (work, view))


@bug("a run charges only what was just issued, so that a crash in between loses a charge", "no lost charge")
def forgotten_after_a_crash(stack: ExitStack) -> None:
    from callbill.domain.invoicing.models import Invoice
    from callbill.domain.payments.operations import _collecting

    plain = _collecting._due

    def due(now: Any) -> Any:
        fresh = set(Invoice.objects.filter(issued_at__gte=now).values_list("id", flat=True))
        return [job for job in plain(now) if job.trigger != "issue" or job.invoice_id in fresh]

    put(stack, _collecting, "_due", due)


@bug("Stripe is told of yen in hundredths, which they do not have", "money at Stripe", "paid once")
def yen_in_hundredths(stack: ExitStack) -> None:
    from callbill.gateways.stripe import _views

    put(stack, _views, "_TWO_DECIMALS_AT_STRIPE", {*_views._TWO_DECIMALS_AT_STRIPE, "JPY"})
