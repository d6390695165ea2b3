"""Which calls are billed, under which charge, for how many seconds: M7 and M10 to M14, call by call.

The same rules exist compiled to SQL for large periods; a property test holds the two together, so every
rule is written down here without room for interpretation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import groupby

from callbill.rules.period import time_zone
from callbill.rules.terms import Basis, Billable, Increments, Scope, Terms, UsageCharge

Calendars = Mapping[str, frozenset[date]]
"""Holiday calendars by name: the local days of each."""

NO_CALENDARS: Calendars = {}

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

REASONS: Mapping[str, str] = {
    "billable": "Billed",
    "disposition": "Not billed: the call did not end the way the contract bills, such as answered",
    "test_number": "Not billed: from or to a test number of the contract",
    "flag_spam": "Not billed: marked as spam",
    "flag_test": "Not billed: marked as a test call",
    "flag_wrong_number": "Not billed: marked as a wrong number",
    "flag_internal": "Not billed: marked as an internal call",
    "flag_robocall": "Not billed: marked as an automatic call",
    "too_short": "Not billed: shorter than the contract's shortest talk time",
    "no_charge": "Not billed: no charge of the contract is meant for this call",
    "free_short_call": "Not billed: one of the free short calls of the period",
}
"""Every reason a verdict can give, in plain words. A flag of another name `x` gives "flag_x"."""


class UnknownCalendar(ValueError):
    """A scope names a holiday calendar that is not there, so nobody knows whether it takes a call (M14)."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        told = ", ".join(f'"{name}"' for name in self.names)
        super().__init__(f"there is no holiday calendar {told}; keep one of that name, or take it out")


