"""The account's books: a balance transaction for everything that moves money, with Stripe's fee on it."""

from __future__ import annotations

from dataclasses import dataclass

from ..context import Context
from ..ids import new_id
from ..storage import Document

# 2.9 % and 30 minor units for a card, 15.00 for a dispute: Stripe's prices for cards in the United States. In
# other currencies the same numbers of minor units, which is the sandbox's own simplification.
FEE_PER_MILLE, FEE_FIXED = 29, 30
DISPUTE_FEE = 1500
DAY = 86400


@dataclass(frozen=True)
class Kind:
    """A kind of line: Stripe's `type` and `reporting_category`, and the days until the money is available."""

    type: str
    category: str
    days: int = 0
    fee: str = ""


CHARGE = Kind("charge", "charge", days=2, fee="Stripe processing fees")
REFUND = Kind("refund", "refund")
REFUND_FAILURE = Kind("refund_failure", "refund_failure")
DISPUTE = Kind("adjustment", "dispute", fee="Dispute fee")
DISPUTE_REVERSAL = Kind("adjustment", "dispute_reversal", fee="Dispute fee refund")
PAYOUT = Kind("payout", "payout")
PAYOUT_FAILURE = Kind("payout_failure", "payout_reversal")


def fee_of(amount: int) -> int:
    """Stripe's fee on `amount` minor units, halves up."""
    return (amount * FEE_PER_MILLE + 500) // 1000 + FEE_FIXED


def book(
    ctx: Context,
    source: Document,
    kind: Kind,
    amount: int,
    fee: int = 0,
    *,
    words: str | None = None,
    payout: str | None = None,
) -> Document:
    """Keep a balance transaction of `amount` and `fee` minor units for `source`, as part of `payout`.

    A card's money is available from midnight UTC two days later; everything else counts at once, so what
    goes out may be missing from the available balance before what came in is there, as at Stripe.
    """
    currency = source["currency"]
    ready = (ctx.now // DAY + kind.days) * DAY if kind.days else ctx.now
    line: Document = {
        "id": new_id("balance_transaction"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": ready,
        "balance_type": "payments",
        "created": ctx.now,
        "currency": currency,
        "description": words,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [_fee(kind.fee, fee, currency)] if fee else [],
        "net": amount - fee,
        "reporting_category": kind.category,
        "source": source["id"],
        "status": "pending" if kind.days else "available",
        "type": kind.type,
    }
    ctx.store.hold(line, payout)
    return line


def _fee(words: str, amount: int, currency: str) -> Document:
    return {
        "amount": amount,
        "application": None,
        "currency": currency,
        "description": words,
        "type": "stripe_fee",
    }
