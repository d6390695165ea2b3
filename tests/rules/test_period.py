"""Billing periods: M6, M7 and M9."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callbill.rules.period import (
    Part,
    Period,
    UnknownTimeZone,
    day_start,
    following,
    local_day,
    period_containing,
    period_named,
    preceding,
    time_zone,
)

NEW_YORK = "America/New_York"
# Zones whose clocks change at midnight, over midnight, by half an hour, by a whole day, or never.
ZONES = st.sampled_from(
    [
        "UTC",
        NEW_YORK,
        "Europe/Berlin",
        "America/Sao_Paulo",  # midnight skipped until 2018
        "America/Havana",  # 00:00 becomes 01:00, and 01:00 becomes 00:00
        "Asia/Beirut",  # midnight skipped
        "Africa/Cairo",
        "America/St_Johns",  # until 2011 turned back at 00:01, over midnight
        "America/Toronto",  # 1919: turned forward at 23:30, over midnight
        "Australia/Lord_Howe",  # half an hour
        "Pacific/Apia",  # 30 December 2011 does not exist
        "Asia/Kathmandu",
    ]
)
DAYS = st.dates(date(1918, 1, 1), date(2037, 12, 31))
INSTANTS = st.builds(
    lambda day, seconds: datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds),
    DAYS,
    st.integers(0, 86_399),
)
BILLING_DAYS = st.integers(1, 31)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "billing_day", "first_day", "end_day"),
    [
        ("2021-01", 1, date(2021, 1, 1), date(2021, 2, 1)),
        ("2021-12", 1, date(2021, 12, 1), date(2022, 1, 1)),
        ("2021-01", 31, date(2021, 1, 31), date(2021, 2, 28)),
        ("2021-02", 31, date(2021, 2, 28), date(2021, 3, 31)),
        ("2024-02", 30, date(2024, 2, 29), date(2024, 3, 30)),
        ("2021-04", 31, date(2021, 4, 30), date(2021, 5, 31)),
        ("2021-03", 15, date(2021, 3, 15), date(2021, 4, 15)),
    ],
)
def test_a_period_is_named_by_the_month_it_starts_in(
    key: str, billing_day: int, first_day: date, end_day: date
) -> None:
    period = period_named(key, billing_day, NEW_YORK)
    assert period == Period(first_day, end_day, NEW_YORK)
    assert period.key == key


@pytest.mark.parametrize(
    "key", ["2021-13", "2021-00", "2021-1", "21-01", "2021-01-01", "0000-01", "", "٢٠٢١-01"]
)
def test_a_key_that_is_no_month_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not a month"):
        period_named(key, 1, "UTC")


@pytest.mark.parametrize("billing_day", [0, 32, -1])
def test_a_billing_day_is_a_day_of_the_month(billing_day: int) -> None:
    with pytest.raises(ValueError, match="1 to 31"):
        period_named("2021-01", billing_day, "UTC")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "New York"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(UnknownTimeZone, match="not an IANA time zone"):
        Period(date(2021, 1, 1), date(2021, 2, 1), zone)


@pytest.mark.parametrize(
    ("day", "zone", "start"),
    [
        (date(2026, 3, 1), NEW_YORK, "2026-03-01T05:00:00"),
        (date(2026, 4, 1), NEW_YORK, "2026-04-01T04:00:00"),
        (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00:00"),  # the day begins at 01:00
        (date(1919, 3, 31), "America/Toronto", "1919-03-31T04:30:00"),  # the day begins at 00:30
        (date(2021, 11, 7), "America/Havana", "2021-11-07T04:00:00"),  # the first of two midnights
        (date(2010, 11, 7), "America/St_Johns", "2010-11-07T02:30:00"),  # the first of two midnights
        (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00:00"),  # skipped: begins with the 31st
        (date(2011, 12, 31), "Pacific/Apia", "2011-12-30T10:00:00"),
    ],
)
def test_a_local_day_begins_at_its_first_instant(day: date, zone: str, start: str) -> None:
    assert day_start(day, zone) == utc(start)


def test_a_month_with_a_clock_change_is_an_hour_shorter_or_longer() -> None:
    march, november = period_named("2026-03", 1, NEW_YORK), period_named("2026-11", 1, NEW_YORK)
    assert march.end - march.start == timedelta(days=31, hours=-1)
    assert november.end - november.start == timedelta(days=30, hours=1)
    assert (march.days, november.days) == (31, 30)


def test_a_period_is_half_open() -> None:
    january = period_named("2021-01", 1, NEW_YORK)
    assert january.contains(utc("2021-01-01T05:00:00"))
    assert not january.contains(utc("2021-01-01T04:59:59.999999"))
    assert january.contains(utc("2021-02-01T04:59:59.999999"))
    assert not january.contains(utc("2021-02-01T05:00:00"))


@given(ZONES, DAYS)
@example("Pacific/Apia", date(2011, 12, 30))
@example("America/St_Johns", date(2010, 11, 7))
@example("America/Toronto", date(1919, 3, 31))
@example("America/Havana", date(2021, 11, 7))
def test_days_tile_time(zone: str, day: date) -> None:
    start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    assert start <= end
    for instant in (start, start + (end - start) / 3, end - timedelta(microseconds=1)):
        if start <= instant < end:
            assert local_day(instant, zone) == day
    # The first instant of a day is the first whose wall date has come.
    local = time_zone(zone)
    assert start.astimezone(local).date() >= day
    assert (start - timedelta(seconds=1)).astimezone(local).date() < day


@given(ZONES, DAYS, BILLING_DAYS)
def test_periods_tile_time_for_every_billing_day(zone: str, day: date, billing_day: int) -> None:
    period = period_containing(day, billing_day, zone)
    assert period.first_day <= day < period.end_day
    after, before = following(period, billing_day), preceding(period, billing_day)
    assert after.first_day == period.end_day
    assert after.start == period.end
    assert before.end_day == period.first_day
    assert before.end == period.start
    assert preceding(after, billing_day) == following(before, billing_day) == period
    assert period_named(period.key, billing_day, zone) == period


@given(ZONES, INSTANTS, BILLING_DAYS)
def test_every_instant_is_in_exactly_one_period(zone: str, instant: datetime, billing_day: int) -> None:
    period = period_containing(local_day(instant, zone), billing_day, zone)
    assert period.contains(instant)
    assert not following(period, billing_day).contains(instant)
    assert not preceding(period, billing_day).contains(instant)


def test_the_hour_between_two_midnights_belongs_to_the_new_day() -> None:
    # St. John's, 7 November 2010: at 00:01 the clocks went back to 23:01 of the 6th.
    again = utc("2010-11-07T03:00:00")
    assert again.astimezone(time_zone("America/St_Johns")).date() == date(2010, 11, 6)
    assert local_day(again, "America/St_Johns") == date(2010, 11, 7)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        local_day(datetime(2021, 1, 1), "UTC")  # noqa: DTZ001


@pytest.mark.parametrize(
    ("first_day", "end_day", "label"),
    [
        (date(2021, 1, 1), date(2021, 2, 1), "1 to 31 January 2021"),
        (date(2021, 1, 15), date(2021, 2, 15), "15 January to 14 February 2021"),
        (date(2020, 12, 15), date(2021, 1, 15), "15 December 2020 to 14 January 2021"),
        (date(2021, 1, 31), date(2021, 2, 1), "31 January 2021"),
    ],
)
def test_a_label_in_plain_words(first_day: date, end_day: date, label: str) -> None:
    assert Period(first_day, end_day, "UTC").label == label


def test_parts_of_a_period() -> None:
    january = period_named("2021-01", 1, NEW_YORK)
    part = january.part(date(2021, 1, 10), date(2021, 2, 1))
    assert part.days == 22
    assert Part(part, january).fraction == Fraction(22, 31)
    assert not Part(part, january).is_whole
    assert Part.all_of(january).fraction == 1
    assert january.overlap(date(2021, 1, 10), None) == part
    assert january.overlap(None, date(2021, 1, 2)) == january.part(date(2021, 1, 1), date(2021, 1, 2))
    assert january.overlap(date(2021, 2, 1), None) is None
    with pytest.raises(ValueError, match="not inside"):
        january.part(date(2020, 12, 31), date(2021, 1, 5))
    with pytest.raises(ValueError, match="no day"):
        january.part(date(2021, 1, 5), date(2021, 1, 5))
    with pytest.raises(ValueError, match="its period in"):
        Part(Period(date(2021, 1, 1), date(2021, 1, 2), "UTC"), january)


@given(ZONES, DAYS, BILLING_DAYS, st.data())
def test_parts_cut_anywhere_add_up_to_the_whole(
    zone: str, day: date, billing_day: int, data: st.DataObject
) -> None:
    period = period_containing(day, billing_day, zone)
    cut = period.first_day + timedelta(days=data.draw(st.integers(1, period.days - 1)))
    early, late = period.part(period.first_day, cut), period.part(cut, period.end_day)
    assert early.end == late.start
    assert Part(early, period).fraction + Part(late, period).fraction == 1
