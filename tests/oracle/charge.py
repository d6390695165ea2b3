"""The price of one usage charge in one period: a meter that every call runs through (M15)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.oracle.cents import rounded


def price(charge: dict[str, Any], calls: list[Fraction], part: Fraction) -> Fraction:
    """The exact price in major units of calls of so many units each, in their order."""
    shrink = part if charge.get("prorate", False) else Fraction(1)
    beyond = _beyond_included(calls, Fraction(charge.get("included", 0)) * shrink)
    if "rate" in charge:
        each, flats = [units * Fraction(charge["rate"]) for units in beyond], Fraction(0)
    elif "package" in charge:
        each, flats = _packages(beyond, charge["package"]), Fraction(0)
    elif charge.get("tier_mode", "graduated") == "graduated":
        each, flats = _graduated(beyond, charge["tiers"], shrink)
    else:
        each, flats = _volume(beyond, charge["tiers"], shrink)
    each = [cost + Fraction(charge.get("connection_fee", 0)) for cost in each]
    if "round_each_call" in charge:
        each = [rounded(cost, charge["round_each_call"]) for cost in each]
    total = sum(each, Fraction(0)) + flats
    if "minimum" in charge:
        total = max(total, Fraction(charge["minimum"]) * shrink)
    if "maximum" in charge:
        total = min(total, Fraction(charge["maximum"]) * shrink)
    return total


def _beyond_included(calls: list[Fraction], included: Fraction) -> list[Fraction]:
    """What of each call is not covered by the included units."""
    beyond = []
    for units in calls:
        covered = min(units, included)
        included -= covered
        beyond.append(units - covered)
    return beyond


def _packages(calls: list[Fraction], package: dict[str, Any]) -> list[Fraction]:
    """A call that finds no room opens packages until it has some."""
    each, room = [], Fraction(0)
    for units in calls:
        cost = Fraction(0)
        while room < units:
            room += package["size"]
            cost += Fraction(package["rate"])
        room -= units
        each.append(cost)
    return each


def _graduated(
    calls: list[Fraction], tiers: list[dict[str, Any]], shrink: Fraction
) -> tuple[list[Fraction], Fraction]:
    """Each call fills the tier that is open, then opens the next one."""
    flats = Fraction(tiers[0].get("flat", 0))
    now, metered, each = 0, Fraction(0), []
    for units in calls:
        cost, left = Fraction(0), units
        while left > 0:
            bound = tiers[now].get("up_to")
            if bound is not None and metered == Fraction(bound) * shrink:
                now += 1
                flats += Fraction(tiers[now].get("flat", 0))
                continue
            taken = left if bound is None else min(left, Fraction(bound) * shrink - metered)
            cost += taken * Fraction(tiers[now]["rate"])
            metered += taken
            left -= taken
        each.append(cost)
    return each, flats


def _volume(
    calls: list[Fraction], tiers: list[dict[str, Any]], shrink: Fraction
) -> tuple[list[Fraction], Fraction]:
    """The tier where all units end prices all of them."""
    units = sum(calls, Fraction(0))
    for tier in tiers:
        if tier.get("up_to") is None or units <= Fraction(tier["up_to"]) * shrink:
            break
    return [call * Fraction(tier["rate"]) for call in calls], Fraction(tier.get("flat", 0))
