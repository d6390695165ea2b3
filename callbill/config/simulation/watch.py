"""What is noted while a story is lived: outcomes in doubt, and what nobody expected."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any
from uuid import UUID

from callbill.config.simulation.story import Step
from callbill.config.simulation.stripe_side import SandboxRefused
from callbill.domain.contracts.operations import FileRefused
from callbill.domain.customers.operations import BadContact
from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.payments import operations as payments
from callbill.domain.payments.gateway import NotAccepted, OutcomeUnknown, TryLater
from callbill.domain.payments.models import PaymentAttempt
from callbill.domain.usage.operations import NotCorrectable
from callbill.rules.lifecycle import MoveRefused

# What the operations refuse with words for whoever asked.
REFUSALS: tuple[type[Exception], ...] = (
    *(
        payments.PaymentRefused,
        payments.CardRefused,
        payments.CannotRefund,
        payments.CannotRecord,
        payments.HoldRefused,
    ),
    *(invoicing.CreditRefused, invoicing.VoidRefused, invoicing.BeingPaid, invoicing.AlreadyRecorded),
    *(invoicing.AlreadyReturned, invoicing.CreditUsed),
    *(invoicing.Overpaid, invoicing.CannotDecide, invoicing.OutageRefused, MoveRefused),
    *(NotFound, NotCorrectable, BadContact, FileRefused, SandboxRefused),
)
# What only bad weather explains.
_IN_BAD_WEATHER = (OutcomeUnknown, TryLater)


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold: which, for whom and with what figures, and on which day."""

    invariant: str
    words: str
    day: int = 0


class Recoveries:
    """How long charges whose outcome was not known stayed so, in the story's time and in sweeps."""

    def __init__(self) -> None:
        self._since: dict[UUID, tuple[datetime, int]] = {}
        self.longest = 0
        self.most_sweeps = 0
        self.unknown = 0

    def note(self, now: datetime) -> None:
        """After each round of the worker: which are in doubt, and which are not any more."""
        rows = PaymentAttempt.objects.filter(state="submitted").values_list("id", "submitted_at")
        open_now = dict(rows)
        for attempt_id in [known for known in self._since if known not in open_now]:
            since, sweeps = self._since.pop(attempt_id)
            self.longest = max(self.longest, int((now - since).total_seconds()) // 60)
            self.most_sweeps = max(self.most_sweeps, sweeps + 1)
        for attempt_id, submitted_at in open_now.items():
            if attempt_id not in self._since:
                self.unknown += 1
            _, sweeps = self._since.get(attempt_id, (submitted_at, -1))
            self._since[attempt_id] = (submitted_at or now, sweeps + 1)


class Surprises(logging.Handler):
    """Errors that nobody expected: raised by a deed, or logged with a traceback by the product."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.in_fork = False
        self.key_is_wrong = False
        self.all_is_well = False  # in the evening, when nothing excuses an error of a job
        self._found: list[str] = []
        self._before = True

    def __enter__(self) -> None:
        logger = logging.getLogger("callbill")
        self._before = logger.propagate
        logger.propagate = False
        logger.addHandler(self)

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        logger = logging.getLogger("callbill")
        logger.removeHandler(self)
        logger.propagate = self._before

    def emit(self, record: logging.LogRecord) -> None:
        """A log line of the product: a surprise if it has a traceback, or is an error of a job at night."""
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            if not isinstance(error, _IN_BAD_WEATHER) and not self._excused(error):
                self._found.append(f"{record.getMessage()}: {type(error).__name__}: {error}"[:400])
        elif self.all_is_well and record.levelno >= logging.ERROR and record.name.startswith("callbill.jobs"):
            self._found.append(record.getMessage()[:400])

    def take(self) -> list[str]:
        """What was found since the last time."""
        found, self._found = self._found, []
        return found

    def add(self, found: list[str]) -> None:
        """Found elsewhere."""
        self._found += found

    def told(self, step: Step, deed: Callable[[], str], bad_weather: bool) -> str:
        """Do a deed; what it said, or in a word why not."""
        try:
            return deed()
        except REFUSALS as refused:
            return f"refused, {type(refused).__name__}"
        except Exception as error:
            if not (bad_weather and isinstance(error, _IN_BAD_WEATHER)) and not self._excused(error):
                self._found.append(f"{step.deed} of {step.who}: {type(error).__name__}: {error}"[:400])
            return f"failed, {type(error).__name__}"

    def _excused(self, error: BaseException) -> bool:
        return self.key_is_wrong and isinstance(error, NotAccepted)

    def guard(self, what: Callable[[], object]) -> None:
        """Do a piece of work that must not raise."""
        try:
            what()
        except Exception as error:
            self._found.append(f"worker: {type(error).__name__}: {error}"[:400])
