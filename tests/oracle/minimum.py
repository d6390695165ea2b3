"""The monthly minimum: a line of what is missing (M17), or one for each company of a pool (M18)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.oracle.cents import minor, share_out
from tests.oracle.days import used
from tests.oracle.world import Line, World, pools


def true_ups(companies: list[list[Line]], world: World) -> list[list[Line]]:
    """For each company the true-up line, if something is missing."""
    said = world.contract.get("minimum")
    nothing: list[list[Line]] = [[] for _ in companies]
    if not said or not (world.closes or said.get("prorate", False)):
        return nothing
    usage = {charge["id"]: charge for charge in world.contract.get("usage", [])}
    ids = said.get("counts") or list(usage)
    now = [sum(line.left for line in lines if line.charge in ids) for lines in companies]
    spent = [here + _earlier(company, ids, said) for here, company in zip(now, world.companies, strict=True)]
    part = used(world.billed, world.period) if said.get("prorate", False) else Fraction(1)
    wanted = minor(Fraction(said["amount"]) * part, world.contract["currency"])
    if ids and all(name in usage and pools(usage[name], world.contract) for name in ids):
        missing = wanted - sum(spent)
        if missing <= 0:
            return nothing
        return [_line(amount, world) for amount in share_out(missing, _use(companies, now, ids))]
    return [_line(wanted - amount, world) for amount in spent]


def _earlier(company: dict[str, Any], ids: list[str], said: dict[str, Any]) -> int:
    """What earlier parts of the period came to counts toward a minimum of the whole period (M8)."""
    if said.get("prorate", False):
        return 0
    return sum(amount for name, amount in company.get("earlier", {}).items() if name in ids)


def _use(companies: list[list[Line]], spent: list[int], ids: list[str]) -> list[Fraction]:
    """Units, if all that counts has the same; else money."""
    counted = [[line for line in lines if line.charge in ids] for lines in companies]
    if len({line.unit for lines in counted for line in lines}) == 1:
        return [sum((line.quantity for line in lines), Fraction(0)) for lines in counted]
    return [Fraction(amount) for amount in spent]


def _line(amount: int, world: World) -> list[Line]:
    """No line of nothing."""
    if amount <= 0:
        return []
    return [Line("minimum", "minimum", Fraction(1), amount, world.billed, taxed_as="minimum")]
