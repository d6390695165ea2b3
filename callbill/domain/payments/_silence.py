"""A Stripe that gives no answer: whoever asks about one thing after another leaves the rest for later."""

from __future__ import annotations

import enum
import threading
from collections.abc import Hashable

from callbill.domain.payments.gateway import OutcomeUnknown, TryLater

# Each may take a minute, and what waits behind them may need no Stripe at all.
MOST = 3


class Answer(enum.Enum):
    """How a question to Stripe ended. Of a busy one it is known that nothing was done."""

    GIVEN = "given"
    BUSY = "busy"
    NONE = "none"

    @classmethod
    def of(cls, error: Exception) -> Answer:
        """The answer that an error of the gateway is."""
        if isinstance(error, TryLater):
            return cls.BUSY
        return cls.NONE if isinstance(error, OutcomeUnknown) else cls.GIVEN


class Answers:
    """Who got an answer, and who in a row did not; several threads may count.

    The same asked about twice counts once: one customer's trouble is not everybody's. With `busy_too`
    those who ask do not press on a Stripe that is too busy either.
    """

    def __init__(self, *, busy_too: bool = True) -> None:
        self._silent = {Answer.NONE, Answer.BUSY} if busy_too else {Answer.NONE}
        self._without: set[Hashable] = set()
        self._counting = threading.Lock()
        self.over = False

    def count(self, who: Hashable, answer: Answer) -> None:
        """Count one. `over` says from then on that nobody should ask any more in this run."""
        with self._counting:
            if answer in self._silent:
                self._without.add(who)
            else:
                self._without.clear()
            self.over = self.over or len(self._without) >= MOST
