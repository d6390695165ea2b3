"""A year of made-up calls in the form of the example's file: deterministic, as many as asked for."""

from __future__ import annotations

import csv
import random
from datetime import date, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "call_id",
    "date",
    "daily_caller",
    "call_started",
    "call_answered",
    "call_ended",
    "wait_length",
    "service_length",
    "meets_standard",
    "call_type",
)


def write_calls(path: Path, *, count: int, year: int = 2021, seed: int = 1) -> None:
    """Write `count` calls spread over the working days of `year` as a CSV file."""
    chance = random.Random(seed)
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    days = [day for day in days if day.weekday() < 5]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(1, count + 1):
            day = days[number * len(days) // (count + 1)]
            opens = datetime(day.year, day.month, day.day, 8)  # noqa: DTZ001 - wall time, as in the file
            started = opens + timedelta(seconds=chance.randrange(36_000))
            waited, talked = chance.randrange(90), max(1, int(chance.expovariate(1 / 300)))
            answered = started + timedelta(seconds=waited)
            ended = answered + timedelta(seconds=talked)
            clock = [f"{moment:%I:%M:%S %p}".lstrip("0") for moment in (started, answered, ended)]
            writer.writerow(
                [number, f"{day:%d/%m/%Y}", number, *clock, waited, talked, waited < 60, chance.randrange(3)]
            )
