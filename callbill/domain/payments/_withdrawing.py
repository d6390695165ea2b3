"""Giving a payment up at the gateway, so that it can never be made."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from callbill.domain.payments._asking import asking
from callbill.domain.payments.gateway import IntentView, OutcomeUnknown, gateway
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt

# Until then the machine may still be at it; afterwards something is wrong that people may look at.
_IN_DOUBT_AFTER = timedelta(hours=1)


def is_in_doubt(attempt: PaymentAttempt, now: datetime) -> bool:
    """Whether its outcome is not known for so long that people may give it up."""
    waits = attempt.state == PaymentAttempt.State.ACTION_REQUIRED
    return attempt.state in LIVE_STATES and not waits and attempt.created_at <= now - _IN_DOUBT_AFTER


def cancel(*, reference: str, intent_id: UUID) -> IntentView:
    """Ask that the payment be canceled; returns how it stands then, which may be paid, or as before.

    Raises CannotAsk where it is not known whether it was paid, and the gateway's kinds.
    """
    with asking("paid"):
        try:
            # Its state guards it, so it may be asked twice; one key would repeat a stored 500 for a day.
            return gateway().cancel_intent(reference=reference, key=f"cancel:{intent_id}:{uuid4()}")
        except OutcomeUnknown:
            return gateway().fetch_intent(reference=reference)
