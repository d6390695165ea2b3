"""The pace of charges, on a clock of the test's own."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.lib.pace import Pace

SECOND = 1_000_000_000


class Clock:
    """Time that goes on only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 5 * SECOND
        self.slept: list[int] = []

    def read(self) -> int:
        return self.now

    def sleep(self, nanoseconds: int) -> None:
        self.slept.append(nanoseconds)
        self.now += nanoseconds


def test_twenty_a_second_are_fifty_milliseconds_apart() -> None:
    clock = Clock()
    pace = Pace(20, clock=clock.read, sleep=clock.sleep)
    for _ in range(41):
        pace.wait()
    assert clock.slept == [SECOND // 20] * 40
    assert clock.now == 7 * SECOND


def test_what_takes_longer_than_the_pace_is_not_held_up_and_saves_nothing_up() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock.read, sleep=clock.sleep)
    pace.wait()
    clock.now += 3 * SECOND
    pace.wait()
    assert clock.slept == []
    pace.wait()  # no burst for the three seconds in which nothing was asked for
    assert clock.slept == [SECOND // 10]


@given(st.integers(1, 500), st.lists(st.integers(0, SECOND // 5), min_size=2, max_size=60))
def test_no_two_starts_are_nearer_than_the_pace(per_second: int, work: list[int]) -> None:
    clock = Clock()
    pace = Pace(per_second, clock=clock.read, sleep=clock.sleep)
    starts = []
    for nanoseconds in work:
        pace.wait()
        starts.append(clock.now)
        clock.now += nanoseconds
    assert all(after - before >= SECOND // per_second for before, after in pairwise(starts))


def test_threads_share_one_pace() -> None:
    """On a clock that stands still each start is told another moment, one interval after the last."""
    told: list[int] = []
    pace = Pace(50, clock=lambda: 0, sleep=told.append)
    threads = [threading.Thread(target=lambda: [pace.wait() for _ in range(25)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [number * SECOND // 50 for number in range(1, 200)]


def test_no_pace_is_refused() -> None:
    with pytest.raises(ValueError, match="0 a second is no pace"):
        Pace(0)