def reason_in_words(reason: str) -> str:
    """Plain words for a reason code, also for one made of a flag that is not in REASONS."""
    return REASONS.get(reason) or f"Not billed: marked as {reason.removeprefix('flag_').replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What counting knows of one call. Instants are aware; durations integer milliseconds, not negative.

    `id` is unique among the calls of the company (the source's id, with the source where there are several).
    `number` is the operator's number; `from_number` and `to_number` are E.164, None when withheld.
    """

    id: str
    started_at: datetime
    ended_at: datetime
    talk_ms: int
    wrap_ms: int = 0
    direction: str | None = None
    service: str | None = None
    queue: str | None = None
    number: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    disposition: str = "answered"
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call is billed and why. `charge_id` is set, and seconds may be above 0, only if it is."""

    call: CallFacts
    billable: bool
    reason: str
    charge_id: str | None = None
    billed_seconds: int = 0


@dataclass(frozen=True, slots=True)
class ChargeCount:
    """The billed calls of one charge and their billed seconds (after increments).

    `durations` are (billed seconds of a call, calls) and add up to `calls` and `billed_seconds`. They are
    there only for a charge per minute that rounds each call (`needs_durations`), and empty for all others:

    - if `needs_order`: in the order of `judge`, (anchor instant, id); neighbours of equal seconds are one
      entry, so that calls of 30, 30, 60 and 30 s are ((30, 2), (60, 1), (30, 1));
    - if not: each number of seconds once, in ascending order: ((30, 3), (60, 1)).

    Calls of 0 billed seconds are in it too.
    """

    charge_id: str
    calls: int
    billed_seconds: int
    durations: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """The calls of one company in one period. received = billable + all of not_billable.

    `not_billable` has only reasons that occurred, in the order of REASONS (others after, by name);
    `charges` has every usage charge of the terms in contract order, also those without a call.
    """

    received: int
    billable: int
    not_billable: Mapping[str, int]
    charges: tuple[ChargeCount, ...]


def billed_seconds(duration_ms: int, increments: Increments) -> int:
    """Seconds billed for one call: 0 if d = 0; I if d <= I; else I + ceil((d - I) / N) * N (M13).

    `duration_ms` is integer milliseconds and is not rounded before the formula: 60001 ms at 60/6 is 66 s.
    ValueError if it is negative.
    """
    if duration_ms < 0:
        raise ValueError(f"a call cannot last {duration_ms} ms")
    if duration_ms == 0:
        return 0
    beyond = duration_ms - increments.initial * 1000
    if beyond <= 0:
        return increments.initial
    return increments.initial + -(-beyond // (increments.increment * 1000)) * increments.increment


def basis_ms(call: CallFacts, basis: Basis) -> int:
    """The milliseconds a charge bills: talk time, or handle time (talk plus wrap-up)."""
    return call.talk_ms + call.wrap_ms if basis == "handle" else call.talk_ms


def anchor_instant(call: CallFacts, billable: Billable) -> datetime:
    """The one instant that decides the call's period, weekday and hour: its start, or its end (M7)."""
    return call.ended_at if billable.anchor == "ended_at" else call.started_at


def needs_durations(charge: UsageCharge) -> bool:
    """True if the price needs the billed seconds of each call: a charge per minute that rounds each call."""
    return charge.unit == "minute" and charge.round_each_call is not None


def needs_order(charge: UsageCharge) -> bool:
    """True if those seconds are needed in order of time.

    Calls use up included units, graduated tiers and packages one after the other. At one rate for all units,
    also that of the reached volume tier, the order does not matter.
    """
    graduated = len(charge.tiers) > 1 and charge.tier_mode == "graduated"
    one_by_one = charge.included is not None or graduated or charge.package is not None
    return needs_durations(charge) and one_by_one


def missing_calendars(terms: Terms, calendars: Calendars) -> tuple[str, ...]:
    """The holiday calendars that the terms name and that are not there, in order, each once."""
    names = (charge.scope.holidays for charge in terms.usage)
    return tuple(dict.fromkeys(name for name in names if name is not None and name not in calendars))


def charge_for(call: CallFacts, terms: Terms, calendars: Calendars = NO_CALENDARS) -> UsageCharge | None:
    """The charge that takes this call, or None (M14).

    Of the charges whose scope fits, the one whose longest fitting prefix is longest wins (no prefix counts
    as length 0); of equals, the first in the contract. See `scope_fits`, also for what is raised.
    """
    taken: UsageCharge | None = None
    longest = -1
    for charge in terms.usage:
        prefix = _prefix_length(call, charge.scope)
        if prefix is not None and prefix > longest and scope_fits(call, charge.scope, terms, calendars):
            taken, longest = charge, prefix
    return taken


def scope_fits(call: CallFacts, scope: Scope, terms: Terms, calendars: Calendars = NO_CALENDARS) -> bool:
    """True if every key of the scope fits the call (M14).

    direction, service, queue, number: the call's value is one of those listed (exact, case counts; an
    unknown value never fits). prefix: `to_number` begins with one of them. weekdays, from, until: weekday
    and wall time of the anchor instant in the contract's zone; [from, until), over midnight when from is
    later than until, never when they are equal. The weekday is that of the wall date, also after midnight.
    holidays: the wall date of the anchor instant is not a day of the calendar of that name. Raises
    UnknownCalendar for a name that `calendars` does not have.
    """
    if scope.holidays is not None and scope.holidays not in calendars:
        raise UnknownCalendar((scope.holidays,))
    listed = (
        (scope.direction, call.direction),
        (scope.service, call.service),
        (scope.queue, call.queue),
        (scope.number, call.number),
    )
    if any(allowed and value not in allowed for allowed, value in listed):
        return False
    return _prefix_length(call, scope) is not None and _time_fits(call, scope, terms, calendars)


def _prefix_length(call: CallFacts, scope: Scope) -> int | None:
    """Length of the longest prefix that fits `to_number`; 0 without prefixes, None if none fits."""
    if not scope.prefix:
        return 0
    number = call.to_number or ""
    return max((len(prefix) for prefix in scope.prefix if number.startswith(prefix)), default=None)


def _time_fits(call: CallFacts, scope: Scope, terms: Terms, calendars: Calendars) -> bool:
    days = scope.weekdays or scope.holidays is not None
    if not days and scope.from_time is None and scope.until_time is None:
        return True
    wall = anchor_instant(call, terms.billable).astimezone(time_zone(terms.time_zone))
    if scope.weekdays and WEEKDAYS[wall.weekday()] not in scope.weekdays:
        return False
    if scope.holidays is not None and wall.date() in calendars[scope.holidays]:
        return False
    now, begin, end = wall.time(), scope.from_time, scope.until_time
    if begin is None or end is None:
        return (begin is None or begin <= now) and (end is None or now < end)
    return begin <= now < end if begin <= end else now >= begin or now < end


def judge(calls: Sequence[CallFacts], terms: Terms, calendars: Calendars = NO_CALENDARS) -> list[Verdict]:
    """One verdict for each call of ONE company and ONE period, in order of (anchor instant, id) (M12).

    Ids compare by code point (COLLATE "C" in SQL). The order in which `calls` come does not matter.
    The first of these that applies decides:

    1. `disposition`: not one of the contract's dispositions.
    2. `test_number`: `from_number` or `to_number` is one of the contract's test numbers.
    3. `flag_...`: has one of the excluded flags (named by the first in the contract's list), and fewer
       than floor(received x cap percent / 100) calls before it were excluded by this rule, where received
       is the number of all `calls`. Without a cap all are excluded. Past the cap a flag does not matter.
    4. `too_short`: talk_ms < min_talk_seconds x 1000 (talk time, also for charges billed by handle time).
    5. `no_charge`: `charge_for` finds none.
    6. `free_short_call`: talk_ms < under_seconds x 1000, and fewer than per_period calls before it were
       free by this rule.

    What is left is billable, with the charge's billed seconds by its basis and increments (also for
    charges per call, where they inform and do not price).

    Raises UnknownCalendar, also without calls, if a charge names a holiday calendar that is not there.
    """
    if missing := missing_calendars(terms, calendars):
        raise UnknownCalendar(missing)
    rules = terms.billable
    cap: int | None = None
    if rules.exclude_cap_percent is not None:
        cap = int(len(calls) * Fraction(rules.exclude_cap_percent) // 100)
    verdicts: list[Verdict] = []
    flagged = free = 0
    for call in sorted(calls, key=lambda call: (anchor_instant(call, rules), call.id)):
        reason = _excluded(call, rules, within_cap=cap is None or flagged < cap)
        if reason is not None:
            flagged += reason.startswith("flag_")
            verdicts.append(Verdict(call, False, reason))
            continue
        charge = charge_for(call, terms, calendars)
        if charge is None:
            verdicts.append(Verdict(call, False, "no_charge"))
        elif _free(call, rules, used=free):
            free += 1
            verdicts.append(Verdict(call, False, "free_short_call"))
        else:
            seconds = billed_seconds(basis_ms(call, charge.basis), charge.increments)
            verdicts.append(Verdict(call, True, "billable", charge.id, seconds))
    return verdicts


def _excluded(call: CallFacts, rules: Billable, *, within_cap: bool) -> str | None:
    """Rules 1 to 4 of `judge`: the reason, or None."""
    if call.disposition not in rules.dispositions:
        return "disposition"
    if rules.test_numbers and (
        call.from_number in rules.test_numbers or call.to_number in rules.test_numbers
    ):
        return "test_number"
    if within_cap:
        for flag in rules.exclude_flags:
            if flag in call.flags:
                return f"flag_{flag}"
    if call.talk_ms < rules.min_talk_seconds * 1000:
        return "too_short"
    return None


def _free(call: CallFacts, rules: Billable, *, used: int) -> bool:
    short = rules.free_short_calls
    return short is not None and used < short.per_period and call.talk_ms < short.under_seconds * 1000


def tally(verdicts: Sequence[Verdict], terms: Terms) -> Count:
    """The figures of a period out of its verdicts, in their order: what rating prices, an invoice states."""
    reasons = Counter(verdict.reason for verdict in verdicts if not verdict.billable)
    order = [*(reason for reason in REASONS if reason in reasons), *sorted(set(reasons) - set(REASONS))]
    charges = {charge.id: charge for charge in terms.usage}
    billed: dict[str, list[int]] = {charge_id: [] for charge_id in charges}
    for verdict in verdicts:
        if verdict.billable and verdict.charge_id is not None:
            billed[verdict.charge_id].append(verdict.billed_seconds)
    return Count(
        received=len(verdicts),
        billable=sum(len(seconds) for seconds in billed.values()),
        not_billable={reason: reasons[reason] for reason in order},
        charges=tuple(
            ChargeCount(name, len(seconds), sum(seconds), _durations(charges[name], seconds))
            for name, seconds in billed.items()
        ),
    )


def _durations(charge: UsageCharge, seconds: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """`ChargeCount.durations` out of the billed seconds of the calls in order."""
    if not needs_durations(charge):
        return ()
    ordered = seconds if needs_order(charge) else sorted(seconds)
    return tuple((length, len(list(run))) for length, run in groupby(ordered))
