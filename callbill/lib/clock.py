"""The one place that asks what time it is.

Only `web`, `jobs` and the commands call `now()`; everything below takes `now` as an argument.
Outside production the clock can be moved, so that a demo or a simulation can live through a year:
the offset is kept in a small file that every process of the installation reads.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings


class ClockIsFixed(Exception):
    """The clock was asked to move in production."""


def now() -> datetime:
    """This moment as an aware UTC datetime, moved by the demo's offset if there is one."""
    return datetime.now(UTC) + offset()


def offset() -> timedelta:
    """How far `now()` is moved from real time; nothing in production."""
    path = _offset_file()
    if path is None or not path.exists():
        return timedelta(0)
    return timedelta(seconds=int(json.loads(path.read_text())["offset_seconds"]))


def move_to(moment: datetime) -> None:
    """Let `now()` go on from `moment` (aware). Raises ClockIsFixed in production."""
    path = _offset_file()
    if path is None:
        raise ClockIsFixed("The clock can be moved only with CALLBILL_MODE=demo or test.")
    seconds = int((moment - datetime.now(UTC)).total_seconds())
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps({"offset_seconds": seconds}))
    scratch.replace(path)


def back_to_real_time() -> None:
    """Remove the offset."""
    path = _offset_file()
    if path is not None:
        path.unlink(missing_ok=True)


def _offset_file() -> Path | None:
    if settings.CALLBILL_MODE == "production":
        return None
    return Path(settings.CALLBILL_DATA) / "clock.json"
