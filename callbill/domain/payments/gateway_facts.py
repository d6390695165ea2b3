"""The port's second half: money facts that the other side tells, and no verb that moves any.

Chargebacks and warnings of fraud are asked for one by one, after a message about them; charges, refunds,
transactions, payouts and messages are listed for reconciliation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from callbill.domain.payments.gateway_views import EventView, RefundView
from callbill.rules.money import Money


class ChargebackStatus(StrEnum):
    """Where a charge disputed at the bank stands."""

    INQUIRY = "inquiry"  # the bank asks; no money was taken
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    INQUIRY_CLOSED = "inquiry_closed"


@dataclass(frozen=True, slots=True)
class ChargebackMove:
    """The bank taking money for a dispute, or giving it back (negative); `transaction` names it."""

    transaction: str
    amount: Money


@dataclass(frozen=True, slots=True)
class ChargebackView:
    """A dispute as the other side sees it now, with all that moved for it, without fees."""

    reference: str
    charge: str
    status: ChargebackStatus
    reason: str
    amount: Money
    moves: tuple[ChargebackMove, ...]
    evidence_due_at: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class FraudWarningView:
    """A warning that a charge may be fraud; `kind` is the network's word for it."""

    reference: str
    charge: str
    kind: str
    warned_at: datetime


@dataclass(frozen=True, slots=True)
class ChargeView:
    """A charge. `intent_id` and `invoice_id` are our ids on it (empty: not one of ours)."""

    reference: str
    intent: str
    intent_id: str
    invoice_id: str
    customer: str
    succeeded: bool
    amount: Money
    refunded: Money
    transaction: str
    created_at: datetime
    environment: str = ""  # of the installation that made it, as its metadata says


@dataclass(frozen=True, slots=True)
class TransactionView:
    """A movement on our balance at the other side; `kind` is its reporting category."""

    reference: str
    kind: str
    source: str
    amount: Money
    fee: Money
    net: Money
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PayoutView:
    """Money sent to our bank; `status` is pending, in_transit, paid, failed or canceled."""

    reference: str
    status: str
    amount: Money
    automatic: bool
    created_at: datetime
    arrives_at: datetime | None


class GatewayFacts(Protocol):
    """What we ask about money. Any verb may raise OutcomeUnknown, TryLater, OurMistake, NotAccepted.

    Lists go back to `since` and are read page by page; their order is the other side's, newest first.
    """

    def fetch_chargeback(self, *, reference: str) -> ChargebackView:
        """A dispute as it is now."""

    def fetch_fraud_warning(self, *, reference: str) -> FraudWarningView:
        """A warning of fraud."""

    def fetch_charge(self, *, reference: str) -> ChargeView:
        """A charge as it is now."""

    def charges(self, *, since: datetime) -> Iterator[ChargeView]:
        """Every charge made since, failed ones too."""

    def charges_of(self, *, intent: str) -> Iterator[ChargeView]:
        """Every charge of one payment."""

    def refunds(self, *, since: datetime) -> Iterator[RefundView]:
        """Every refund made since."""

    def chargebacks(self, *, since: datetime) -> Iterator[ChargebackView]:
        """Every dispute opened since."""

    def transactions(self, *, since: datetime) -> Iterator[TransactionView]:
        """Every movement on our balance since."""

    def transactions_in(self, *, payout: str) -> Iterator[TransactionView]:
        """The movements that an automatic payout is made of, without its own."""

    def transactions_of(self, *, source: str) -> Iterator[TransactionView]:
        """The movements that a charge, refund, dispute or payout made."""

    def balance(self) -> tuple[Money, ...]:
        """What we have at the other side, available or pending, by currency."""

    def fetch_payout(self, *, reference: str) -> PayoutView:
        """A payout as it is now."""

    def payouts(self, *, since: datetime) -> Iterator[PayoutView]:
        """Every payout made since."""

    def events(self, *, since: datetime) -> Iterator[EventView]:
        """Every message of the last 30 days since, delivered to us or not."""
