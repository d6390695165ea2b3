"""Fees whose quantity changes over time, and fees in parts of a period: M8, M9, M16."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.fee_lines import NoHistory, quantity_over
from callbill.rules.period import Part
from callbill.rules.rating import rate
from callbill.rules.terms import Fee, QuantityOverTime
from tests.rules.rating_values import FEBRUARY, JANUARY, PLATFORM, january, terms_of

SEATS = {
    "seats": (
        (date(2021, 1, 21), Decimal(15)),
        (date(2020, 12, 1), Decimal(12)),
        (date(2021, 1, 11), Decimal(20)),
        (date(2021, 2, 10), Decimal(3)),
    )
}
FIRST_HALF = JANUARY.part(date(2021, 1, 1), date(2021, 1, 16))


def seats(by: str, **more: object) -> Fee:
    return replace(PLATFORM, amount=Decimal(10), quantity=QuantityOverTime(by, "seats"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("by", "many", "text"),
    [
        ("fixed", Fraction(12), "seats on 1 January 2021: 12"),
        ("maximum", Fraction(20), "seats most on one day of 1 to 31 January 2021: 20"),
        (
            "average",
            Fraction(485, 31),
            "seats on average: (12 × 10 + 20 × 10 + 15 × 11) ÷ 31 days: 15.645161…",
        ),
        ("end", Fraction(15), "seats on 31 January 2021: 15"),
    ],
)
def test_a_quantity_out_of_a_history(by: str, many: Fraction, text: str) -> None:
    line = rate(january(terms_of(fees=(seats(by),)), quantity_history=SEATS)).lines[0]
    assert (line.quantity, line.derivation[0].text) == (many, text)
    assert line.amount == round(many * 1000)


def test_each_part_looks_at_its_own_days() -> None:
    fee = seats("average", when="advance", prorate=True)
    parts = (Part(FIRST_HALF, JANUARY), Part.all_of(FEBRUARY))
    lines = rate(january(terms_of(fees=(fee,)), quantity_history=SEATS, advance_for=parts)).lines
    assert [line.quantity for line in lines] == [Fraction(220, 15), Fraction(15 * 9 + 3 * 19, 28)]
    assert lines[0].amount == 7097  # 10 x 220/15 x 15/31


@pytest.mark.parametrize(
    ("histories", "words"),
    [
        ({}, "there is no history of seats"),
        ({"seats": ()}, "there is no history of seats"),
        (
            {"seats": ((date(2021, 1, 2), Decimal(1)),)},
            "begins on 2021-01-02; say also what held on 2021-01-01",
        ),
    ],
)
def test_a_history_that_does_not_say_it_is_an_error(histories: dict[str, object], words: str) -> None:
    with pytest.raises(NoHistory, match=words):
        rate(january(terms_of(fees=(seats("end"),)), quantity_history=histories))


@given(st.dictionaries(st.dates(date(2021, 1, 2), date(2021, 2, 10)), st.decimals(0, 50, places=2)))
def test_an_average_is_the_sum_of_the_days(changes: dict[date, Decimal]) -> None:
    history = ((date(2021, 1, 1), Decimal(4)), *changes.items())
    by_day, value = [], Decimal(4)
    for day in (date(2021, 1, number) for number in range(1, 32)):
        value = changes.get(day, value)
        by_day.append(Fraction(value))
    ways = {by: quantity_over(QuantityOverTime(by, "s"), JANUARY, {"s": history})[0] for by in BY}  # type: ignore[arg-type]
    assert ways == {
        "average": sum(by_day) / 31,
        "maximum": max(by_day),
        "fixed": by_day[0],
        "end": by_day[-1],
    }


BY = ("fixed", "maximum", "average", "end")


def test_a_fee_that_does_not_prorate_is_charged_in_the_part_that_closes_the_period() -> None:
    fees = (PLATFORM, replace(PLATFORM, id="days", prorate=True))
    first = rate(january(terms_of(fees=fees), span=FIRST_HALF, closes_period=False))
    assert [(line.charge, line.amount) for line in first.lines] == [("days", 2371)]
    last = rate(january(terms_of(fees=fees), span=JANUARY.part(date(2021, 1, 16), JANUARY.end_day)))
    assert [(line.charge, line.amount) for line in last.lines] == [("platform", 4900), ("days", 2529)]
