"""Dates and times as files spell them: strptime's directives, read strictly and quickly."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PATTERNS = {
    "%Y": r"(?P<year>[0-9]{4})",
    "%m": r"(?P<month>[0-9]{1,2})",
    "%d": r"(?P<day>[0-9]{1,2})",
    "%b": r"(?P<month_name>[A-Za-z]{3})",
    "%H": r"(?P<hour>[0-9]{1,2})",
    "%I": r"(?P<hour12>[0-9]{1,2})",
    "%M": r"(?P<minute>[0-9]{2})",
    "%S": r"(?P<second>[0-9]{2})",
    "%f": r"(?P<fraction>[0-9]{1,6})",
    "%p": r"(?P<half>[AaPp]\.?[Mm]\.?)",
    "%z": r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})",
    "%%": "%",
}
DIRECTIVES = tuple(_PATTERNS)
DATE_DIRECTIVES = frozenset({"%Y", "%m", "%d", "%b"})
TIME_DIRECTIVES = frozenset({"%H", "%I", "%M", "%S", "%f", "%p"})
EPOCHS = {
    "epoch_s": timedelta(seconds=1),
    "epoch_ms": timedelta(milliseconds=1),
    "epoch_us": timedelta(microseconds=1),
}


class Unreadable(ValueError):
    """A value that is not what its format says; the message completes '"31/02/2021" ...'."""


def directives_of(text: str) -> list[str]:
    """The directives in a format, in order; a "%" at the end counts as "%"."""
    return re.findall(r"%.?", text)


@lru_cache(maxsize=256)
def _compiled(text: str) -> re.Pattern[str]:
    parts = re.split(r"(%.)", text)
    return re.compile("".join(_PATTERNS[part] if part in _PATTERNS else re.escape(part) for part in parts))


@lru_cache(maxsize=65536)
def read_date(text: str, layout: str) -> date:
    """The date that `text` spells in `layout`. Raises Unreadable, also for the 31st of February."""
    return _date(_match(text, layout), text)


@lru_cache(maxsize=65536)
def read_time(text: str, layout: str) -> time:
    """The wall time that `text` spells in `layout`. Raises Unreadable."""
    return _time(_match(text, layout), text)


def read_moment(text: str, layout: str) -> datetime:
    """Date and time that `text` spells in `layout`; aware if the layout has %z. Raises Unreadable."""
    match = _match(text, layout)
    moment = datetime.combine(_date(match, text), _time(match, text))
    return moment.replace(tzinfo=_offset(match["offset"], text)) if "offset" in match else moment


def read_iso(text: str) -> datetime:
    """Date and time in ISO 8601, aware if it has an offset. Raises Unreadable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable("is not a date and time in ISO 8601, such as 2021-01-31T08:00:00-05:00") from None
    if "T" not in text and " " not in text:
        raise Unreadable("has no time of day; ISO 8601 looks like 2021-01-31T08:00:00-05:00")
    return moment


def read_epoch(text: str, unit: str) -> datetime:
    """The instant so many seconds, milliseconds or microseconds after 1970 in UTC. Raises Unreadable."""
    if not re.fullmatch(r"[0-9]{1,17}", text):
        raise Unreadable("is not a whole number counted from 1970")
    try:
        return _EPOCH + int(text) * EPOCHS[unit]
    except OverflowError:
        raise Unreadable("is after the year 9999; is the unit right?") from None


def reader_of(layout: str) -> Callable[[str], datetime]:
    """The function that reads a whole moment in `layout`: a pattern, "iso" or one of EPOCHS."""
    if layout == "iso":
        return read_iso
    if layout in EPOCHS:
        return lambda text: read_epoch(text, layout)
    return lambda text: read_moment(text, layout)


def _match(text: str, layout: str) -> dict[str, str]:
    match = _compiled(layout).fullmatch(text)
    if match is None:
        raise Unreadable(f'does not look like "{layout}"')
    return match.groupdict()


def _date(match: dict[str, str], text: str) -> date:
    if "month_name" in match:
        name = match["month_name"].lower()
        if name not in _MONTHS:
            raise Unreadable("has no month in English, Jan to Dec")
        month = _MONTHS.index(name) + 1
    else:
        month = int(match["month"])
    try:
        return date(int(match["year"]), month, int(match["day"]))
    except ValueError:
        raise Unreadable("is a day that does not exist") from None


def _time(match: dict[str, str], text: str) -> time:
    if "hour12" in match:
        hour = int(match["hour12"])
        if not 1 <= hour <= 12:
            raise Unreadable("has an hour that is not on a 12-hour clock, 1 to 12")
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    else:
        hour = int(match["hour"])
    try:
        return time(
            hour,
            int(match.get("minute") or 0),
            int(match.get("second") or 0),
            int((match.get("fraction") or "0").ljust(6, "0")),
        )
    except ValueError:
        raise Unreadable("is a time of day that does not exist") from None


def _offset(text: str, whole: str) -> timezone:
    if text == "Z":
        return UTC
    span = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    if span >= timedelta(hours=24):
        raise Unreadable("has an offset from UTC that does not exist")
    return timezone(-span if text[0] == "-" else span)
