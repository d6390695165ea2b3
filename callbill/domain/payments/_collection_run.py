"""A collection run as a row: how far it is, what came of it, and whether it still lives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from callbill.domain.payments._silence import Answers
from callbill.domain.payments.models import CollectionRun, PaymentAttempt
from callbill.lib.alive import is_alive

Tell = Callable[[int, int], None]
"""Told how many invoices were looked at, and of how many."""


@dataclass(slots=True)
class Collected:
    """What a run did: attempts by the state they are in now, invoices that fell past due, what went wrong.

    `stopped` says that a mistake of ours ended the run before it was through (M29); `answers`, whether Stripe
    did by its silence. `elsewhere` are payers that another run was charging: theirs is left to it.
    """

    attempts: dict[str, int] = field(default_factory=dict)
    past_due: int = 0
    problems: list[str] = field(default_factory=list)
    stopped: bool = False
    elsewhere: set[UUID] = field(default_factory=set)
    answers: Answers = field(default_factory=lambda: Answers(busy_too=False))

    @property
    def over(self) -> bool:
        """Whether nobody should begin another charge in this run."""
        return self.stopped or self.answers.over

    def count(self, attempt_id: UUID) -> None:
        """Count an attempt by its state."""
        state = PaymentAttempt.objects.values_list("state", flat=True).get(id=attempt_id)
        with _COUNTING:
            self.attempts[state] = self.attempts.get(state, 0) + 1


_COUNTING = threading.Lock()


class RunKeeper:
    """Writes a run's row while several threads work at it. A run in which nothing was due has no row."""

    def __init__(self, done: Collected, *, to_charge: int, now: datetime, tell: Tell | None) -> None:
        self._done = done
        self._tell = tell
        self._began = time.monotonic_ns()
        self._lock = threading.Lock()
        self.row = CollectionRun(started_at=now, to_charge=to_charge)

    def begin(self) -> None:
        """Write the row. Be `alive` before, or another run takes it for dead."""
        if self.row.to_charge:
            self.row.save()

    def looked_at_one(self) -> None:
        """One more invoice is done with, whatever came of it."""
        with self._lock:
            self.row.charged += 1
            self._write()
            if self._tell:
                self._tell(self.row.charged, self.row.to_charge)

    def finish(self) -> None:
        """The run is through, or was stopped."""
        if not (self.row.to_charge or self._done.past_due):
            return
        elapsed = timedelta(microseconds=(time.monotonic_ns() - self._began) // 1000)
        with self._lock:
            self.row.finished_at = self.row.started_at + elapsed
            self._write()

    def _write(self) -> None:
        self.row.outcomes = dict(self._done.attempts)
        self.row.past_due = self._done.past_due
        self.row.problems = list(self._done.problems)
        self.row.stopped = self._done.stopped
        self.row.unanswered = self._done.answers.over
        self.row.save()


def mark_broken_off(*, now: datetime) -> None:
    """Write on every run that is neither through nor alive that it broke off; whoever calls goes on with it.

    What it left is still due, or an attempt that the sweeper goes on with: nothing is lost.
    """
    for run in CollectionRun.objects.filter(finished_at=None, broken_off_at=None):
        if not is_alive(run.id):
            still = CollectionRun.objects.filter(id=run.id, finished_at=None)
            still.update(broken_off_at=now)
