"""The bars of a chart of calls per day: whole numbers in the drawing's own units, ready for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

HEIGHT = 100
SLOT = 12
_BAR = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: where its bar stands and how tall it is; `calls` is what it shows."""

    day: date
    calls: int
    left: int
    slot_left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing: bars, its width, and the count at its top edge."""

    bars: tuple[Bar, ...]
    width: int
    top_count: int
    total: int

    @property
    def half_count(self) -> int:
        """The count at half height."""
        return self.top_count // 2

    @property
    def busiest(self) -> Bar:
        """The (first) day with the most calls."""
        return max(self.bars, key=lambda bar: bar.calls)


def draw(days: Sequence[tuple[date, int]]) -> Chart | None:
    """Bars for (day, calls) pairs in order, scaled to a round count at the top; None without days."""
    if not days:
        return None
    top_count = _round_up(max(calls for _, calls in days))
    bars = []
    for position, (day, calls) in enumerate(days):
        # Rounded half up in whole numbers; a day with any call is at least one unit tall.
        height = max((2 * calls * HEIGHT + top_count) // (2 * top_count), min(calls, 1))
        left = position * SLOT
        bars.append(Bar(day, calls, left + (SLOT - _BAR) // 2, left, HEIGHT - height, _BAR, height))
    return Chart(tuple(bars), len(days) * SLOT, top_count, sum(calls for _, calls in days))


def _round_up(count: int) -> int:
    """The smallest of 2, 4, 6, 8, 10, 20, 40, ... that is at least `count`; half of it is a whole number."""
    power = 1
    while True:
        for step in (2, 4, 6, 8, 10):
            if step * power >= count:
                return step * power
        power *= 10
