"""Giving a payment up at the gateway, so that it can never be made."""

from __future__ import annotations

from uuid import UUID, uuid4

from callbill.domain.payments._asking import asking
from callbill.domain.payments.gateway import IntentView, OutcomeUnknown, gateway


def cancel(*, reference: str, intent_id: UUID) -> IntentView:
    """Ask that the payment be canceled; returns how it stands then, which may be paid, or as before.

    Raises CannotAsk where it is not known whether it was paid, and the gateway's kinds.
    """
    try:
        # Its state guards it, so it may be asked twice; under one key a stored 500 would answer for a day.
        return gateway().cancel_intent(reference=reference, key=f"cancel:{intent_id}:{uuid4()}")
    except OutcomeUnknown:
        with asking("paid"):
            return gateway().fetch_intent(reference=reference)
