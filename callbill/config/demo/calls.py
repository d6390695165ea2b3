"""Made-up calls: believable, and the same every time for a company and a month."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_ZONE = ZoneInfo("America/New_York")
_COLUMNS = (
    *("call_id", "account", "started_at", "answered_at", "ended_at", "talk_seconds", "wait_seconds"),
    *("result", "service", "caller", "dialed", "mark"),
)
_HOURS = {8: 7, 9: 12, 10: 13, 11: 11, 12: 8, 13: 9, 14: 10, 15: 10, 16: 9, 17: 6, 18: 3, 19: 2}
_RESULTS = {"answered": 88, "abandoned": 7, "voicemail": 5}


@dataclass(frozen=True)
class Caller:
    """How much a company is called on a working day, for how many seconds, about what, at which number."""

    account: str
    a_day: int
    talk: int
    service: str
    number: str


CALLERS = (
    Caller("harbor-dental", 26, 130, "reception", "+12075550111"),
    Caller("lakeside-legal", 15, 260, "intake", "+17165550122"),
    Caller("summit-plumbing", 19, 150, "dispatch", "+15185550133"),
    Caller("pinecrest-vet", 12, 140, "reception", "+18025550144"),
    Caller("meridian-cardiology", 17, 170, "appointments", "+18025550155"),
    Caller("meridian-imaging", 10, 120, "appointments", "+18025550166"),
    Caller("meridian-pediatrics", 22, 145, "appointments", "+18025550177"),
    Caller("cobalt-design", 6, 200, "reception", "+16175550188"),
    Caller("tidewater-marina", 9, 120, "dock", "+14015550199"),
    Caller("bluebird-bakery", 8, 90, "orders", "+16035550103"),
    Caller("orchard-property", 11, 160, "tenants", "+15185550104"),
    Caller("redwood-storage", 7, 130, "reception", "+12035550105"),
)
NEWEST = "pinecrest-vet"
NEWER = ("cobalt-design", "tidewater-marina", "bluebird-bakery", "orchard-property", "redwood-storage")


def file_of(first: date, until: date, *, accounts: Container[str], late: bool | None = None) -> bytes:
    """The switch's CSV file with the accounts' calls from `first` to before `until`, all in one month.

    `late` picks the few calls that a switch handed over late (True) or all but those (False).
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for caller in CALLERS:
        if caller.account not in accounts:
            continue
        for row, is_late in _month_of(caller, first.replace(day=1)):
            if late in (None, is_late) and first.isoformat() <= row[2][:10] < until.isoformat():
                writer.writerow(row)
    return text.getvalue().encode()


def _month_of(caller: Caller, month: date) -> Iterator[tuple[list[str], bool]]:
    """Every call of a company in a month, and whether it is one that may come late."""
    dice = random.Random(f"{caller.account} {month:%Y-%m}")  # noqa: S311 nothing is to be kept secret
    busy = dice.randint(85, 115)
    day, serial = month, 0
    while (day.year, day.month) == (month.year, month.month):
        expected = caller.a_day if day.weekday() < 5 else caller.a_day // 4
        for _ in range(expected * busy * dice.randint(80, 120) // 10_000):
            serial += 1
            yield _call(caller, day, serial, dice)
        day += timedelta(days=1)


def _call(caller: Caller, day: date, serial: int, dice: random.Random) -> tuple[list[str], bool]:
    hour = dice.choices(tuple(_HOURS), weights=tuple(_HOURS.values()))[0]
    wall = datetime.combine(day, time(hour, dice.randint(0, 59), dice.randint(0, 59)), tzinfo=_ZONE)
    result = dice.choices(tuple(_RESULTS), weights=tuple(_RESULTS.values()))[0]
    wait = dice.randint(2, 25) if result == "answered" else dice.randint(15, 90)
    talk = dice.randint(caller.talk // 5, caller.talk * 9 // 5) if result != "abandoned" else 0
    started = wall.astimezone(UTC)
    answered = started + timedelta(seconds=wait)
    row = [
        f"{caller.account}-{day:%Y%m%d}-{serial:05d}",
        caller.account,
        wall.isoformat(),
        answered.astimezone(_ZONE).isoformat() if talk else "",
        (answered + timedelta(seconds=talk)).astimezone(_ZONE).isoformat(),
        str(talk),
        str(wait),
        result,
        caller.service,
        f"+1802555{dice.randint(0, 9999):04d}",
        caller.number,
        "spam" if dice.randint(1, 50) == 1 else "",
    ]
    return row, caller.account == "harbor-dental" and serial % 40 == 0
