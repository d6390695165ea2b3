"""An invoice of one or several companies, line by line, from a contract, calls and days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.cents import largest_remainder, minor, share_out, whole
from tests.oracle.charge import price
from tests.oracle.count import Counted, count
from tests.oracle.days import days_in, period_of_month, used

Span = tuple[date, date]


@dataclass
class Line:
    """One line; amounts in minor units. `taxes` is by name and percentage of the rate."""

    kind: str
    charge: str
    quantity: Fraction
    amount: int
    days: Span
    discount: int = 0
    taxes: dict[tuple[str, Fraction], int] = field(default_factory=dict)
    taxed_as: str | None = None
    taxable: bool = True

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
    are the (part, whole) that fees in advance are charged for; `once` the set-up fees due now.
    """

    contract: dict[str, Any]
    month: str
    part: Span | None
    companies: list[dict[str, Any]]
    calendars: dict[str, list[date]]
    histories: dict[str, list[tuple[date, Fraction]]]
    advance_for: list[tuple[Span, Span]] | None
    once: list[str]
    treatment: dict[str, Any] | None = None

    @property
    def period(self) -> Span:
        """The whole billing period."""
        return period_of_month(self.month, self.contract.get("billing_day", 1))

    @property
    def billed(self) -> Span:
        """The days that are billed."""
        return self.part or self.period


def invoice(world: World) -> list[Section]:
    """The sections in order of the companies, with tax settled over the whole invoice (M4, M31)."""
    sections = []
    usage = _usage(world)
    for company, (counted, used_lines) in zip(world.companies, usage, strict=True):
        lines = used_lines + _fees(world)
        discounts = _discounts(lines, world)
        minimum = _true_up(lines, world)
        extra = [_adjustment(item, world.billed) for item in company["adjustments"]]
        sections.append(Section(counted, lines + minimum + discounts + extra))
    _tax([line for section in sections for line in section.lines], world)
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
        if charge.get("pooled", False) and len(each) > 1:
            amounts = _pooled(charge, each, sums, part, contract["currency"])
        else:
            amounts = [
                minor(price(charge, [units for _, units in calls], part), contract["currency"])
                for calls in each
            ]
        for place, amount in enumerate(amounts):
            lines[place].append(Line("usage", charge["id"], sums[place], amount, days, taxed_as=charge["id"]))
    return list(zip(counts, lines, strict=True))


def _pooled(
    charge: dict[str, Any],
    each: list[list[tuple[Any, Fraction]]],
    sums: list[Fraction],
    part: Fraction,
    currency: str,
) -> list[int]:
    """One price for the calls of all companies, shared in proportion to their use."""
    together = sorted((order, place, units) for place, calls in enumerate(each) for order, units in calls)
    total = minor(price(charge, [units for _, _, units in together], part), currency)
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
        holds = [quantity for since, quantity in history if since <= day]
        daily.append(holds[-1] if holds else Fraction(0))
    if said["by"] == "maximum":
        return max(daily)
    if said["by"] == "average":
        return sum(daily, Fraction(0)) / len(daily)
    return daily[-1] if said["by"] == "end" else daily[0]


def _discounts(lines: list[Line], world: World) -> list[Line]:
    """In file order, each on what the one before left (M3). Puts shares on the lines it covers."""
    found, contract = [], world.contract
    for place, discount in enumerate(contract.get("discount", [])):
        covered = [line for line in lines if _covers(discount, line)]
        there = sum(line.left for line in covered)
        if "percent" in discount:
            parts = [Fraction(discount["percent"]) / 100 * line.left for line in covered]
            taken = whole(sum(parts, Fraction(0)))
        else:
            taken = min(minor(Fraction(discount["amount"]), contract["currency"]), there)
            parts = [Fraction(taken * line.left, there or 1) for line in covered]
        if taken == 0:
            continue
        shares = largest_remainder(taken, parts)
        for line, share in zip(covered, shares, strict=True):
            line.discount -= share
        name = f"discount-{place + 1}"
        found.append(Line("discount", name, Fraction(1), -taken, world.billed, taxable=False))
    return found


def _covers(discount: dict[str, Any], line: Line) -> bool:
    """True if the discount is for the charge and holds on the first day of the line."""
    named = discount.get("applies_to")
    first = line.days[0]
    return (
        (not named or line.charge in named)
        and first >= date.fromisoformat(discount.get("from", "0001-01-01"))
        and first <= date.fromisoformat(discount.get("until", "9999-12-31"))
    )


def _true_up(lines: list[Line], world: World) -> list[Line]:
    """What is missing to the minimum (M17)."""
    said = world.contract.get("minimum")
    if not said:
        return []
    counts = said.get("counts") or [charge["id"] for charge in world.contract.get("usage", [])]
    spent = sum(line.left for line in lines if line.charge in counts)
    part = used(world.billed, world.period) if said.get("prorate", False) else 1
    missing = minor(Fraction(said["amount"]) * part, world.contract["currency"]) - spent
    if missing <= 0:
        return []
    return [Line("minimum", "minimum", Fraction(1), missing, world.billed, taxed_as="minimum")]


def _adjustment(item: dict[str, Any], days: Span) -> Line:
    """An approved credit or correction; taxed like the charge it corrects (M22)."""
    line = Line("adjustment", item["id"], Fraction(1), item["amount"], days)
    line.taxed_as, line.taxable = item.get("charge"), item.get("taxable", True)
    return line


def _tax(lines: list[Line], world: World) -> None:
    """Each rate once over the invoice, shared to its lines by largest remainder (M4, M5)."""
    said = world.contract.get("tax", {})
    inclusive = said.get("behavior", "exclusive") == "inclusive"
    rates = said.get("rate", [])
    for rate in rates:
        covered = [line for line in lines if _taxes(rate, line)]
        parts = []
        for line in covered:
            inside = sum(Fraction(other["percent"]) for other in rates if _taxes(other, line))
            net = line.left / (1 + inside / 100) if inclusive else Fraction(line.left)
            parts.append(net * Fraction(rate["percent"]) / 100)
        shares = largest_remainder(whole(sum(parts, Fraction(0))), parts)
        for line, share in zip(covered, shares, strict=True):
            name = (rate["name"], Fraction(rate["percent"]))
            line.taxes[name] = line.taxes.get(name, 0) + share


def _taxes(rate: dict[str, Any], line: Line) -> bool:
    """True if the rate is for every line, or names what the line is taxed as."""
    named = rate.get("applies_to")
    return line.taxable and (not named or line.taxed_as in named)
