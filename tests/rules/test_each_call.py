"""Rounding each call: M2."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.lines import RatedLine
from callbill.rules.money import round_half_away, to_minor
from callbill.rules.prices import Quantity
from callbill.rules.rating import rate
from callbill.rules.terms import Package, Tier, UsageCharge
from tests.rules.rating_values import PER_CALL, PER_MINUTE, calls, january, terms_of

ROUNDED = replace(PER_MINUTE, rate=Decimal("0.10"), round_each_call=2)
TIERED = replace(ROUNDED, rate=None, tiers=(Tier(Decimal(1), Decimal("0.333")), Tier(None, Decimal("0.111"))))


def used(*runs: tuple[int, int]) -> Quantity:
    """Calls of (billed seconds, how many)."""
    return Quantity(Fraction(sum(s * n for s, n in runs), 60), sum(n for _, n in runs), runs)


def priced(charge: UsageCharge, quantity: Quantity) -> RatedLine:
    return rate(january(terms_of(charge), quantities={charge.id: quantity})).lines[0]


def test_each_call_is_rounded() -> None:
    line = priced(ROUNDED, used((37, 1000)))
    assert line.amount == 6000
    assert [step.text for step in line.derivation if step.kind == "each_call"] == [
        "a call of 37 s: 0.061666…, rounded to 0.06; × 1000 = 60",
        "each of 1000 calls rounded to 2 decimals, together 60",
    ]
    assert priced(replace(ROUNDED, round_each_call=None), used((37, 1000))).amount == 6167
    assert priced(replace(ROUNDED, round_each_call=12), used((37, 1000))).amount == 6167


def test_the_connection_fee_is_rounded_with_its_call_and_a_call_of_no_length_has_one() -> None:
    charge = replace(ROUNDED, connection_fee=Decimal("0.005"))
    assert priced(charge, used((0, 2), (37, 1))).amount == 2 + 7  # 0.005 is 0.01; 0.0666 is 0.07


def test_calls_use_up_what_is_included_and_tiers_in_order_of_time() -> None:
    included = replace(TIERED, included=Decimal(1))
    # 90 s pay half a minute at 0.333; 60 s half at 0.333 and half at 0.111; 60 s at 0.111.
    assert priced(included, used((90, 1), (60, 2))).amount == 17 + 22 + 11
    assert priced(included, used((60, 2), (90, 1))).amount == 0 + 33 + 17


def test_a_package_is_paid_by_the_call_that_starts_it() -> None:
    charge = replace(ROUNDED, rate=None, package=Package(2, Decimal("0.333")))
    assert priced(charge, used((60, 5))).amount == 3 * 33


def test_a_charge_per_call_needs_no_durations() -> None:
    charge = replace(PER_CALL, rate=Decimal("0.125"), round_each_call=2)
    assert priced(charge, calls(8)).amount == 8 * 13
    assert priced(replace(charge, included=Decimal(3)), calls(8)).amount == 5 * 13


def test_flat_amounts_are_added_once_and_not_rounded_with_a_call() -> None:
    charge = replace(TIERED, tiers=(Tier(None, Decimal("0.10"), Decimal("1.004")),))
    assert priced(charge, used((37, 10))).amount == 160  # 10 x 0.06 + 1.004


@pytest.mark.parametrize(
    "quantity",
    [Quantity(Fraction(1), 1), Quantity(Fraction(1), 2, ((60, 1),)), Quantity(Fraction(1), 1, ((6, 1),))],
)
def test_calls_whose_durations_are_not_known_cannot_be_rounded(quantity: Quantity) -> None:
    with pytest.raises(ValueError, match="minutes rounds each call"):
        priced(ROUNDED, quantity)


def test_many_different_calls_are_told_as_one_sum() -> None:
    line = priced(ROUNDED, used(*((second, 1) for second in range(1, 100))))
    assert [step.kind for step in line.derivation] == ["quantity", "price", "each_call"]


RUNS = st.lists(st.tuples(st.integers(0, 600), st.integers(1, 4)), max_size=12)
RATES = st.decimals(0, 10, places=5)


@given(RUNS, RATES, st.integers(0, 5), st.integers(0, 20))
def test_the_line_is_the_sum_of_its_calls_one_by_one(
    runs: list[tuple[int, int]], price: Decimal, places: int, included: int
) -> None:
    charge = replace(
        ROUNDED,
        rate=None,
        included=Decimal(included),
        round_each_call=places,
        tiers=(Tier(Decimal(7), price), Tier(None, price / 2)),
    )
    meter, total = Fraction(0), Fraction(0)

    def cost(minutes: Fraction) -> Fraction:
        over = max(minutes - included, Fraction(0))
        return min(over, Fraction(7)) * Fraction(price) + max(over - 7, Fraction(0)) * Fraction(price) / 2

    for seconds, many in runs:
        for _ in range(many):
            before, meter = cost(meter), meter + Fraction(seconds, 60)
            total += Fraction(round_half_away((cost(meter) - before) * 10**places), 10**places)
    assert priced(charge, used(*runs)).amount == to_minor(total, "USD")


@given(RUNS, RATES, st.integers(0, 3), st.integers(0, 20), st.integers(1, 15))
def test_packages_are_the_sum_of_their_calls_one_by_one(
    runs: list[tuple[int, int]], price: Decimal, places: int, included: int, size: int
) -> None:
    charge = replace(
        ROUNDED,
        rate=None,
        included=Decimal(included),
        round_each_call=places,
        package=Package(size, price),
        connection_fee=Decimal("0.004"),
    )
    meter, total = Fraction(0), Fraction(0)
    for seconds, many in runs:
        for _ in range(many):
            before, meter = meter, meter + Fraction(seconds, 60)
            started = [-(-max(at - included, Fraction(0)) // size) for at in (before, meter)]
            exact = (started[1] - started[0]) * Fraction(price) + Fraction("0.004")
            total += Fraction(round_half_away(exact * 10**places), 10**places)
    assert priced(charge, used(*runs)).amount == to_minor(total, "USD")


@pytest.mark.parametrize("price", [{"package": Package(7, Decimal("0.333"))}, {"tiers": TIERED.tiers}])
def test_a_billion_calls_are_no_more_work_than_ten(price: dict[str, object]) -> None:
    charge = replace(PER_CALL, rate=None, included=Decimal(5), round_each_call=2, **price)  # type: ignore[arg-type]
    assert priced(charge, calls(10**9)).amount > 10**9


@given(RUNS, RUNS, RATES, st.integers(0, 5))
def test_calls_that_come_later_never_make_it_cheaper(
    runs: list[tuple[int, int]], more: list[tuple[int, int]], price: Decimal, places: int
) -> None:
    charge = replace(TIERED, tiers=(Tier(Decimal(5), price), Tier(None, price / 3)), round_each_call=places)
    assert priced(charge, used(*runs, *more)).amount >= priced(charge, used(*runs)).amount
