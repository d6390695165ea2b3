"""The sandbox's own time: the machine's clock, moved by as much as a person asked for."""

from __future__ import annotations

import time


class Clock:
    """Runs at the machine's speed, `offset` seconds away from it."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def precise(self) -> float:
        """Seconds since 1970 with a fraction; for scheduling."""
        return time.time() + self.offset

    def now(self) -> int:
        """Whole seconds since 1970, as Stripe writes times."""
        return int(self.precise())

    def set_to(self, moment: float) -> None:
        """Let the clock go on from `moment` (seconds since 1970)."""
        self.offset = moment - time.time()
