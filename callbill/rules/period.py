"""Billing periods: half open, in local days of an IANA time zone, with an anchor day (M6, M9).

A local day begins at its first instant: at midnight; at the first midnight when the clocks are turned back
over it; and where midnight is skipped, at the first instant after the gap. So days, and the periods made of
them, tile time: every instant is in exactly one.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_KEY = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_DAY = timedelta(days=1)


class UnknownTimeZone(ValueError):
    """The name is not in the IANA time zone database."""


@lru_cache(maxsize=1024)
def time_zone(zone: str) -> ZoneInfo:
    """The IANA time zone of that name, such as "America/New_York". Raises UnknownTimeZone."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownTimeZone(
            f"{zone!r} is not an IANA time zone; write a name such as America/New_York or UTC"
        ) from None


@lru_cache(maxsize=65536)
def day_start(day: date, zone: str) -> datetime:
    """The first instant of a local day, in UTC. A day the zone skipped begins when the next one does."""
    local = time_zone(zone)
    midnight = datetime.combine(day, time(0), local)
    instant = midnight.astimezone(UTC)
    if instant.astimezone(local).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    # Midnight lies in a gap. A gap is at most a day long, so the day before is certain to be earlier.
    before, after = instant - _DAY - timedelta(seconds=1), instant
    while (span := after - before) > timedelta(seconds=1):
        middle = before + timedelta(seconds=span // timedelta(seconds=2))
        if middle.astimezone(local).date() < day:
            before = middle
        else:
            after = middle
    return after


def local_day(instant: datetime, zone: str) -> date:
    """The local day that an aware instant is billed in: day_start(day) <= instant < day_start(day + 1).

    It is the date on the wall, except for the hour before a midnight that the clocks repeat: that hour
    came after the first midnight and so belongs to the new day.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    day = instant.astimezone(time_zone(zone)).date()
    while instant >= day_start(day + _DAY, zone):
        day += _DAY
    while instant < day_start(day, zone):
        day -= _DAY
    return day


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Local days from `first_day` until before `end_day` in `zone` (M6)."""

    first_day: date
    end_day: date
    zone: str

    def __post_init__(self) -> None:
        if self.first_day >= self.end_day:
            raise ValueError(f"a period from {self.first_day} until before {self.end_day} has no day")
        time_zone(self.zone)

    @property
    def start(self) -> datetime:
        """The first instant, in UTC."""
        return day_start(self.first_day, self.zone)

    @property
    def end(self) -> datetime:
        """The first instant after it, in UTC."""
        return day_start(self.end_day, self.zone)

    @property
    def last_day(self) -> date:
        """The last local day in it."""
        return self.end_day - _DAY

    @property
    def days(self) -> int:
        """How many local days it has."""
        return (self.end_day - self.first_day).days

    @property
    def key(self) -> str:
        """Year and month of the first day: "2021-01"."""
        return f"{self.first_day.year:04d}-{self.first_day.month:02d}"

    @property
    def label(self) -> str:
        """Plain words: "1 to 31 January 2021", "15 December 2020 to 14 January 2021"."""
        first, last = self.first_day, self.last_day
        end = f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
        if first == last:
            return end
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day} to {end}"
        if first.year == last.year:
            return f"{first.day} {_MONTHS[first.month - 1]} to {end}"
        return f"{first.day} {_MONTHS[first.month - 1]} {first.year} to {end}"

    def contains(self, instant: datetime) -> bool:
        """True if the aware instant is in the period: start <= instant < end."""
        return self.start <= instant < self.end

    def part(self, from_day: date, until_day: date) -> Period:
        """The days from `from_day` until before `until_day`. ValueError if they are not all inside."""
        if from_day < self.first_day or until_day > self.end_day:
            raise ValueError(f"{from_day} until before {until_day} is not inside {self.label}")
        return Period(from_day, until_day, self.zone)

    def overlap(self, from_day: date | None, until_day: date | None) -> Period | None:
        """The days from `from_day` until before `until_day` (None: no bound); None if there are none."""
        first = max(self.first_day, from_day or self.first_day)
        end = min(self.end_day, until_day or self.end_day)
        return Period(first, end, self.zone) if first < end else None


@dataclass(frozen=True, slots=True)
class Part:
    """A span of days and the whole billing period it is a part of: what proration needs (M9)."""

    span: Period
    whole: Period

    def __post_init__(self) -> None:
        if self.span.zone != self.whole.zone:
            raise ValueError(f"the span is in {self.span.zone} and its period in {self.whole.zone}")
        self.whole.part(self.span.first_day, self.span.end_day)

    @classmethod
    def all_of(cls, period: Period) -> Part:
        """The whole period as a part of itself."""
        return cls(period, period)

    @property
    def is_whole(self) -> bool:
        """True if nothing of the period is missing."""
        return self.span == self.whole

    @property
    def fraction(self) -> Fraction:
        """Days used over days in the period (M9)."""
        return Fraction(self.span.days, self.whole.days)


def _anchor(year: int, month: int, billing_day: int) -> date:
    """The day on which the period of that month starts; short months take their last day (M6)."""
    if not 1 <= billing_day <= 31:
        raise ValueError(f"the billing day is 1 to 31, not {billing_day}")
    return date(year, month, min(billing_day, monthrange(year, month)[1]))


def _starting_in(year: int, month: int, billing_day: int, zone: str) -> Period:
    next_year, next_month = (year + 1, 1) if month == 12 else (year, month + 1)
    return Period(_anchor(year, month, billing_day), _anchor(next_year, next_month, billing_day), zone)


def period_containing(day: date, billing_day: int, zone: str) -> Period:
    """The monthly period that this local day is in. ValueError for a billing day outside 1 to 31."""
    year, month = day.year, day.month
    if day < _anchor(year, month, billing_day):
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    return _starting_in(year, month, billing_day, zone)


def period_named(key: str, billing_day: int, zone: str) -> Period:
    """The monthly period that starts in the month "2026-03". ValueError for a key that is no month."""
    match = _KEY.fullmatch(key)
    if not match or match[1] == "0000":
        raise ValueError(f'{key!r} is not a month; write it as "2026-03"')
    return _starting_in(int(match[1]), int(match[2]), billing_day, zone)


def following(period: Period, billing_day: int) -> Period:
    """The monthly period that begins where this one ends."""
    return period_containing(period.end_day, billing_day, period.zone)


def preceding(period: Period, billing_day: int) -> Period:
    """The monthly period that ends where this one begins."""
    return period_containing(period.first_day - _DAY, billing_day, period.zone)
