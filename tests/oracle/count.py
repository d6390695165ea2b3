"""Which calls are billed, by which charge and for how long: one call after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any

from tests.oracle.days import NAMES, in_days, wall

Calls = list[dict[str, Any]]
Calendars = Mapping[str, list[date]]


@dataclass
class Counted:
    """What became of a period's calls: a reason each, and for each charge (order, calls, seconds)."""

    received: int = 0
    billable: int = 0
    not_billable: dict[str, int] = field(default_factory=dict)
    taken: dict[str, list[tuple[tuple[datetime, str], int]]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def anchor(call: dict[str, Any], contract: dict[str, Any]) -> datetime:
    """The instant that places the call (M7)."""
    return datetime.fromisoformat(call[contract.get("billable", {}).get("anchor", "started_at")])


def seconds_billed(milliseconds: int, increments: str) -> int:
    """Initial block, then block after block until the call is covered (M13)."""
    initial, step = (int(figure) for figure in increments.split("/"))
    if milliseconds == 0:
        return 0
    seconds = initial
    while seconds * 1000 < milliseconds:
        seconds += step
    return seconds


def prefix_fit(call: dict[str, Any], scope: dict[str, Any]) -> int | None:
    """Length of the longest prefix that fits; 0 without prefixes; None if none of them fits."""
    if not scope.get("prefix"):
        return 0
    number = call.get("to_number") or ""
    fitting = [len(prefix) for prefix in scope["prefix"] if number.startswith(prefix)]
    return max(fitting) if fitting else None


def clock_fits(at: time, scope: dict[str, Any]) -> bool:
    """Half open; a band that ends before it begins goes over midnight."""
    if "from" not in scope and "until" not in scope:
        return True
    start = time.fromisoformat(scope.get("from", "00:00"))
    if "until" not in scope:
        return at >= start
    end = time.fromisoformat(scope["until"])
    if start < end:
        return start <= at < end
    return at >= start or at < end


def fits(call: dict[str, Any], scope: dict[str, Any], contract: dict[str, Any], calendars: Calendars) -> bool:
    """True if every given key fits (M14)."""
    for key in ("direction", "service", "queue", "number"):
        if scope.get(key) and call.get(key) not in scope[key]:
            return False
    on_the_wall = wall(anchor(call, contract), contract["time_zone"])
    if scope.get("weekdays") and NAMES[on_the_wall.weekday()] not in scope["weekdays"]:
        return False
    if scope.get("holidays") and on_the_wall.date() in calendars[scope["holidays"]]:
        return False
    return clock_fits(on_the_wall.time(), scope) and prefix_fit(call, scope) is not None


def charge_of(call: dict[str, Any], contract: dict[str, Any], calendars: Calendars) -> dict[str, Any] | None:
    """The longest prefix over all charges, then the first in the contract."""
    best, best_length = None, -1
    for charge in contract.get("usage", []):
        scope = charge.get("scope", {})
        if fits(call, scope, contract, calendars):
            length = prefix_fit(call, scope)
            assert length is not None
            if length > best_length:
                best, best_length = charge, length
    return best


def count(calls: Calls, contract: dict[str, Any], days: tuple[date, date], calendars: Calendars) -> Counted:
    """Every call of the days, judged in order of (anchor instant, id) (M12)."""
    here = [call for call in calls if in_days(anchor(call, contract), *days, contract["time_zone"])]
    here.sort(key=lambda call: (anchor(call, contract), call["id"]))
    counted = Counted(received=len(here))
    counted.taken = {charge["id"]: [] for charge in contract.get("usage", [])}
    cap = contract.get("billable", {}).get("exclude_cap_percent")
    flagged = short = 0
    for call in here:
        left = Fraction(counted.received) * Fraction(cap) / 100 - flagged if cap is not None else None
        reason, charge = _judge(call, contract, calendars, left, short)
        counted.reasons[call["id"]] = reason
        if reason.startswith("flag_"):
            flagged += 1
        if reason == "free_short_call":
            short += 1
        if charge is None:
            counted.not_billable[reason] = counted.not_billable.get(reason, 0) + 1
            continue
        counted.billable += 1
        milliseconds = call["talk_ms"]
        if charge.get("basis", "talk") == "handle":
            milliseconds += call.get("wrap_ms") or 0
        seconds = seconds_billed(milliseconds, charge.get("increments", "1/1"))
        counted.taken[charge["id"]].append(((anchor(call, contract), call["id"]), seconds))
    return counted


def _judge(
    call: dict[str, Any],
    contract: dict[str, Any],
    calendars: Calendars,
    flags_left: Fraction | None,
    short: int,
) -> tuple[str, dict[str, Any] | None]:
    """The reason, and the charge if the call is billed. `flags_left` and `short`: flags the cap still lets
    exclude, calls that were short and free so far."""
    rules = contract.get("billable", {})
    if call["disposition"] not in rules.get("dispositions", ["answered"]):
        return "disposition", None
    tests = rules.get("test_numbers", [])
    if call.get("from_number") in tests or call.get("to_number") in tests:
        return "test_number", None
    for flag in rules.get("exclude_flags", ["spam", "test", "wrong_number", "internal"]):
        if flag in call.get("flags", []):
            if flags_left is None or flags_left >= 1:
                return f"flag_{flag}", None
            break
    if call["talk_ms"] < 1000 * rules.get("min_talk_seconds", 0):
        return "too_short", None
    charge = charge_of(call, contract, calendars)
    if charge is None:
        return "no_charge", None
    free = rules.get("free_short_calls")
    if free and call["talk_ms"] < 1000 * free["under_seconds"] and short < free["per_period"]:
        return "free_short_call", None
    return "billable", charge
