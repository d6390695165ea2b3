"""Staff give a payment up: one that waits for its cardholder, or whose outcome is not known for too long."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _plan
from callbill.domain.payments._apply import ASK_SOON, apply, end, locked
from callbill.domain.payments._asking import CannotAsk
from callbill.domain.payments._refused import NothingDue, PaymentInProgress
from callbill.domain.payments._views import AttemptView, attempt_view
from callbill.domain.payments._withdrawing import cancel, to_give_up
from callbill.domain.payments.gateway import NotThere
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt, PaymentIntent
from callbill.lib.transactions import in_transaction, outside_transaction

_STATE = PaymentAttempt.State


@outside_transaction
def stop_waiting(
    *, invoice_id: UUID, actor_id: UUID, reason: str, now: datetime, nothing_charged: bool = False
) -> AttemptView:
    """Staff take back a payment that waits for its cardholder, or is in doubt for more than an hour.

    Stripe is asked to cancel it. Returns how it stands then: canceled, and tried again with the next billing
    cycle; paid or declined, if that is what came of it; or as before, if Stripe did not do it: then the
    sweeper asks again until it is over, as it does after GatewayError. Where Stripe does not know the payment
    it ends only by a person's word: `nothing_charged` says that they looked at Stripe, and is kept in the
    audit log. Raises NothingDue where there is no such payment, PaymentInProgress, ReasonMissing,
    GatewayError.
    """
    attempt = _to_give_up(invoice_id, actor_id, reason, now)
    if not attempt.intent.reference:
        _end_unmade(attempt.id, now)
        return _shown(attempt.id)
    try:
        view = cancel(reference=attempt.intent.reference, intent_id=attempt.intent_id)
    except CannotAsk as error:
        if not isinstance(error.__cause__, NotThere):
            raise
        if not nothing_charged:
            raise PaymentInProgress(
                f"Stripe does not know payment {attempt.intent.reference}. Look for it in every Stripe "
                "account of yours. If nothing was charged, give it up again and tick that you looked."
            ) from error
        _end_by_their_word(attempt.id, actor_id, reason, now)
    else:
        apply(attempt_id=attempt.id, view=view, now=now)
    return _shown(attempt.id)


@in_transaction
def _to_give_up(invoice_id: UUID, actor_id: UUID, reason: str, now: datetime) -> PaymentAttempt:
    # Locked, so that the attempt given up is the one whose payment is canceled.
    Invoice.objects.select_for_update().filter(id=invoice_id).first()
    live = PaymentAttempt.objects.filter(invoice_id=invoice_id, state__in=LIVE_STATES)
    attempt = live.select_related("intent", "invoice").first()
    if attempt is None:
        raise NothingDue("No payment of this invoice waits or is in doubt.")
    if to_give_up(attempt, now) is None:
        raise PaymentInProgress(
            "The payment is being made just now. It can be given up when it is not over within an hour."
        )
    invoicing.record_on_invoice(attempt.invoice, "stop_waiting", actor_id=actor_id, reason=reason, now=now)
    # Kept before Stripe is asked: whoever goes on with it after a crash or a lost answer cancels it, too.
    given_up = PaymentAttempt.objects.filter(id=attempt.id, given_up_at=None)
    given_up.update(given_up_at=now, lease_until=now + ASK_SOON)
    return attempt


@in_transaction
def _end_unmade(attempt_id: UUID, now: datetime) -> None:
    """No payment of ours is known at Stripe: whoever still makes one finds this over before money moves."""
    invoice, attempt = locked(attempt_id)
    if attempt.state != _STATE.PREPARED or attempt.intent.reference:
        raise PaymentInProgress("The payment went on meanwhile. Look again.")
    end(attempt, _STATE.CANCELED, now, "Staff gave it up before it was made at Stripe.")
    PaymentIntent.objects.filter(id=attempt.intent_id).update(state=PaymentIntent.State.CANCELED)
    _plan.after_cancel(invoice, attempt, now)


@in_transaction
def _end_by_their_word(attempt_id: UUID, actor_id: UUID, reason: str, now: datetime) -> None:
    invoice, attempt = locked(attempt_id)
    if attempt.state not in LIVE_STATES:
        return
    invoicing.record_on_invoice(invoice, "say_not_charged", actor_id=actor_id, reason=reason, now=now)
    end(attempt, _STATE.ERROR, now, "Stripe does not know the payment. Staff looked: nothing was charged.")
    PaymentIntent.objects.filter(id=attempt.intent_id).update(state=PaymentIntent.State.CANCELED)
    _plan.after_cancel(invoice, attempt, now)


def _shown(attempt_id: UUID) -> AttemptView:
    attempt = PaymentAttempt.objects.select_related("payment_method", "invoice").get(id=attempt_id)
    return attempt_view(attempt, staff=True)
