"""A Stripe that gives no answer: whoever asks about one thing after another leaves the rest for later."""

from __future__ import annotations

import threading
from collections.abc import Hashable

# Each may take a minute, and what waits behind them may need no Stripe at all.
MOST = 3


class Answers:
    """Who got an answer, and who in a row did not; several threads may count.

    The same asked about twice counts once: one customer's trouble is not everybody's.
    """

    def __init__(self) -> None:
        self._without: set[Hashable] = set()
        self._counting = threading.Lock()
        self.over = False

    def count(self, who: Hashable, *, answered: bool) -> None:
        """Count one. `over` says from then on that nobody should ask any more in this run."""
        with self._counting:
            if answered:
                self._without.clear()
            else:
                self._without.add(who)
            self.over = self.over or len(self._without) >= MOST
