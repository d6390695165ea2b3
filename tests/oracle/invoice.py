"""An invoice of one or several companies, line by line, from a contract, calls and days."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.oracle.cents import minor, share_out
from tests.oracle.charge import price
from tests.oracle.count import Counted, count
from tests.oracle.days import days_in, used
from tests.oracle.discount import take_discounts
from tests.oracle.minimum import true_ups
from tests.oracle.tax import settle
from tests.oracle.world import Line, Section, Span, World, pools


def invoice(*worlds: World) -> list[Section]:
    """The sections in order of worlds and companies, with tax settled over the whole invoice (M4, M31)."""
    priced = [(section, world) for world in worlds for section in _sections(world)]
    settle([(section.lines, world) for section, world in priced])
    return [section for section, _ in priced]


def _sections(world: World) -> list[Section]:
    """The companies' lines under one contract, before tax."""
    usage = _usage(world)
    before = [lines + _fees(world) for _, lines in usage]
    discounts = [take_discounts(lines, world) for lines in before]
    minimums = true_ups(before, world)
    sections = []
    for place, company in enumerate(world.companies):
        extra = [_adjustment(item, world.billed) for item in company["adjustments"]]
        lines = before[place] + minimums[place] + discounts[place] + extra
        sections.append(Section(usage[place][0], lines))
    return sections


def units_of(charge: dict[str, Any], seconds: int) -> Fraction:
    """What one call counts for."""
    return Fraction(1) if charge["unit"] == "call" else Fraction(seconds, 60)


def _usage(world: World) -> list[tuple[Counted, list[Line]]]:
    """A line for every usage charge of every company, used or not; pooled ones are priced together (M18)."""
    contract, days = world.contract, world.billed
    part = used(days, world.period)
    counts = [count(company["calls"], contract, days, world.calendars) for company in world.companies]
    lines: list[list[Line]] = [[] for _ in counts]
    for charge in contract.get("usage", []):
        each = [
            [(order, units_of(charge, seconds)) for order, seconds in counted.taken[charge["id"]]]
            for counted in counts
        ]
        sums = [sum((units for _, units in calls), Fraction(0)) for calls in each]
        if pools(charge, contract):
            amounts = _pooled(_floored(charge, world), each, sums, part, contract["currency"])
        else:
            amounts = [
                minor(
                    price(_floored(charge, world), [units for _, units in calls], part), contract["currency"]
                )
                for calls in each
            ]
        for place, amount in enumerate(amounts):
            line = Line("usage", charge["id"], sums[place], amount, days, taxed_as=charge["id"])
            line.unit, line.calls = charge["unit"], len(each[place])
            lines[place].append(line)
    return list(zip(counts, lines, strict=True))


def _floored(charge: dict[str, Any], world: World) -> dict[str, Any]:
    """The charge, without its floor if that waits for the part that closes the period (M8)."""
    if world.closes or charge.get("prorate", False):
        return charge
    return {key: value for key, value in charge.items() if key != "minimum"}


def _pooled(
    charge: dict[str, Any],
    each: list[list[tuple[Any, Fraction]]],
    sums: list[Fraction],
    part: Fraction,
    currency: str,
) -> list[int]:
    """One price for the calls of all companies, shared in proportion to their use."""
    together = [units for calls in each for _, units in calls]
    total = minor(price(charge, together, part), currency)
    return share_out(total, sums)


def _fees(world: World) -> list[Line]:
    """Monthly fees for the billed days or those in advance, and set-up fees that are due (M16)."""
    lines = []
    here = [(world.billed, world.period)]
    for fee in world.contract.get("fee", []):
        if fee.get("every", "month") == "once":
            parts = here if fee["id"] in world.once else []
        elif fee.get("when", "arrears") == "advance" and world.advance_for is not None:
            parts = world.advance_for
        else:
            parts = here
        if not world.closes and parts is here and fee.get("every", "month") == "month":
            parts = parts if fee.get("prorate", False) else []
        for days, period in parts:
            quantity = _quantity(fee.get("quantity", 1), days, world)
            major = Fraction(fee["amount"]) * quantity
            if fee.get("prorate", False):
                major *= used(days, period)
            amount = minor(major, world.contract["currency"])
            lines.append(Line("fee", fee["id"], quantity, amount, days, taxed_as=fee["id"]))
    return lines


def _quantity(said: Any, days: Span, world: World) -> Fraction:
    """A fixed figure, or day by day from the history (M16)."""
    if not isinstance(said, dict):
        return Fraction(said)
    history = sorted(world.histories.get(said["of"], []))
    daily = []
    for day in days_in(*days):
        holds = [Fraction(quantity) for since, quantity in history if since <= day]
        daily.append(holds[-1] if holds else Fraction(0))
    if said["by"] == "maximum":
        return max(daily)
    if said["by"] == "average":
        return sum(daily, Fraction(0)) / len(daily)
    return daily[-1] if said["by"] == "end" else daily[0]


def _adjustment(item: dict[str, Any], days: Span) -> Line:
    """An approved credit or correction; taxed like the charge it corrects (M22)."""
    line = Line("adjustment", item["id"], Fraction(1), item["amount"], days)
    line.taxed_as, line.taxable = item.get("charge"), item.get("taxable", True)
    return line
