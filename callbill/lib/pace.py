"""Starting things no faster than so many a second, from one thread or several."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SECOND = 1_000_000_000


def sleep(nanoseconds: int) -> None:
    """Wait so many nanoseconds."""
    time.sleep(nanoseconds / _SECOND)


class Pace:
    """Lets one start at a time through, at least `1 / per_second` seconds after the one before.

    `clock` tells monotonic nanoseconds and `sleep` waits for some; a test gives its own. Time in which
    nothing was asked for is not saved up, so there are no bursts.
    """

    def __init__(
        self,
        per_second: int,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[int], None] = sleep,
    ) -> None:
        if per_second <= 0:
            raise ValueError(f"{per_second} a second is no pace")
        self._interval = _SECOND // per_second
        self._clock = clock
        self._sleep = sleep
        self._next: int | None = None
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is the caller's turn to start. Turns are given in the order of asking."""
        with self._lock:
            now = self._clock()
            turn = now if self._next is None else max(self._next, now)
            self._next = turn + self._interval
        if turn > now:
            self._sleep(turn - now)
