"""Dates, walls and periods, found by walking."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def wall(instant: datetime, zone: str) -> datetime:
    """What clock and calendar on a wall of the zone show."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@cache
def begins(day: date, zone: str) -> datetime:
    """The first instant of a day, found minute by minute."""
    instant = datetime.combine(day, time(), UTC) - timedelta(hours=16)
    while wall(instant, zone).date() < day:
        instant += timedelta(minutes=1)
    return instant


def is_billing_day(day: date, billing_day: int) -> bool:
    """True on the billing day, or on the last day of a month that is too short for it."""
    month_ends = (day + ONE_DAY).day == 1
    return day.day == billing_day or (month_ends and day.day < billing_day)


def period_of_month(month: str, billing_day: int) -> tuple[date, date]:
    """First day, and the day after the last, of the period that starts in the month "2026-03"."""
    first = date.fromisoformat(month + "-01")
    while not is_billing_day(first, billing_day):
        first += ONE_DAY
    end = first + ONE_DAY
    while not is_billing_day(end, billing_day):
        end += ONE_DAY
    return first, end


def days_in(first: date, end: date) -> list[date]:
    """Every date from `first` until before `end`."""
    days = []
    while first < end:
        days.append(first)
        first += ONE_DAY
    return days


def used(part: tuple[date, date], whole: tuple[date, date]) -> Fraction:
    """Days used over days in the period (M9)."""
    return Fraction(len(days_in(*part)), len(days_in(*whole)))


def in_days(instant: datetime, first: date, end: date, zone: str) -> bool:
    """True if the instant is in the half-open span of days (M6)."""
    return begins(first, zone) <= instant < begins(end, zone)
