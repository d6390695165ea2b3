"""Files of calls made for the tests, and profiles that fit them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from callbill.domain.usage import operations
from callbill.domain.usage.operations import ImportReport, Profile, read_profile

NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)

SWITCH = """
source = "switch"
time_zone = "America/New_York"
[id]
columns = ["id"]
[company]
column = "company"
[started_at]
column = "started"
format = "%Y-%m-%d %H:%M:%S"
[answered_at]
column = "answered"
format = "%Y-%m-%d %H:%M:%S"
[ended_at]
column = "ended"
format = "%Y-%m-%d %H:%M:%S"
[talk_ms]
column = "talk"
unit = "s"
[direction]
column = "direction"
[disposition]
column = "disposition"
"""
COLUMNS = ("id", "company", "started", "answered", "ended", "talk", "direction", "disposition")
ROW = (
    "c1",
    "acme",
    "2026-03-02 10:00:00",
    "2026-03-02 10:00:05",
    "2026-03-02 10:01:05",
    "60",
    "inbound",
    "answered",
)

CANONICAL = """
source = "switch"
[id]
columns = ["id"]
[company]
column = "company"
[started_at]
column = "started_at"
format = "iso"
[ended_at]
column = "ended_at"
format = "iso"
[updated_at]
column = "updated_at"
format = "epoch_s"
[talk_ms]
column = "talk_ms"
unit = "ms"
[wrap_ms]
column = "wrap_ms"
unit = "ms"
[direction]
column = "direction"
[disposition]
column = "disposition"
[service]
column = "service"
[queue]
column = "queue"
[number]
column = "number"
[from_number]
column = "from_number"
[to_number]
column = "to_number"
[[flags]]
column = "flags"
separator = "|"
[flags.values]
spam = "spam"
wrong_number = "wrong_number"
test = "test"
internal = "internal"
robocall = "robocall"
"""


def row(**changes: str) -> tuple[str, ...]:
    """A good row of the switch's file, with columns changed."""
    return tuple(changes.get(column, value) for column, value in zip(COLUMNS, ROW, strict=True))


def text_of(rows: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS) -> bytes:
    """A CSV file of a header line and rows."""
    out = io.StringIO()
    csv.writer(out).writerows([columns, *rows])
    return out.getvalue().encode()


def take_in(data: bytes, profile: str | Profile = SWITCH, **options: Any) -> ImportReport:
    """Import bytes as if they were a file."""
    read = read_profile(profile) if isinstance(profile, str) else profile
    options = {"file_name": "calls.csv", "now": NOW, **options}
    return operations.import_calls(stream=io.BytesIO(data), profile=read, **options)


def deliver(calls: Sequence[tuple[dict[str, Any], int]], *, company: str) -> ImportReport:
    """Import canonical calls, each with the time of its revision."""
    names = tuple(calls[0][0])
    rows = []
    for call, revision in calls:
        values = {**call, "flags": "|".join(call["flags"])}
        cells = [
            v.isoformat() if isinstance(v, datetime) else "" if v is None else str(v) for v in values.values()
        ]
        rows.append([company, str(revision), *cells])
    return take_in(text_of(rows, ("company", "updated_at", *names)), CANONICAL)
