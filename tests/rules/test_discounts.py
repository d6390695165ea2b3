"""Discounts by percentage and by amount: M3."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.discounts import apply_discounts, holds_for
from callbill.rules.money import round_half_away
from callbill.rules.terms import Discount
from tests.rules.rating_values import FEBRUARY, JANUARY, a_line

TEN = Discount("Launch promotion", percent=Decimal(10))


def test_a_discount_is_rounded_once_and_shared_by_largest_remainder() -> None:
    # 10 % of each line would be 0.01 + 0.01 + 0.01; of their sum, 0.15, it is 0.02.
    lines, discounts = apply_discounts([a_line("a", 5), a_line("b", 5), a_line("c", 5)], [TEN], JANUARY)
    assert [line.discount for line in lines] == [-1, -1, 0]
    assert [(line.kind, line.charge, line.name, line.amount) for line in discounts] == [
        ("discount", "discount-1", "Launch promotion", -2)
    ]
    assert discounts[0].derivation[0].text == "10 % of 0.15 = 0.015, rounded to 0.02"
    assert lines[2].derivation[-1].text == "Launch promotion, 10 % of 0.05: this line's share is 0.00"


def test_each_discount_is_on_what_the_one_before_left() -> None:
    half = Discount("Half", percent=Decimal(50), applies_to=("a",))
    lines, discounts = apply_discounts([a_line("a", 10000), a_line("b", 10000)], [TEN, half], JANUARY)
    assert [line.amount for line in discounts] == [-2000, -4500]
    assert [line.net for line in lines] == [4500, 9000]


@pytest.mark.parametrize(
    ("first", "last", "holds"),
    [
        (None, None, True),
        (date(2021, 1, 1), None, True),
        (date(2021, 1, 2), None, False),
        (None, date(2021, 1, 1), True),
        (None, date(2020, 12, 31), False),
    ],
)
def test_a_dated_discount_holds_by_the_first_day_of_the_line(
    first: date | None, last: date | None, holds: bool
) -> None:
    assert holds_for(replace(TEN, from_date=first, until_date=last), a_line("a", 1)) is holds


def test_a_fee_in_advance_has_the_discounts_of_its_own_month() -> None:
    until_january = replace(TEN, until_date=date(2021, 1, 31))
    lines, discounts = apply_discounts(
        [a_line("a", 1000), a_line("fee", 1000, kind="fee", period=FEBRUARY)], [until_january], JANUARY
    )
    assert [line.discount for line in lines] == [-100, 0]
    assert [line.amount for line in discounts] == [-100]


def test_a_discount_covers_usage_and_fees_only_and_says_nothing_about_nothing() -> None:
    lines, discounts = apply_discounts(
        [a_line("a", 0), a_line("x", 1000, kind="adjustment"), a_line("minimum", 1000, kind="minimum")],
        [TEN, replace(TEN, applies_to=("x", "minimum"))],
        JANUARY,
    )
    assert [line.discount for line in lines] == [0, 0, 0]
    assert discounts == []


FIFTY = Discount("Goodwill", amount=Decimal("50.00"))


def test_an_amount_is_shared_by_largest_remainder() -> None:
    lines, discounts = apply_discounts(
        [a_line("a", 10000), a_line("b", 20000), a_line("c", 0)], [FIFTY], JANUARY
    )
    assert [line.discount for line in lines] == [-1667, -3333, 0]
    assert discounts[0].amount == -5000
    assert discounts[0].derivation[0].text == "50.00 off 300.00"
    assert lines[0].derivation[-1].text == (
        "Goodwill, 50.00 shared over 300.00, for 100.00: this line's share is -16.67"
    )


def test_an_amount_takes_no_more_than_the_ones_before_left() -> None:
    lines, discounts = apply_discounts([a_line("a", 3000), a_line("b", 9)], [TEN, FIFTY, FIFTY], JANUARY)
    assert [line.amount for line in discounts] == [-301, -2708]  # the third finds nothing
    assert [line.net for line in lines] == [0, 0]
    assert discounts[1].derivation[0].text == "50.00 off 27.08, no more than there is: 27.08"


def test_an_amount_is_taken_once_in_the_part_that_closes_the_period() -> None:
    lines, discounts = apply_discounts([a_line("a", 10000)], [FIFTY, TEN], JANUARY, closes=False)
    assert [(line.charge, line.amount) for line in discounts] == [("discount-2", -1000)]
    assert lines[0].net == 9000


def test_the_tax_inside_is_taken_out_of_the_shares_and_prices_stay() -> None:
    lines, discounts = apply_discounts(
        [a_line("a", 1000), a_line("b", 1000)], [TEN], JANUARY, inside=[Fraction(20), Fraction(0)]
    )
    assert [(line.amount, line.discount, line.net) for line in lines] == [(983, -83, 900), (1000, -100, 900)]
    assert discounts[0].amount == -183


@given(st.lists(st.integers(0, 10**5), max_size=8), st.decimals(0, 10**4, places=2))
def test_no_line_gives_more_than_it_has(amounts: list[int], amount: Decimal) -> None:
    before = [a_line(f"c{index}", each) for index, each in enumerate(amounts)]
    lines, discounts = apply_discounts(before, [Discount("D", amount=amount)], JANUARY)
    assert all(0 <= line.net <= line.amount for line in lines)
    taken = min(sum(amounts), int(amount * 100))
    assert -sum(line.amount for line in discounts) == taken == -sum(line.discount for line in lines)


@given(
    st.lists(st.integers(0, 10**7), max_size=8),
    st.lists(st.decimals(0, 100, places=3), min_size=1, max_size=3),
)
def test_shares_add_up_to_the_discount_lines(amounts: list[int], percents: list[Decimal]) -> None:
    before = [a_line(f"c{index}", amount) for index, amount in enumerate(amounts)]
    lines, discounts = apply_discounts(
        before, [Discount("D", percent=percent) for percent in percents], JANUARY
    )
    assert sum(line.discount for line in lines) == sum(line.amount for line in discounts)
    left = sum(amounts)
    for percent in percents:
        left -= round_half_away(left * Fraction(percent) / 100)
    assert sum(line.net for line in lines) == left
    assert all(0 <= line.net <= line.amount for line in lines)
