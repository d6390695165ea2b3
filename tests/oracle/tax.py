"""Tax: each rate once over the invoice, shared to its lines by largest remainder (M4, M5)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.cents import largest_remainder, whole
from tests.oracle.days import days_in
from tests.oracle.world import Line, Span, World

Section = tuple[list[Line], World]
Key = tuple[str, Fraction]


def settle(sections: list[Section]) -> None:
    """The lines' shares of the tax; where prices include it, amounts become what is left without it.

    Sections may be under different contracts; rates of one name and percentage are one rate.
    """
    for lines, _ in sections:
        for line in lines:
            line.price = line.left
    taxed = [(lines, world, _taxed(lines, world)) for lines, world in sections]
    keys = dict.fromkeys(_key(rate) for _, world in sections for rate in _rates(world))
    for key in keys:
        _share(key, [(line, world) for _, world, owing in taxed for line in owing])
        for lines, world, owing in taxed:
            _share(key, [(line, world) for line in lines if line not in owing])
    for lines, world, owing in taxed:
        if _inclusive(world):
            _take_out(lines, _rates(world))
        for line in lines:
            if line not in owing:
                line.taxes = dict.fromkeys(line.taxes, 0)


def _rates(world: World) -> list[dict[str, Any]]:
    return world.contract.get("tax", {}).get("rate", [])


def _inclusive(world: World) -> bool:
    return world.contract.get("tax", {}).get("behavior", "exclusive") == "inclusive"


def _key(rate: dict[str, Any]) -> Key:
    return rate["name"], Fraction(rate["percent"])


def _taxed(lines: list[Line], world: World) -> list[Line]:
    """The lines on which tax is charged at all."""
    return [line for line in lines if not _untaxed(world.treatment, line.days)]


def _share(key: Key, lines: list[tuple[Line, World]]) -> None:
    """One rate on, or in, these lines: rounded once, and shared."""
    covered, parts = [], []
    for line, world in lines:
        for rate in _rates(world):
            if _key(rate) == key and _taxes(rate, line):
                covered.append(line)
                parts.append(_part(line, rate, _rates(world), _inclusive(world)))
    shares = largest_remainder(whole(sum(parts, Fraction(0))), parts)
    for line, share in zip(covered, shares, strict=True):
        line.taxes[key] = share


def _part(line: Line, rate: dict[str, Any], rates: list[dict[str, Any]], inclusive: bool) -> Fraction:
    """The exact tax of one rate on, or in, a line."""
    net = line.left / (1 + _inside(line, rates)) if inclusive else Fraction(line.left)
    return net * Fraction(rate["percent"]) / 100


def _take_out(lines: list[Line], rates: list[dict[str, Any]]) -> None:
    """Shows prices without their tax: of a discount once, of a line what makes it come to its price."""
    left = {id(line): line.left for line in lines}
    taken = {id(line): 0 for line in lines}
    for discount in lines:
        if discount.kind != "discount":
            continue
        parts = [share / (1 + _inside(line, rates)) for line, share in discount.shares]
        amount = whole(sum(parts, Fraction(0)))
        for (line, _), share in zip(discount.shares, largest_remainder(amount, parts), strict=True):
            taken[id(line)] += share
        discount.amount = -amount
    for line in lines:
        if line.kind != "discount":
            line.discount = -taken[id(line)]
            line.amount = left[id(line)] - sum(line.taxes.values()) - line.discount


def _inside(line: Line, rates: list[dict[str, Any]]) -> Fraction:
    """All rates that a price of this line contains."""
    return sum((Fraction(rate["percent"]) / 100 for rate in rates if _taxes(rate, line)), Fraction(0))


def _taxes(rate: dict[str, Any], line: Line) -> bool:
    """True if the rate is for every line, or names what the line is taxed as."""
    named = rate.get("applies_to")
    return line.taxable and (not named or line.taxed_as in named)


def _untaxed(treatment: dict[str, Any] | None, days: Span) -> bool:
    """True under reverse charge, or if the certificate holds on every day of the line (M5)."""
    if treatment is None:
        return False
    if treatment["kind"] == "reverse_charge":
        return True
    first, last = treatment["from"] or date.min, treatment["until"] or date.max
    return all(first <= day <= last for day in days_in(*days))
