"""The quote, which anybody can ask by JSON, says what the oracle says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from callbill.rules.quote import quote
from tests.oracle.cents import DECIMALS, minor
from tests.oracle.charge import price
from tests.oracle.compare import valid_world
from tests.oracle.days import used
from tests.oracle.invoice import invoice
from tests.oracle.world import Section, World


def _quotable(world: World) -> World:
    """What a quote can be asked: one company, no adjustments, no histories, nothing in advance, all taxed."""
    for fee in world.contract["fee"]:
        if isinstance(fee.get("quantity"), dict):
            fee["quantity"] = 2
    for charge in world.contract["usage"]:
        charge.get("scope", {}).pop("holidays", None)
        charge.pop("pooled", None)
    calls = world.companies[0]["calls"]
    alone: dict[str, Any] = {"calls": calls, "adjustments": []}
    return replace(
        world, companies=[alone], advance_for=None, once=_set_up(world), treatment=None, closes=True
    )


def _set_up(world: World) -> list[str]:
    """Set-up fees are in the quote if the contract takes effect in its days."""
    first, end = world.billed
    if not first <= date.fromisoformat(world.contract["effective_from"]) < end:
        return []
    return [fee["id"] for fee in world.contract["fee"] if fee.get("every") == "once"]


def _request(world: World) -> dict[str, Any]:
    first, end = world.billed
    calls = world.companies[0]["calls"]
    asked: dict[str, Any] = {"contract": world.contract, "period": world.month, "calls": calls}
    if world.part:
        asked |= {"from": first.isoformat(), "until": end.isoformat()}
    return asked


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9), st.booleans())
def test_a_quote_is_what_the_oracle_says(number: int, takes_effect: bool) -> None:
    world = valid_world(Random(f"quote-{number}"))
    if takes_effect:
        world.contract["effective_from"] = world.billed[0].isoformat()
    world = _quotable(world)
    answered = quote(_request(world))
    errors = answered.get("error", {}).get("errors", [])
    assume(not any(error["path"].endswith(".scope") for error in errors))  # a tie without the holidays
    assert errors == []
    (section,) = invoice(world)
    assert answered["calls"]["received"] == section.counted.received
    assert answered["calls"]["billable"] == section.counted.billable
    assert answered["calls"]["not_billable"] == section.counted.not_billable
    assert [_said(line, world) for line in answered["lines"]] == _expected(section)
    taxes = sum(sum(line.taxes.values()) for line in section.lines)
    subtotal = sum(line.amount for line in section.lines)
    assert [_minor(answered[key], world) for key in ("subtotal", "tax", "total")] == [
        subtotal,
        taxes,
        subtotal + taxes,
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_a_quote_of_quantities_is_what_the_oracle_says(number: int) -> None:
    """A quantity is like one long call, or so many calls."""
    random = Random(number)
    world = _quotable(valid_world(random))
    asked = _request(world)
    del asked["calls"]
    units: dict[str, list[Fraction]] = {}
    for charge in world.contract["usage"]:
        charge.pop("scope", None)
        charge["scope"] = {"queue": [charge["id"]]}
        minutes = charge["unit"] == "minute"
        if minutes:  # how many calls, and how long each, is not in a quantity
            charge.pop("connection_fee", None)
            charge.pop("round_each_call", None)
        said = random.choice(("0", "1", "13", "250")) + (random.choice(("", ".5", ".125")) if minutes else "")
        asked.setdefault("quantity", {})[charge["id"]] = said
        units[charge["id"]] = [Fraction(said)] if minutes else [Fraction(1)] * int(said)
    assume("quantity" in asked)
    answered = quote(asked)
    assert "error" not in answered
    part = used(world.billed, world.period)
    for line, charge in zip(answered["lines"], world.contract["usage"], strict=False):
        if world.contract["tax"].get("behavior") != "inclusive":
            cost = minor(price(charge, units[charge["id"]], part), world.contract["currency"])
            assert (line["charge"], _minor(line["amount"], world)) == (charge["id"], cost)


def _minor(text: str, world: World) -> int:
    """An amount as it is written, with all decimals of its currency."""
    decimals = DECIMALS[world.contract["currency"]]
    amount = Decimal(text)
    assert -amount.as_tuple().exponent == decimals
    return int(amount.scaleb(decimals))


def _said(line: dict[str, Any], world: World) -> tuple[object, ...]:
    return (line["kind"], line["charge"], _minor(line["amount"], world), _minor(line["tax"], world))


def _expected(section: Section) -> list[tuple[object, ...]]:
    return [(line.kind, line.charge, line.amount, sum(line.taxes.values())) for line in section.lines]
