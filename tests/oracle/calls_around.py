"""Calls around what is dangerous: ends of periods, changing clocks, edges of hour bands and increments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.days import ONE_DAY, days_in

TALK_MS = (0, 1, 999, 1000, 5999, 6000, 29999, 30000, 30001, 37000, 59999, 60000, 60001, 61000, 66000, 66001)
NUMBERS = (None, "+12125550100", "+12125550111", "+16465550100", "+442075550100", "+44151", "+8135550100")
CLOCKS = (time(0), time(1, 30), time(2, 30), time(6), time(8), time(18), time(22), time(23, 30), time(12))
FLAGS = ("spam", "wrong_number", "test", "internal", "robocall")
SLIPS = (0, 0, 1, -1, 1000, -1000, 1_800_000)


def _instant(random: Random, zone: str, days: tuple[date, date]) -> datetime:
    """Near an edge of the wall's day, or anywhere; sometimes a day outside."""
    spread = days_in(days[0] - ONE_DAY, days[1] + ONE_DAY)
    edges = (days[0], days[1], days[0], spread[-2])
    day = random.choice(edges) if random.randint(0, 3) == 0 else random.choice(spread)
    at = datetime.combine(day, random.choice(CLOCKS), ZoneInfo(zone)).replace(fold=random.randint(0, 1))
    return at.astimezone(UTC) + timedelta(milliseconds=random.choice(SLIPS))


def made_up_calls(random: Random, zone: str, days: tuple[date, date], who: str) -> list[dict[str, Any]]:
    """A few calls of one company, in no order."""
    calls = []
    for number in range(random.randint(0, random.choice((3, 12, 40)))):
        start = _instant(random, zone, days)
        talk = random.choice(TALK_MS) if random.randint(0, 3) else random.randint(0, 400_000)
        rest = random.choice((0, 1, 1000, 4_000_000))
        calls.append(
            {
                "id": f"{who}-{number:02d}",
                "started_at": start.isoformat(),
                "ended_at": (start + timedelta(milliseconds=talk + rest)).isoformat(),
                "talk_ms": talk,
                "wrap_ms": random.choice((None, 0, 1, 30_000, 12_345)),
                "direction": random.choice(("inbound", "inbound", "outbound", "internal", None)),
                "disposition": random.choice(("answered",) * 6 + ("abandoned", "voicemail", "busy")),
                "service": random.choice(("main", "sales", None)),
                "queue": random.choice(("reception", "night", None)),
                "number": random.choice(("+15550101", "+15550102", None)),
                "from_number": random.choice(NUMBERS),
                "to_number": random.choice(NUMBERS),
                "flags": random.sample(FLAGS, random.randint(1, 2)) if random.randint(0, 4) == 0 else [],
            }
        )
    random.shuffle(calls)
    return calls
