"""What holds for every price, whatever the contract."""

from __future__ import annotations

import copy
from collections import Counter
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.calls_around import made_up_calls
from tests.oracle.cents import whole
from tests.oracle.compare import program, valid_world
from tests.oracle.days import days_in
from tests.oracle.world import World

worlds = st.integers(0, 10**9).map(lambda number: valid_world(Random(f"property-{number}")))
quick = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(worlds)
def test_sections_shares_and_parts_add_up(world: World) -> None:
    _, sections = program(world)
    inclusive = world.contract["tax"].get("behavior") == "inclusive"
    taxable, taxes = Counter[Any](), Counter[Any]()
    for section in sections:
        lines = section.lines
        assert section.tax == sum(line.tax for line in lines)
        assert section.subtotal == sum(line.amount for line in lines)
        assert section.total == section.subtotal + section.tax
        assert section.total == sum(line.net + line.tax for line in lines if line.kind != "discount")
        taken = sum(line.amount for line in lines if line.kind == "discount")
        assert taken == sum(line.discount for line in lines)
        assert all(0 <= -line.discount <= line.amount for line in lines if line.discount)
        for share in (share for line in lines for share in line.taxes if not share.reason):
            taxable[share.name, share.percent] += share.taxable
            taxes[share.name, share.percent] += share.amount
    if not inclusive:
        for (name, percent), tax in taxes.items():
            assert tax == whole(Fraction(percent) * taxable[name, percent] / 100)


@quick
@given(worlds, st.randoms())
def test_the_order_of_calls_changes_nothing(world: World, random: Random) -> None:
    before = program(world)
    for company in world.companies:
        random.shuffle(company["calls"])
    assert program(world) == before


def _zero_more(node: Any) -> Any:
    """The same figures written with a zero more at the end."""
    if isinstance(node, dict):
        return {key: _zero_more(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_zero_more(value) for value in node]
    figure = isinstance(node, str) and node.count(".") == 1 and node.replace(".", "").isdigit()
    return node + "0" if figure and len(node.split(".")[1]) < 2 else node


@quick
@given(worlds)
def test_a_price_change_of_zero_changes_nothing(world: World) -> None:
    changed = copy.deepcopy(world)
    changed.contract = _zero_more(world.contract)
    assert _money(changed) == _money(world)


def _money(world: World) -> list[Any]:
    _, sections = program(world)
    return [
        (section.total, [(line.charge, line.amount, line.discount, line.tax) for line in section.lines])
        for section in sections
    ]


@quick
@given(worlds, st.randoms())
def test_a_new_version_with_the_same_prices_changes_nothing(world: World, random: Random) -> None:
    """The two parts of a period are the whole, where nothing is counted by the period."""
    world.contract["usage"] = [{"id": "calls", "name": "Calls", "unit": "call", "rate": "3"}]
    for key in ("minimum", "discount", "fee"):
        world.contract.pop(key, None)
    world.contract["tax"] = {"rate": []}
    world.contract.get("billable", {}).pop("exclude_cap_percent", None)
    world.contract.get("billable", {}).pop("free_short_calls", None)
    world.advance_for, world.once, world.part = None, [], None
    for company in world.companies:
        company["adjustments"] = []
    first, end = world.period
    cut = random.choice(days_in(first, end)[1:])
    parts = []
    for part in ((first, cut), (cut, end)):
        half = copy.deepcopy(world)
        half.part = part
        parts.append(program(half)[1])
    whole_period = program(world)[1]
    for place, section in enumerate(whole_period):
        assert section.total == sum(part[place].total for part in parts)


@quick
@given(worlds, st.randoms(use_true_random=True))
def test_more_calls_never_cost_less(world: World, random: Random) -> None:
    """Unless there are volume tiers or a cap on what is excluded; a rounded call may round down in a tier."""
    world.contract.get("billable", {}).pop("exclude_cap_percent", None)
    world.contract["tax"] = {"rate": []}  # of prices with tax inside, lines show what is left
    for charge in world.contract["usage"]:
        charge.pop("round_each_call", None)
        if "tiers" in charge:
            charge["tier_mode"] = "graduated"
    before = _usage(world)
    for place, company in enumerate(world.companies):
        company["calls"] += made_up_calls(random, world.contract["time_zone"], world.billed, f"more{place}")
    after = _usage(world)
    assert all(after[charge] >= amount for charge, amount in before.items())


def _usage(world: World) -> Counter[str]:
    """Usage by charge over all companies."""
    amounts = Counter[str]()
    for section in program(world)[1]:
        for line in section.lines:
            if line.kind == "usage":
                amounts[line.charge] += line.amount
    return amounts
