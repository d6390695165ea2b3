"""Stripe's objects, as plain dicts, in our words; amounts between ours and Stripe's minor units."""

from __future__ import annotations

from typing import Any

from callbill.domain.payments.gateway import (
    CardSetupView,
    CardView,
    IntentStatus,
    IntentView,
    OurMistake,
    RefundStatus,
    RefundView,
    RefusalCodes,
)
from callbill.rules.money import Money

# Stripe writes these with two decimals although they have none (docs.stripe.com/currencies#special-cases).
_TWO_DECIMALS_AT_STRIPE = frozenset({"ISK", "UGX"})
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

_STATUS = {
    "requires_payment_method": IntentStatus.WAITING,
    "requires_confirmation": IntentStatus.WAITING,
    "requires_action": IntentStatus.ACTION_REQUIRED,
    "processing": IntentStatus.PROCESSING,
    "requires_capture": IntentStatus.PROCESSING,
    "succeeded": IntentStatus.SUCCEEDED,
    "canceled": IntentStatus.CANCELED,
}

_REFUND_STATUS = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}


def to_stripe(amount: Money) -> int:
    """The amount in Stripe's smallest units. Raises OurMistake for a sum that cards cannot pay exactly."""
    if amount.currency in _TWO_DECIMALS_AT_STRIPE:
        return amount.minor * 100
    if amount.currency in _THREE_DECIMALS and amount.minor % 10:
        raise OurMistake(f"{amount} cannot be charged to a card: its last decimal must be 0.")
    return amount.minor


def from_stripe(units: int, currency: str) -> Money:
    """Stripe's smallest units as an amount."""
    code = currency.upper()
    return Money(units // 100 if code in _TWO_DECIMALS_AT_STRIPE else units, code)


def intent_view(intent: dict[str, Any]) -> IntentView:
    """A PaymentIntent."""
    refused = intent.get("last_payment_error")
    return IntentView(
        reference=intent["id"],
        status=_STATUS[intent["status"]],
        amount=from_stripe(intent["amount"], intent["currency"]),
        received=from_stripe(intent.get("amount_received") or 0, intent["currency"]),
        latest_charge=id_of(intent.get("latest_charge")),
        refusal=codes_of(refused) if refused else None,
        intent_id=(intent.get("metadata") or {}).get("intent", ""),
        environment=(intent.get("metadata") or {}).get("environment", ""),
        client_secret=intent.get("client_secret") or "",
        card=id_of(intent.get("payment_method")),
        refused_card=id_of(refused.get("payment_method")) if refused else "",
    )


def card_view(method: dict[str, Any]) -> CardView:
    """A PaymentMethod of type card."""
    card = method["card"]
    return CardView(
        reference=method["id"],
        customer=id_of(method.get("customer")),
        brand=card["brand"],
        last4=card["last4"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
    )


def setup_view(setup: dict[str, Any]) -> CardSetupView:
    """A SetupIntent whose payment method was expanded."""
    method = setup.get("payment_method")
    status = _STATUS[setup["status"]]
    done = status is IntentStatus.SUCCEEDED and isinstance(method, dict)
    return CardSetupView(
        reference=setup["id"],
        status=status,
        client_secret=setup.get("client_secret") or "",
        setup_id=(setup.get("metadata") or {}).get("setup", ""),
        environment=(setup.get("metadata") or {}).get("environment", ""),
        card=card_view(method) if done and isinstance(method, dict) else None,
    )


def refund_view(refund: dict[str, Any]) -> RefundView:
    """A Refund."""
    return RefundView(
        reference=refund["id"],
        status=_REFUND_STATUS[refund["status"]],
        amount=from_stripe(refund["amount"], refund["currency"]),
        refund_id=(refund.get("metadata") or {}).get("refund", ""),
        problem=refund.get("failure_reason") or "",
        charge=id_of(refund.get("charge")),
    )


def codes_of(error: dict[str, Any]) -> RefusalCodes:
    """The codes of an error object: an answer's, or a payment's last error."""
    return RefusalCodes(
        code=error.get("code") or "",
        decline_code=error.get("decline_code") or "",
        advice_code=error.get("advice_code") or "",
        network_decline_code=error.get("network_decline_code") or "",
    )


def id_of(value: Any) -> str:
    """The id of something that may have been expanded."""
    if isinstance(value, dict):
        return str(value["id"])
    return value or ""
