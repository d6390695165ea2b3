"""A change of contract in mid-period: each part under its own version, the last closing the period (M8)."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

from tests.oracle.compare import differences, program
from tests.oracle.days import days_in
from tests.oracle.invoice import invoice
from tests.oracle.world import Section, World


def _spent(section: Section) -> dict[str, int]:
    """What the lines of a part came to after discounts, at the contract's own prices."""
    spent = Counter[str]()
    for line in section.lines:
        if line.kind in ("usage", "fee"):
            spent[line.charge] += line.price
    return spent


def parts_of(world: World, random: Random) -> tuple[World, World]:
    """The two parts of its period, the second under the same charges at other prices."""
    first, end = world.period
    cut = random.choice(days_in(first, end)[1:])
    before = replace(world, part=(first, cut), closes=False)
    changed: dict[str, Any] = copy.deepcopy(world.contract)
    for charge in changed["usage"]:
        if "rate" in charge:
            charge["rate"] = "0.77"
    after = replace(world, part=(cut, end), closes=True, contract=changed, once=[])
    return before, after


def disagreements(before: World, after: World) -> list[str]:
    """Of the first part, of what it came to, and of both on one invoice, the second counting the first."""
    found = differences(before)
    ours, (_, theirs) = invoice(before), program(before)
    for company, section, rated in zip(after.companies, ours, theirs, strict=True):
        company["earlier"] = dict(_spent(section))
        said = Counter[str]()
        for line in rated.lines:
            if line.kind in ("usage", "fee"):
                said[line.charge] += line.charged
        if said != company["earlier"]:
            found.append(f"came to {company['earlier']}, not {said}")
    return found + differences(before, after)
