"""Giving a payment up at the gateway, so that it can never be made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from callbill.domain.payments._alerts import lasts
from callbill.domain.payments._asking import asking
from callbill.domain.payments.gateway import IntentView, OutcomeUnknown, gateway
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt


class ToGiveUp(StrEnum):
    """Why people may give a payment up."""

    WAITS = "waits"  # for its cardholder
    IN_DOUBT = "in_doubt"  # its outcome is not known for more than an hour
    NOT_OVER = "not_over"  # it was given up, and that is not confirmed


def to_give_up(attempt: PaymentAttempt, now: datetime) -> ToGiveUp | None:
    """Why the attempt may be given up; None if it is over, or the machine may still be at it."""
    if attempt.state not in LIVE_STATES:
        return None
    if attempt.given_up_at:
        return ToGiveUp.NOT_OVER
    if attempt.state == PaymentAttempt.State.ACTION_REQUIRED:
        return ToGiveUp.WAITS
    return ToGiveUp.IN_DOUBT if lasts(attempt.created_at, now) else None


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
