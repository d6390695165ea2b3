"""Stripe's objects of the books, as plain dicts, in our words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from callbill.domain.payments.gateway import (
    ChargebackMove,
    ChargebackStatus,
    ChargebackView,
    ChargeView,
    EventView,
    FraudWarningView,
    OurMistake,
    PayoutView,
    TransactionView,
)
from callbill.gateways.stripe._views import from_stripe, id_of
from callbill.rules.money import Money

# docs.stripe.com/api/disputes/object#dispute_object-status; "prevented" never took any money.
_CHARGEBACK = {
    "warning_needs_response": ChargebackStatus.INQUIRY,
    "warning_under_review": ChargebackStatus.INQUIRY,
    "warning_closed": ChargebackStatus.INQUIRY_CLOSED,
    "prevented": ChargebackStatus.INQUIRY_CLOSED,
    "needs_response": ChargebackStatus.OPEN,
    "under_review": ChargebackStatus.OPEN,
    "won": ChargebackStatus.WON,
    "lost": ChargebackStatus.LOST,
}


def chargeback_view(dispute: dict[str, Any]) -> ChargebackView:
    """A Dispute, with its balance transactions."""
    currency = dispute["currency"].upper()
    amount = from_stripe(dispute["amount"], currency)
    due = (dispute.get("evidence_details") or {}).get("due_by")
    return ChargebackView(
        reference=dispute["id"],
        charge=id_of(dispute["charge"]),
        status=_chargeback_status(dispute),
        reason=dispute.get("reason") or "",
        amount=amount,
        moves=tuple(_move(row, amount) for row in dispute.get("balance_transactions") or ()),
        evidence_due_at=_moment(due) if due else None,
        opened_at=_moment(dispute["created"]),
    )


def _chargeback_status(dispute: dict[str, Any]) -> ChargebackStatus:
    try:
        return _CHARGEBACK[dispute["status"]]
    except KeyError:
        raise OurMistake(
            f"Stripe says “{dispute['status']}” of dispute {dispute['id']}, which Callbill does not know. "
            "Answer it at Stripe, and update Callbill."
        ) from None


def _move(row: dict[str, Any], disputed: Money) -> ChargebackMove:
    """What the bank took (positive) or gave back. Paid out in another currency, it is all of the dispute."""
    taken = -from_stripe(row["amount"], row["currency"])
    if taken.currency != disputed.currency:
        taken = disputed if taken.minor > 0 else -disputed
    return ChargebackMove(row["id"], taken)


def warning_view(warning: dict[str, Any]) -> FraudWarningView:
    """An early fraud warning."""
    return FraudWarningView(
        reference=warning["id"],
        charge=id_of(warning["charge"]),
        kind=warning.get("fraud_type") or "",
        warned_at=_moment(warning["created"]),
    )


def charge_view(charge: dict[str, Any]) -> ChargeView:
    """A Charge; it carries the metadata of its PaymentIntent."""
    ours = charge.get("metadata") or {}
    return ChargeView(
        reference=charge["id"],
        intent=id_of(charge.get("payment_intent")),
        intent_id=ours.get("intent", ""),
        environment=ours.get("environment", ""),
        invoice_id=ours.get("invoice", ""),
        customer=id_of(charge.get("customer")),
        succeeded=charge["status"] == "succeeded",
        amount=from_stripe(charge["amount"], charge["currency"]),
        refunded=from_stripe(charge.get("amount_refunded") or 0, charge["currency"]),
        transaction=id_of(charge.get("balance_transaction")),
        created_at=_moment(charge["created"]),
    )


def transaction_view(row: dict[str, Any]) -> TransactionView:
    """A BalanceTransaction; its currency is the one we are paid out in."""
    currency = row["currency"]
    return TransactionView(
        reference=row["id"],
        kind=row["reporting_category"],
        source=id_of(row.get("source")),
        amount=from_stripe(row["amount"], currency),
        fee=from_stripe(row["fee"], currency),
        net=from_stripe(row["net"], currency),
        created_at=_moment(row["created"]),
    )


def payout_view(payout: dict[str, Any]) -> PayoutView:
    """A Payout."""
    arrives = payout.get("arrival_date")
    return PayoutView(
        reference=payout["id"],
        status=payout["status"],
        amount=from_stripe(payout["amount"], payout["currency"]),
        automatic=bool(payout.get("automatic")),
        created_at=_moment(payout["created"]),
        arrives_at=_moment(arrives) if arrives else None,
    )


def balance_view(balance: dict[str, Any]) -> tuple[Money, ...]:
    """A Balance: what is available and what is pending, summed by currency."""
    sums: dict[str, int] = {}
    for row in (*balance["available"], *balance["pending"]):
        amount = from_stripe(row["amount"], row["currency"])
        sums[amount.currency] = sums.get(amount.currency, 0) + amount.minor
    return tuple(Money(minor, currency) for currency, minor in sorted(sums.items()))


def event_view(event: dict[str, Any]) -> EventView:
    """An Event: only what it is about."""
    return EventView(event["id"], event["type"], event["data"]["object"].get("id") or "")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
