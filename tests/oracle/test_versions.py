"""A change of contract in mid-period: each part under its own version, the last closing the period (M8)."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.compare import differences, program, valid_world
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


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_both_parts_agree(number: int) -> None:
    before, after = parts_of(valid_world(Random(f"versions-{number}")), Random(number))
    assert disagreements(before, after) == []


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_contracts_on_one_invoice_agree(number: int) -> None:
    """Companies with contracts of their own, tax on top or inside: each rate is rounded once."""
    one, other = (valid_world(Random(f"invoice-{number}-{place}")) for place in range(2))
    other.contract["currency"] = one.contract["currency"] = "KWD"
    assert differences(one, other) == []
