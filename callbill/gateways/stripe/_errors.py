"""Stripe's errors in our words (docs.stripe.com/error-low-level)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import stripe

from callbill.domain.payments.gateway import (
    ChargedBack,
    Declined,
    GatewayError,
    MovedOn,
    NotAccepted,
    NotThere,
    OurMistake,
    OutcomeUnknown,
    TooSmall,
    TryLater,
)
from callbill.gateways.stripe._views import codes_of, intent_view

_BUSY = {"lock_timeout", "idempotency_key_in_use", "rate_limit"}


@contextmanager
def in_our_words() -> Iterator[None]:
    """Raise Stripe's errors as the port's."""
    try:
        yield
    except stripe.StripeError as error:
        raise _translated(error) from error


def _translated(error: stripe.StripeError) -> GatewayError:
    body = _body(error)
    code = str(body.get("code") or error.code or "")
    words = _words(error, code)
    if isinstance(error, stripe.CardError):
        intent = body.get("payment_intent")
        return Declined(codes_of(body), intent_view(intent) if isinstance(intent, dict) else None)
    if isinstance(error, stripe.RateLimitError) or error.http_status == 409 or code in _BUSY:
        return TryLater(words)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return NotAccepted(words)
    if code == "amount_too_small":
        return TooSmall(words)
    if code == "charge_disputed":
        return ChargedBack(words)
    if code == "resource_missing":
        return NotThere(words)
    if code == "payment_intent_unexpected_state":
        # Somebody else moved it on: it may have been paid. Whoever asked must look at it.
        return MovedOn(words)
    if isinstance(error, stripe.InvalidRequestError | stripe.IdempotencyError):
        return OurMistake(words)
    return OutcomeUnknown(words)


def _body(error: stripe.StripeError) -> dict[str, Any]:
    body = error.json_body
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _words(error: stripe.StripeError, code: str) -> str:
    """For staff: what Stripe said and the request to look up; never what we sent."""
    said = (error.user_message or type(error).__name__).split("\n", maxsplit=1)[0][:300]
    found = " ".join(filter(None, [code, error.request_id and f"request {error.request_id}"]))
    return f"{said} ({found})" if found else said
