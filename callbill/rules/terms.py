"""The terms of a contract version as frozen values.

Made by `rules.document` from a contract file, read by counting and rating. Field for field the image
of the contract file; decimals are `Decimal`, durations integer seconds, dates local dates of `time_zone`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Literal

Unit = Literal["call", "minute"]
Basis = Literal["talk", "handle"]
Anchor = Literal["started_at", "ended_at"]
TierMode = Literal["graduated", "volume"]

DEFAULT_DISPOSITIONS = ("answered",)
DEFAULT_EXCLUDED_FLAGS = ("spam", "test", "wrong_number", "internal")


@dataclass(frozen=True, slots=True)
class Increments:
    """Seconds round per call: `initial` first, then steps of `increment` (M13)."""

    initial: int = 1
    increment: int = 1


@dataclass(frozen=True, slots=True)
class FreeShortCalls:
    """The first `per_period` billable calls under `under_seconds` of talk are free (M12)."""

    under_seconds: int
    per_period: int


@dataclass(frozen=True, slots=True)
class Billable:
    """Which calls count at all (M12)."""

    dispositions: tuple[str, ...] = DEFAULT_DISPOSITIONS
    anchor: Anchor = "started_at"
    min_talk_seconds: int = 0
    exclude_flags: tuple[str, ...] = DEFAULT_EXCLUDED_FLAGS
    exclude_cap_percent: Decimal | None = None
    free_short_calls: FreeShortCalls | None = None
    test_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls a charge takes; empty means "any" (M14)."""

    direction: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()
    from_time: time | None = None
    until_time: time | None = None
    holidays: str | None = None

    @property
    def takes_everything(self) -> bool:
        """True when no key narrows the scope."""
        return self == Scope()


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a tiered price; `up_to` is inclusive, None is the open end (M15)."""

    up_to: Decimal | None
    rate: Decimal
    flat: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Package:
    """Started packages of `size` units at `rate` each (M15)."""

    size: int
    rate: Decimal


@dataclass(frozen=True, slots=True)
class UsageCharge:
    """A price for calls or minutes. Exactly one of rate, tiers and package is set."""

    id: str
    name: str
    unit: Unit
    rate: Decimal | None = None
    tiers: tuple[Tier, ...] = ()
    tier_mode: TierMode = "graduated"
    package: Package | None = None
    scope: Scope = field(default_factory=Scope)
    tax_code: str | None = None
    increments: Increments = field(default_factory=Increments)
    basis: Basis = "talk"
    connection_fee: Decimal | None = None
    round_each_call: int | None = None
    included: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    prorate: bool = False
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class QuantityOverTime:
    """A fee's quantity taken from a dated history: fixed, maximum, average, end (M16)."""

    by: Literal["fixed", "maximum", "average", "end"]
    of: str


@dataclass(frozen=True, slots=True)
class Fee:
    """A fixed amount, monthly or once (M16). `amount` is in major units per unit of quantity."""

    id: str
    name: str
    amount: Decimal
    every: Literal["month", "once"] = "month"
    when: Literal["advance", "arrears"] = "arrears"
    prorate: bool = False
    quantity: Decimal | QuantityOverTime = Decimal(1)
    tax_code: str | None = None


@dataclass(frozen=True, slots=True)
class MonthlyMinimum:
    """A true-up fills the counted charges to `amount` (M17); empty `counts` means all usage charges."""

    amount: Decimal
    counts: tuple[str, ...] = ()
    prorate: bool = False


@dataclass(frozen=True, slots=True)
class Discount:
    """Percent of, or amount off, the lines it applies to (M3); empty `applies_to`: all usage and fees."""

    name: str
    percent: Decimal | None = None
    amount: Decimal | None = None
    applies_to: tuple[str, ...] = ()
    from_date: date | None = None
    until_date: date | None = None


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax on the lines it applies to (M4); empty `applies_to` means every line."""

    name: str
    percent: Decimal
    applies_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tax:
    """How the contract's prices are taxed (M4, M5)."""

    behavior: Literal["exclusive", "inclusive"] = "exclusive"
    rates: tuple[TaxRate, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What is promised, and what is credited when it is missed (M22)."""

    availability_percent: Decimal
    credit_percent: Decimal
    cap_percent: Decimal


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything one contract version says."""

    currency: str
    time_zone: str
    effective_from: date
    payer: Literal["company", "organization"] = "company"
    billing_day: int = 1
    late_window_days: int = 90
    payment_terms_days: int = 14
    billable: Billable = field(default_factory=Billable)
    usage: tuple[UsageCharge, ...] = ()
    fees: tuple[Fee, ...] = ()
    minimum: MonthlyMinimum | None = None
    discounts: tuple[Discount, ...] = ()
    tax: Tax = field(default_factory=Tax)
    service_level: ServiceLevel | None = None
