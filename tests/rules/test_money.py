"""Amounts, rounding and sharing: M1, M2, M3."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.money import (
    EXPONENTS,
    CurrencyMismatch,
    Money,
    UnknownCurrency,
    exponent,
    plain,
    round_half_away,
    round_parts,
    share,
    to_minor,
)

CURRENCIES = st.sampled_from(sorted(EXPONENTS))
FRACTIONS = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**6)


@pytest.mark.parametrize(
    ("currency", "places"),
    [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("HUF", 2), ("ISK", 0)],
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, places: int) -> None:
    assert exponent(currency) == places


@pytest.mark.parametrize("code", ["", "usd", "US", "XXX", "XAU", "USDT", "EURO"])
def test_a_code_that_is_no_billable_currency_is_named(code: str) -> None:
    with pytest.raises(UnknownCurrency, match="three capital letters"):
        Money(1, code)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.34", "USD", 1234),
        ("12.3", "USD", 1230),
        ("12.340", "USD", 1234),
        ("-0.05", "USD", -5),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("123456789012345678901234567890.12", "USD", 12345678901234567890123456789012),
    ],
)
def test_an_amount_is_read_from_major_units(text: str, currency: str, minor: int) -> None:
    assert Money.of(text, currency) == Money(minor, currency)
    assert Money.of(Decimal(text), currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("12.345", "USD"),
        ("0.5", "JPY"),
        ("1.2345", "KWD"),
        ("1e3", "USD"),
        ("", "USD"),
        (" 1", "USD"),
        ("1,5", "USD"),
    ],
)
def test_an_amount_that_does_not_fit_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"decimals of|is not an amount"):
        Money.of(text, currency)


@pytest.mark.parametrize("value", [1.5, True, None, Decimal("NaN")])
def test_an_amount_is_never_a_float(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Money.of(value, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(value, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (-5, "USD", "-0.05"),
        (0, "USD", "0.00"),
        (1500, "JPY", "1500"),
        (1, "KWD", "0.001"),
        (102735, "USD", "1027.35"),
    ],
)
def test_an_amount_is_written_with_all_its_decimals(minor: int, currency: str, text: str) -> None:
    assert Money(minor, currency).text == plain(minor, currency) == text


@given(minor=st.integers(), currency=CURRENCIES)
def test_an_amount_of_any_size_survives_its_text(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.of(money.text, currency) == money
    assert Money.of(money.major, currency) == money


def test_amounts_add_subtract_and_compare_within_one_currency() -> None:
    five, two = Money(500, "USD"), Money(200, "USD")
    assert five + two == Money(700, "USD")
    assert two - five == Money(-300, "USD")
    assert abs(two - five) == -(two - five) == 3 * Money(100, "USD")
    assert two < five
    assert two <= Money(200, "USD")
    assert five > two
    assert five >= Money(500, "USD")
    assert Money.total([five, two], "USD") == Money(700, "USD")
    assert Money.total([], "USD") == Money.zero("USD")
    assert str(five) == "5.00 USD"


def test_currencies_do_not_mix() -> None:
    dollars, euros = Money(1, "USD"), Money(1, "EUR")
    for mixed in (
        lambda: dollars + euros,
        lambda: dollars - euros,
        lambda: dollars < euros,
        lambda: dollars <= euros,
        lambda: dollars > euros,
        lambda: dollars >= euros,
        lambda: Money.total([dollars, euros], "USD"),
    ):
        with pytest.raises(CurrencyMismatch, match="do not mix"):
            mixed()
    assert dollars != euros
    with pytest.raises(TypeError):
        dollars * Decimal("1.5")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("0.5", 1),
        ("-0.5", -1),
        ("1.5", 2),
        ("2.5", 3),
        ("-2.5", -3),
        ("2.499999999999", 2),
        ("0.49", 0),
        ("7", 7),
    ],
)
def test_a_half_goes_away_from_zero(value: str, rounded: int) -> None:
    assert round_half_away(Decimal(value)) == rounded
    assert round_half_away(Fraction(value)) == rounded


@given(FRACTIONS)
def test_rounding_is_symmetric_and_nearest(value: Fraction) -> None:
    rounded = round_half_away(value)
    assert round_half_away(-value) == -rounded
    assert abs(value - rounded) <= Fraction(1, 2)
    if abs(value - rounded) == Fraction(1, 2):
        assert abs(rounded) > abs(value)


@pytest.mark.parametrize(
    ("major", "currency", "minor"),
    [("1027.345", "USD", 102735), ("1.5", "JPY", 2), ("0.0005", "KWD", 1), ("-1.005", "USD", -101)],
)
def test_an_exact_amount_is_rounded_once_to_its_currency(major: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(major), currency) == minor


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (2200, [120, 40, 310], [562, 187, 1451]),  # M18
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (101, [0, 1, 1, 0], [0, 51, 50, 0]),
        (5, [0, 0], [3, 2]),
        (0, [3, 4], [0, 0]),
        (7, [Fraction(1, 3), Fraction(2, 3)], [2, 5]),
    ],
)
def test_shares_by_largest_remainder(total: int, weights: list[Fraction | int], shares: list[int]) -> None:
    assert share(total, weights) == shares


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.fractions(0, 10**6, max_denominator=1000), min_size=1, max_size=9),
)
def test_shares_add_up_are_fair_and_mirror(total: int, weights: list[Fraction]) -> None:
    shares = share(total, weights)
    assert sum(shares) == total
    assert share(-total, weights) == [-part for part in shares]
    whole = sum(weights)
    if whole:
        for part, weight in zip(shares, weights, strict=True):
            assert abs(part - total * weight / whole) < 1
            assert weight or part == 0


@given(st.lists(FRACTIONS, max_size=9))
def test_rounded_parts_of_any_sign_add_up_to_the_rounded_sum(parts: list[Fraction]) -> None:
    rounded = round_parts(parts)
    assert sum(rounded) == round_half_away(sum(parts, Fraction(0)))
    for whole, part in zip(rounded, parts, strict=True):
        assert abs(whole - part) < 1


def test_there_must_be_somebody_to_share_with() -> None:
    assert share(0, []) == []
    with pytest.raises(ValueError, match="nobody"):
        share(1, [])
    with pytest.raises(ValueError, match="negative"):
        share(1, [2, -1])
