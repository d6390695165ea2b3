"""Discounts: in file order, each on what the one before left (M3)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from tests.oracle.cents import largest_remainder, minor, whole
from tests.oracle.world import Line, World


def take_discounts(lines: list[Line], world: World) -> list[Line]:
    """Puts the shares on the covered lines; a line for each discount that took something."""
    found, contract = [], world.contract
    for place, discount in enumerate(contract.get("discount", [])):
        covered = [line for line in lines if _covers(discount, line)]
        there = sum(line.left for line in covered)
        if "percent" in discount:
            parts = [Fraction(discount["percent"]) / 100 * line.left for line in covered]
            taken = whole(sum(parts, Fraction(0)))
        elif world.closes:
            taken = min(minor(Fraction(discount["amount"]), contract["currency"]), there)
            parts = [Fraction(taken * line.left, there or 1) for line in covered]
        else:
            continue
        if taken == 0:
            continue
        shares = largest_remainder(taken, parts)
        for line, share in zip(covered, shares, strict=True):
            line.discount -= share
        name = f"discount-{place + 1}"
        said = Line("discount", name, Fraction(1), -taken, world.billed, taxable=False)
        said.shares = list(zip(covered, shares, strict=True))
        found.append(said)
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
