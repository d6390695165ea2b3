"""The oracle itself, on figures that are known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from tests.oracle.cents import largest_remainder, minor, rounded, share_out, whole
from tests.oracle.charge import price
from tests.oracle.count import seconds_billed
from tests.oracle.days import begins, period_of_month

NO_PART = Fraction(1)


def cost(charge: dict[str, object], *calls: int | Fraction, part: Fraction = NO_PART) -> Fraction:
    """The price of calls of so many units."""
    return price(charge, [Fraction(units) for units in calls], part)


def test_a_thousand_calls_of_37_seconds() -> None:
    calls = [Fraction(37, 60)] * 1000
    assert minor(cost({"rate": "0.10"}, *calls), "USD") == 6167
    assert cost({"rate": "0.10", "round_each_call": 2}, *calls) == 60


def test_two_minutes_are_0_70() -> None:
    assert cost({"rate": "0.10", "connection_fee": "0.50"}, 2) == Fraction("0.70")


@pytest.mark.parametrize(
    ("milliseconds", "increments", "seconds"),
    [
        (31_000, "30/60", 90),
        (61_000, "30/60", 90),
        (60_001, "60/6", 66),
        (0, "60/60", 0),
        (1, "1/1", 1),
    ],
)
def test_increments(milliseconds: int, increments: str, seconds: int) -> None:
    assert seconds_billed(milliseconds, increments) == seconds


def test_graduated_and_volume() -> None:
    tiers = [{"up_to": 1000, "rate": "1.20"}, {"up_to": 5000, "rate": "1.00"}, {"rate": "0.80"}]
    calls = [1] * 6200
    assert cost({"tiers": tiers}, *calls) == 6160
    assert cost({"tiers": tiers, "tier_mode": "volume"}, *calls) == 4960
    assert cost({"tiers": tiers, "tier_mode": "volume"}, 1000) == 1200
    assert cost({"tiers": tiers, "prorate": True}, 1000, part=Fraction(1, 2)) == 600 + 500


@pytest.mark.parametrize(("units", "amount"), [(0, 2), (1, 12), (10, 102), (11, 110)])
def test_flats_of_tiers(units: int, amount: int) -> None:
    tiers = [{"up_to": 10, "rate": "10", "flat": "2"}, {"rate": "5", "flat": "3"}]
    assert cost({"tiers": tiers}, *[1] * units) == amount


@pytest.mark.parametrize(("units", "amount"), [(100, 210), (Fraction(201, 2), Fraction(201, 2)), (101, 101)])
def test_flats_of_volume_tiers(units: int, amount: int) -> None:
    tiers = [{"up_to": 100, "rate": "2", "flat": "10"}, {"rate": "1"}]
    assert cost({"tiers": tiers, "tier_mode": "volume"}, units) == amount


def test_packages_included_floor_and_cap() -> None:
    tens = {"size": 10, "rate": "100"}
    assert cost({"package": tens}, *[1] * 121) == 1300
    assert cost({"package": tens, "included": 10}, *[1] * 121) == 1200
    assert cost({"rate": "2.25", "included": 250}, 310) == 135
    assert cost({"rate": "1", "minimum": "100"}) == 100
    assert cost({"rate": "1", "maximum": "2000"}, 2150) == 2000


def test_shares_add_up() -> None:
    assert share_out(2200, [Fraction(120), Fraction(40), Fraction(310)]) == [562, 187, 1451]
    assert largest_remainder(5583, [Fraction(net, 5) for net in (6833, 6833, 5750, 8500)]) == [
        1367,
        1366,
        1150,
        1700,
    ]
    assert largest_remainder(-1, [Fraction(-1, 2), Fraction(-1, 2)]) == [-1, 0]
    assert [whole(Fraction(value)) for value in ("2.5", "-2.5", "2.4", "-2.4")] == [3, -3, 2, -2]
    assert rounded(Fraction("1.005"), 2) == Fraction("1.01")


def test_days_begin_and_periods_end() -> None:
    assert period_of_month("2026-01", 31) == (date(2026, 1, 31), date(2026, 2, 28))
    assert period_of_month("2026-02", 31) == (date(2026, 2, 28), date(2026, 3, 31))
    assert period_of_month("2024-02", 30) == (date(2024, 2, 29), date(2024, 3, 30))
    # Midnight did not exist, came twice, or a whole day was left out.
    assert begins(date(2018, 11, 4), "America/Sao_Paulo") == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert begins(date(2010, 11, 7), "America/St_Johns") == datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    assert begins(date(2011, 12, 30), "Pacific/Apia") == begins(date(2011, 12, 31), "Pacific/Apia")
