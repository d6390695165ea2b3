"""What a difference is, and every kind of it that there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from callbill.lib import formats
from callbill.rules.money import Money

Row = Mapping[str, Any]

# These are said so that figures can be understood; there is nothing wrong with them.
NOTES = frozenset({"other_customers", "other_movements", "clearing_named"})
# These stop collection for their payer.
INCIDENTS = frozenset({"two_charges", "charge_without_attempt"})
# Found in Stripe's lists; as long as they are open their objects are asked for by id. Others need no list.
LISTED = INCIDENTS | {
    *("charge_amount", "charge_without_entry", "attempt_without_charge", "entry_without_charge"),
    *("fee_missing", "refund_not_ours", "refund_amount", "refund_without_stripe", "chargeback_unknown"),
    "payout_sum",
}

# More than so many of a kind are one difference: they have one cause, and nobody reads them one by one.
MOST_OF_A_KIND = 200
FOLDED = "many"

# What should be impossible: to whom to say so, and with what.
REPORT = (
    "Report it to whoever looks after Callbill for you, with this text and what `callbill doctor` prints: it "
    "should be impossible."
)

TITLES = {
    "two_charges": "An invoice was charged twice",
    "charge_without_attempt": "A charge that nobody here made",
    "charge_amount": "A charge over another amount",
    "charge_without_entry": "A charge that is not in the books",
    "attempt_without_charge": "A payment of which Stripe knows nothing",
    "entry_without_charge": "Money in the books of which Stripe knows nothing",
    "fee_missing": "A fee is missing",
    "fee_amount": "A fee over another amount",
    "refund_not_ours": "A refund made at Stripe",
    "refund_amount": "A refund over another amount",
    "refund_without_stripe": "A refund of which Stripe knows nothing",
    "chargeback_unknown": "A dispute that is not followed",
    "other_currency": "Charges that Stripe exchanges",
    "movement_amount": "Another amount at Stripe than in the books",
    "payout_sum": "A payout that does not add up",
    "clearing": "Stripe clearing is not Stripe's balance",
    "clearing_named": "What the differences above come to",
    "books": "Invoices and books disagree",
    "other_customers": "Charges of another program",
    "other_movements": "Movements that Callbill does not make",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A difference as it was found.

    What it explains of the difference between Stripe clearing and Stripe's balance: the movements of
    `sources`, and `explains`. An incident stops collection once for each charge of `stops`.
    """

    kind: str
    about: str
    what: str
    what_to_do: str
    amount: Money | None = None
    payer_id: UUID | None = None
    sources: tuple[str, ...] = ()
    explains: tuple[Money, ...] = ()
    stops: tuple[str, ...] = ()
    invoice: str = ""
    objects: tuple[str, ...] = ()

    @property
    def asked_again(self) -> tuple[str, ...]:
        """The objects at Stripe that show whether it is still so, where the lists do not go back to it."""
        if self.kind not in LISTED or self.about == FOLDED:
            return ()
        return self.objects or (self.about,)

    @property
    def key(self) -> str:
        """What differs about which object."""
        return f"{self.kind}:{self.about}"[:160]


def money(row: Row, name: str = "amount") -> Money:
    """An amount of a row, in its currency."""
    return Money(int(row[name]), row["currency"])


def said(amount: Money) -> str:
    """An amount with its currency, as people read it."""
    return formats.money(amount, with_code=True)


def counted(number: int, thing: str) -> str:
    """A number of things in words."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def day(row: Row) -> str:
    """The day on which it was made, in UTC."""
    return formats.day_in(row["created_at"], "UTC")
