"""What an invoice is made of, and what it is made into."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.oracle.count import Counted
from tests.oracle.days import period_of_month

Span = tuple[date, date]


@dataclass(eq=False)
class Line:
    """One line; amounts in minor units. `taxes` is by name and percentage of the rate.

    `shares` of a discount are what it took of which line; `unit` and `calls` are those of a usage line;
    `price` is what was left at the contract's own prices, before a tax inside was taken out.
    """

    kind: str
    charge: str
    quantity: Fraction
    amount: int
    days: Span
    discount: int = 0
    taxes: dict[tuple[str, Fraction], int] = field(default_factory=dict)
    taxed_as: str | None = None
    taxable: bool = True
    unit: str | None = None
    price: int = 0
    calls: int | None = None
    shares: list[tuple[Line, int]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """What discounts left of it."""
        return self.amount + self.discount


@dataclass
class Section:
    """The part of one company."""

    counted: Counted
    lines: list[Line]


@dataclass
class World:
    """Everything an invoice is made of. `part` is the billed days, the whole period if not given.

    `companies` have calls and adjustments; histories say (day, quantity) by what is counted; `advance_for`
    are the (part, whole) that fees in advance are charged for; `once` the set-up fees due now. `closes` is
    False for a part that another version's part follows; what earlier parts came to is `earlier`.
    """

    contract: dict[str, Any]
    month: str
    part: Span | None
    companies: list[dict[str, Any]]
    calendars: dict[str, list[date]]
    histories: dict[str, list[tuple[date, Decimal]]]
    advance_for: list[tuple[Span, Span]] | None
    once: list[str]
    treatment: dict[str, Any] | None = None
    closes: bool = True

    @property
    def period(self) -> Span:
        """The whole billing period."""
        return period_of_month(self.month, self.contract.get("billing_day", 1))

    @property
    def billed(self) -> Span:
        """The days that are billed."""
        return self.part or self.period


def pools(charge: dict[str, Any], contract: dict[str, Any]) -> bool:
    """True if the charge is priced over all companies of an organization (M18)."""
    return bool(charge.get("pooled", False)) and contract.get("payer", "company") == "organization"
