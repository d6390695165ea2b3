"""The kinds of dates, times of day and time zones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import available_timezones

from callbill.rules import period
from callbill.rules.document._kind import Bad, Kind, Reading, did_you_mean, quoted, show

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+){0,2}", re.ASCII)
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})  # the machine's own, not a place


@dataclass(frozen=True)
class Day(Kind):
    """A local date: a TOML date, or its ISO text."""

    def read(self, value: object, path: str, reading: Reading) -> date | Bad:
        if isinstance(value, date) and not isinstance(value, datetime):
            value = value.isoformat()
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            return reading.report(path, f"is {show(value)}; it must be a date, as in 2026-01-31")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return reading.report(path, f"is {quoted(value)}; there is no such day in the calendar")
        if not 1970 <= day.year <= 2999:
            return reading.report(path, f"is {quoted(value)}; the year must be from 1970 to 2999")
        return day

    def write(self, value: date) -> str:
        return value.isoformat()

    def toml(self, image: str) -> str:
        return image

    def schema(self) -> dict[str, Any]:
        years = "(19[7-9][0-9]|2[0-9]{3})"
        return {"type": "string", "format": "date", "pattern": f"^{years}-[0-9]{{2}}-[0-9]{{2}}$"}


@dataclass(frozen=True)
class Instant(Kind):
    """An ISO 8601 time with its offset from UTC. Without one it would be another instant in each zone."""

    def read(self, value: object, path: str, reading: Reading) -> datetime | Bad:
        rule = 'it must be an ISO 8601 time with an offset, as in "2026-03-02T14:05:00-05:00"'
        if not isinstance(value, str) or not (match := _INSTANT.fullmatch(value)):
            return reading.report(path, f"is {show(value)}; {rule}")
        if not match[3]:
            return reading.report(
                path, f'is {quoted(value)} without an offset; add one, as in "-05:00" or "Z"'
            )
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return reading.report(path, f"is {quoted(value)}; there is no such time")
        if not 1970 <= instant.year <= 2999:
            return reading.report(path, f"is {quoted(value)}; the year must be from 1970 to 2999")
        return instant

    def write(self, value: datetime) -> str:
        return value.isoformat()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "examples": ["2026-03-02T14:05:00-05:00"]}


@dataclass(frozen=True)
class Clock(Kind):
    """A local wall time, "08:00" or "08:00:30"; a TOML time is accepted too."""

    def read(self, value: object, path: str, reading: Reading) -> time | Bad:
        if isinstance(value, time):
            value = value.isoformat()
        if isinstance(value, str) and _CLOCK.fullmatch(value):
            try:
                return time.fromisoformat(value)
            except ValueError:
                hint = '; midnight is "00:00"' if value.startswith("24:00") else ""
                return reading.report(path, f"is {quoted(value)}; there is no such time of day{hint}")
        return reading.report(path, f'is {show(value)}; it must be a time of day, as in "08:00"')

    def write(self, value: time) -> str:
        return value.isoformat("seconds" if value.second else "minutes")

    def schema(self) -> dict[str, Any]:
        pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"
        return {"type": "string", "pattern": pattern, "examples": ["08:00"]}


@dataclass(frozen=True)
class Zone(Kind):
    """An IANA time zone (M6)."""

    def read(self, value: object, path: str, reading: Reading) -> str | Bad:
        if isinstance(value, str) and _is_zone(value):
            return value
        zones = sorted(available_timezones() - _NO_ZONES)
        near = did_you_mean(value, zones) if isinstance(value, str) else None
        hint = f"did you mean {quoted(near)}?" if near else 'use a name such as "America/New_York" or "UTC"'
        return reading.report(path, f"is {show(value)}, which is not an IANA time zone; {hint}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_ZONE.pattern}$", "examples": ["America/New_York"]}


def _is_zone(name: str) -> bool:
    if not _ZONE.fullmatch(name) or name in _NO_ZONES or name.startswith(("posix/", "right/")):
        return False
    try:
        period.time_zone(name)
    except period.UnknownTimeZone:
        return False
    return True
