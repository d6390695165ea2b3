"""What the other side tells, as plain values in our words; the verbs are in `gateway` and `gateway_facts`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from callbill.rules.money import Money


class IntentStatus(StrEnum):
    """Where the other side stands with a payment or a card set-up."""

    WAITING = "waiting"  # nothing is under way; a card may be charged
    ACTION_REQUIRED = "action_required"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class RefusalCodes:
    """Why a charge was refused, as codes; `rules.refusal` has the words. Network codes are for staff."""

    code: str = ""
    decline_code: str = ""
    advice_code: str = ""
    network_decline_code: str = ""


@dataclass(frozen=True, slots=True)
class CardView:
    """A saved card: what may be shown of it, and the other side's reference."""

    reference: str
    customer: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class CardSetupView:
    """A card form that was opened. `card` is there once it succeeded; `setup_id` is our id for it."""

    reference: str
    status: IntentStatus
    client_secret: str = field(repr=False)
    setup_id: str
    card: CardView | None
    environment: str = ""  # of the installation that made it, as its metadata says


@dataclass(frozen=True, slots=True)
class IntentView:
    """A payment as the other side sees it now. `intent_id` is our id for it (empty: not one of ours)."""

    reference: str
    status: IntentStatus
    amount: Money
    received: Money
    latest_charge: str
    refusal: RefusalCodes | None
    intent_id: str
    client_secret: str = field(default="", repr=False)
    card: str = ""  # the saved card it was tried with last; of one that succeeded, the card that paid
    environment: str = ""  # of the installation that made it, as its metadata says
    refused_card: str = ""  # the saved card that `refusal` is about


class RefundStatus(StrEnum):
    """Where a refund stands. One that succeeded can still fail: the card's bank sent it back."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RefundView:
    """A refund as the other side sees it now. `refund_id` is our id for it (empty: not one of ours)."""

    reference: str
    status: RefundStatus
    amount: Money
    refund_id: str
    problem: str
    charge: str


@dataclass(frozen=True, slots=True)
class EventView:
    """A message of the other side whose signature was right: only what it is about is trusted."""

    event_id: str
    kind: str
    object_id: str


@dataclass(frozen=True, slots=True)
class PageSettings:
    """What the card page needs in a browser."""

    publishable_key: str
    script_url: str
