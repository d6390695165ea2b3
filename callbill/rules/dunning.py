"""When an invoice that was not paid is tried again, and what is too small to be charged (M27, M28).

By default the next try is at the payer's next billing cycle, as the customer was promised. A seller may set
a ladder of days for tries in between. Automatic tries end after eight (docs.stripe.com: more are not
recommended); tries by people do not count. A hard decline is not tried again on the same card.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from callbill.rules.money import Money
from callbill.rules.period import local_day, period_containing
from callbill.rules.refusal import RefusalKind

MOST_AUTOMATIC_ATTEMPTS = 8
MOST_LADDER_STEPS = MOST_AUTOMATIC_ATTEMPTS - 1
LONGEST_LADDER_STEP = 30
_AFTER_A_PERSON = timedelta(days=1)

_SMALLEST_ELSEWHERE = 50
_SMALLEST = {
    # Minor units; docs.stripe.com/currencies#minimum-and-maximum-charge-amounts.
    "AED": 200, "BGN": 100, "CZK": 1500, "DKK": 250, "GBP": 30, "HKD": 400, "HUF": 17500, "MXN": 1000,
    "MYR": 200, "NOK": 300, "PLN": 200, "RON": 200, "SEK": 300, "THB": 1000,
}  # fmt: skip


class Stop(StrEnum):
    """Why an invoice is not simply tried at the planned time."""

    NO_CARD = "no_card"
    REPLACE_CARD = "replace_card"
    TOO_MANY = "too_many"
    TOO_SMALL = "too_small"
    OUR_MISTAKE = "our_mistake"
    ON_HOLD = "on_hold"
    STOPPED = "stopped"
    NEEDS_CONSENT = "needs_consent"


class Why(StrEnum):
    """Why an invoice is tried by itself at the planned time, where nothing stands in the way."""

    CYCLE = "cycle"
    LADDER = "ladder"
    AFTER_A_PERSON = "after_a_person"
    CHANGED = "changed"
    THE_REST = "the_rest"
    HOLD_LIFTED = "hold_lifted"
    STOP_LIFTED = "stop_lifted"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Plan:
    """When the invoice is looked at next by itself (None: never), why then, and what stands in the way."""

    next_attempt_at: datetime | None
    stopped_because: Stop | None = None
    why: Why | None = None


def smallest_charge(currency: str) -> Money:
    """The least amount that can be charged to a card in this currency: 0.50 USD, 0.30 GBP."""
    return Money(_SMALLEST.get(currency, _SMALLEST_ELSEWHERE), currency)


def can_be_charged(amount: Money) -> bool:
    """True if the amount is not too small for a card."""
    return amount >= smallest_charge(amount.currency)


def ladder_problem(days: Sequence[object]) -> str:
    """What is wrong with a retry ladder, in words; "" if nothing is.

    Whole days after a decline, each later than the one before, none after the longest billing month; no more
    than the automatic attempts that are left after the first.
    """
    if any(type(day) is not int or not 1 <= day <= LONGEST_LADDER_STEP for day in days):
        return f"must be whole days from 1 to {LONGEST_LADDER_STEP}, such as 3, 5"
    numbers = [day for day in days if isinstance(day, int)]
    if any(after <= before for before, after in pairwise(numbers)):
        return "must go up, each day later than the one before, such as 3, 5"
    if len(numbers) > MOST_LADDER_STEPS:
        return (
            f"can have at most {MOST_LADDER_STEPS} days: with the charge at issue that makes "
            f"{MOST_AUTOMATIC_ATTEMPTS} attempts, and more are never made by themselves"
        )
    return ""


def billing_day_of(first_day: date, end_day: date) -> int:
    """The anchor day behind a period: the day it ends on, or a later one that a short month cut off."""
    if end_day.day == monthrange(end_day.year, end_day.month)[1]:
        return max(first_day.day, end_day.day)
    return end_day.day


def next_cycle(first_day: date, end_day: date, zone: str, now: datetime) -> datetime:
    """When the billing cycle that runs at `now` ends, for a payer billed in periods like this one."""
    return period_containing(local_day(now, zone), billing_day_of(first_day, end_day), zone).end


def after_decline(
    *,
    kind: RefusalKind,
    automatic: bool,
    automatic_attempts: int,
    planned: datetime | None,
    ladder_days: Sequence[int],
    declined_at: datetime,
    cycle: datetime,
) -> Plan:
    """What happens after a declined attempt.

    `automatic` says whether this attempt was the machine's, `automatic_attempts` how many of its attempts
    were made so far (this one included), `planned` what was planned before, `cycle` the next billing cycle.
    `why` of the answer is None where it stays as planned, for the reason it was planned.
    What a person or a new card tries uses up no step of the ladder.
    """
    if automatic_attempts >= MOST_AUTOMATIC_ATTEMPTS:
        return Plan(None, Stop.TOO_MANY)
    if kind is RefusalKind.HARD:
        return Plan(cycle, Stop.REPLACE_CARD, Why.CYCLE)
    if not automatic and planned is not None:
        # Theirs takes nothing from what is planned; what was due and not made yet comes a day after it.
        if planned > declined_at:
            return Plan(planned)
        return _sooner(declined_at + _AFTER_A_PERSON, Why.AFTER_A_PERSON, cycle)
    if 0 < automatic_attempts <= len(ladder_days):
        step = timedelta(days=ladder_days[automatic_attempts - 1])
        return _sooner(declined_at + step, Why.LADDER, cycle)
    return Plan(cycle, why=Why.CYCLE)


def _sooner(at: datetime, why: Why, cycle: datetime) -> Plan:
    return Plan(at, why=why) if at < cycle else Plan(cycle, why=Why.CYCLE)
