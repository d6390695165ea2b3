"""Tiers, packages, included units, connection fees, floors and caps: M9 and M15."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.counting import ChargeCount
from callbill.rules.lines import RatedLine
from callbill.rules.money import to_minor
from callbill.rules.prices import Quantity
from callbill.rules.rating import rate
from callbill.rules.terms import Package, Tier, UsageCharge
from tests.rules.rating_values import JANUARY, PER_CALL, PER_MINUTE, calls, january, terms_of

TIERS = (
    Tier(Decimal(1000), Decimal("1.20")),
    Tier(Decimal(5000), Decimal("1.00")),
    Tier(None, Decimal("0.80")),
)
GRADUATED = replace(PER_CALL, rate=None, tiers=TIERS)
VOLUME = replace(GRADUATED, tier_mode="volume")
FLATS = (Tier(Decimal(10), Decimal(10), Decimal(2)), Tier(None, Decimal(5), Decimal(3)))
LATE_JANUARY = JANUARY.part(date(2021, 1, 10), date(2021, 2, 1))  # 22 of 31 days


def priced(charge: UsageCharge, quantity: Quantity, **more: object) -> RatedLine:
    return rate(january(terms_of(charge), quantities={charge.id: quantity}, **more)).lines[0]


def minutes(units: str) -> Quantity:
    return Quantity.stated(Decimal(units), "minute")


def told(line: RatedLine) -> list[str]:
    return [step.text for step in line.derivation]


@pytest.mark.parametrize(
    ("number", "graduated", "volume"),
    [
        (0, 0, 0),
        (1000, 120000, 120000),
        (1001, 120100, 100100),
        (5000, 520000, 500000),
        (5001, 520080, 400080),
        (6200, 616000, 496000),
    ],
)
def test_tiers(number: int, graduated: int, volume: int) -> None:
    assert priced(GRADUATED, calls(number)).amount == graduated
    assert priced(VOLUME, calls(number)).amount == volume


def test_tiers_tell_their_arithmetic() -> None:
    line = priced(GRADUATED, calls(6200))
    assert told(line) == [
        "tier 1, up to 1000 calls: 1000 × 1.20 = 1200.00",
        "tier 2, up to 5000 calls: 4000 × 1.00 = 4000.00",
        "tier 3, above 5000 calls: 1200 × 0.80 = 960.00",
        "1200 + 4000 + 960 = 6160",
    ]
    assert line.rate is None
    assert told(priced(VOLUME, calls(6200))) == [
        "6200 calls reach tier 3, above 5000 calls, all of them: 6200 × 0.80 = 4960.00"
    ]


@pytest.mark.parametrize(
    ("units", "graduated", "volume"),
    [
        ("0", 200, 200),
        ("1", 1200, 1200),
        ("10", 10200, 10200),
        ("10.5", 10200 + 300 + 250, 5250 + 300),  # half a minute reaches the second tier
        ("11", 11000, 5800),
    ],
)
def test_a_flat_amount_comes_once_with_its_tier(units: str, graduated: int, volume: int) -> None:
    charge = replace(PER_MINUTE, rate=None, tiers=FLATS)
    assert priced(charge, minutes(units)).amount == graduated
    assert priced(replace(charge, tier_mode="volume"), minutes(units)).amount == volume


@pytest.mark.parametrize(("number", "amount"), [(0, 0), (1, 10000), (120, 120000), (121, 130000)])
def test_started_packages(number: int, amount: int) -> None:
    charge = replace(PER_CALL, rate=None, package=Package(10, Decimal(100)))
    assert priced(charge, calls(number)).amount == amount


def test_packages_after_included_units() -> None:
    charge = replace(PER_CALL, rate=None, package=Package(10, Decimal(100)), included=Decimal(10))
    assert told(priced(charge, calls(121))) == [
        "121 calls − 10 included = 111 calls",
        "111 calls are 12 started packages of 10: 12 × 100 = 1200",
    ]


def test_included_units_then_overage() -> None:
    charge = replace(PER_MINUTE, rate=Decimal("2.25"), included=Decimal(250))
    assert priced(charge, minutes("310")).amount == 13500
    within = priced(charge, minutes("249.5"))
    assert (within.amount, within.quantity) == (0, Fraction("249.5"))
    assert told(within)[0] == "249.5 minutes, within the 250 included"


def test_tiers_count_the_units_after_the_included_ones() -> None:
    assert priced(replace(GRADUATED, included=Decimal(500)), calls(1500)).amount == 120000
    assert priced(replace(VOLUME, included=Decimal(500)), calls(1501)).amount == 100100


def test_a_connection_fee_for_each_billed_call_also_within_included_units() -> None:
    charge = replace(PER_MINUTE, rate=Decimal("0.10"), connection_fee=Decimal("0.50"))
    two_minutes = Quantity.counted(ChargeCount("minutes", 1, 120), "minute")
    assert told(priced(charge, two_minutes)) == [
        "1 call, 120 billed seconds ÷ 60 = 2 minutes",
        "2 minutes × 0.10 = 0.20",
        "connection fee: 1 call × 0.50 = 0.50",
        "0.2 + 0.5 = 0.7",
    ]
    assert priced(replace(charge, included=Decimal(5)), two_minutes).amount == 50


def test_minutes_stated_without_their_calls_have_no_connection_fee_and_say_so() -> None:
    charge = replace(PER_MINUTE, rate=Decimal("0.10"), connection_fee=Decimal("0.50"), round_each_call=2)
    line = priced(charge, minutes("616.666"))
    assert (line.amount, told(line)[1]) == (
        6167,
        "minutes without their calls: no connection fee, and no call is rounded",
    )


@pytest.mark.parametrize(("number", "amount"), [(0, 10000), (100, 10000), (101, 10100), (2001, 200000)])
def test_floor_and_cap(number: int, amount: int) -> None:
    charge = replace(PER_CALL, rate=Decimal(1), minimum=Decimal("100.00"), maximum=Decimal("2000.00"))
    assert priced(charge, calls(number)).amount == amount


def test_a_charge_that_prorates_shrinks_included_units_bounds_floor_and_cap() -> None:
    charge = replace(
        PER_CALL,
        rate=None,
        included=Decimal(310),
        tiers=(Tier(Decimal(620), Decimal(1), Decimal(7)), Tier(None, Decimal("0.50"))),
        maximum=Decimal("930.00"),
        minimum=Decimal("31.00"),
        prorate=True,
    )
    part = priced(charge, calls(1000), span=LATE_JANUARY)
    assert told(part)[0] == (
        "10 to 31 January 2021 is 22 of 31 days: included units, tiers, floor and cap × 22/31"
    )
    assert part.amount == 61000 + 700  # 440 x 1.00 and 7.00 once, 340 x 0.50
    assert priced(charge, calls(2000), span=LATE_JANUARY).amount == 66000  # 930 x 22/31
    small = replace(charge, tiers=(Tier(None, Decimal(1)),))
    assert priced(small, calls(1), span=LATE_JANUARY).amount == 2200  # 31 x 22/31
    whole = priced(replace(charge, prorate=False), calls(1000), span=LATE_JANUARY)
    assert told(whole)[0] == (
        "10 to 31 January 2021 is 22 of 31 days: "
        "included units, tiers, floor and cap not prorated, whole in this part"
    )
    assert whole.amount == 62000 + 700 + 3500


def test_a_floor_that_does_not_prorate_waits_for_the_part_that_closes_the_period() -> None:
    charge = replace(PER_CALL, rate=Decimal(1), minimum=Decimal("100.00"), maximum=Decimal("500.00"))
    early = JANUARY.part(date(2021, 1, 1), date(2021, 1, 10))
    line = priced(charge, calls(1), span=early, closes_period=False)
    assert (line.amount, told(line)[0]) == (
        100,
        "1 to 9 January 2021 is 9 of 31 days: cap not prorated, whole in this part; "
        "floor only in the part that closes the period",
    )
    assert priced(charge, calls(1), span=LATE_JANUARY).amount == 10000
    assert priced(replace(charge, prorate=True), calls(1), span=early, closes_period=False).amount == 2903


RATES = st.decimals(0, 100, places=4)
BOUNDS = st.lists(st.integers(1, 5000), max_size=4, unique=True).map(sorted)


@st.composite
def charges(draw: st.DrawFn, **fixed: object) -> UsageCharge:
    """A charge per call with any price, never cheaper by more calls: no volume tiers, no cap."""
    flats = st.decimals(0, 50, places=2)
    tiers = tuple(Tier(Decimal(bound), draw(RATES), draw(flats)) for bound in draw(BOUNDS))
    price = draw(st.sampled_from(["rate", "tiers", "package"]))
    return UsageCharge(
        "calls",
        "Calls",
        "call",
        rate=draw(RATES) if price == "rate" else None,
        tiers=(*tiers, Tier(None, draw(RATES), draw(flats))) if price == "tiers" else (),
        package=Package(draw(st.integers(1, 100)), draw(RATES)) if price == "package" else None,
        included=draw(st.none() | st.integers(0, 3000).map(Decimal)),
        connection_fee=draw(st.none() | RATES),
        minimum=draw(st.none() | flats),
        round_each_call=draw(st.none() | st.integers(0, 4)),
        **fixed,  # type: ignore[arg-type]
    )


@given(charges(), st.integers(0, 10_000), st.integers(0, 1000))
def test_more_calls_never_cost_less(charge: UsageCharge, number: int, more: int) -> None:
    assert priced(charge, calls(number + more)).amount >= priced(charge, calls(number)).amount


@given(charges(), st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_cap_is_never_passed_and_changes_nothing_below_it(
    charge: UsageCharge, number: int, cap: int
) -> None:
    charge = replace(charge, minimum=None)
    free = priced(charge, calls(number)).amount
    assert priced(replace(charge, maximum=Decimal(cap)), calls(number)).amount == min(free, cap * 100)


@given(RATES, st.integers(0, 10_000), BOUNDS, st.sampled_from(["graduated", "volume"]))
def test_tiers_of_one_price_are_that_price(price: Decimal, number: int, bounds: list[int], mode: str) -> None:
    tiers = tuple(Tier(Decimal(bound), price) for bound in bounds)
    tiered = replace(PER_CALL, rate=None, tiers=(*tiers, Tier(None, price)), tier_mode=mode)  # type: ignore[arg-type]
    assert priced(tiered, calls(number)).amount == priced(replace(PER_CALL, rate=price), calls(number)).amount


@given(charges(), st.integers(0, 10_000))
def test_a_change_of_nothing_changes_nothing(charge: UsageCharge, number: int) -> None:
    zeros = replace(
        charge,
        included=charge.included or Decimal(0),
        connection_fee=charge.connection_fee or Decimal(0),
        minimum=charge.minimum or Decimal(0),
        prorate=True,
        pooled=True,
    )
    assert priced(zeros, calls(number)).amount == priced(charge, calls(number)).amount


@given(charges(prorate=True), st.integers(1, 30), st.integers(0, 300))
def test_prorated_parts_in_proportion_add_up_to_the_whole(charge: UsageCharge, cut: int, daily: int) -> None:
    """Where calls come evenly and the price is linear: no packages, flats, or rounded calls."""
    tiers = tuple(replace(tier, flat=Decimal(0)) for tier in charge.tiers)
    linear = replace(charge, tiers=tiers, package=None, round_each_call=None)
    if charge.package is not None:
        linear = replace(linear, rate=Decimal(1))
    middle = date(2021, 1, 1 + cut)
    first, last = JANUARY.part(JANUARY.first_day, middle), JANUARY.part(middle, JANUARY.end_day)
    parts = priced(linear, calls(daily * cut), span=first, closes_period=False).amount
    parts += priced(linear, calls(daily * (31 - cut)), span=last).amount
    assert abs(parts - priced(linear, calls(daily * 31)).amount) <= 1


@given(st.integers(0, 10**6), st.integers(0, 500), RATES)
def test_an_overage_is_the_exact_product_rounded_once(seconds: int, included: int, price: Decimal) -> None:
    quantity = Quantity.counted(ChargeCount("minutes", 3, seconds), "minute")
    line = priced(replace(PER_MINUTE, rate=price, included=Decimal(included)), quantity)
    assert line.amount == to_minor(
        max(Fraction(seconds, 60) - included, Fraction(0)) * Fraction(price), "USD"
    )
