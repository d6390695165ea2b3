"""What a piece of work must offer to be killed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from types import SimpleNamespace
from typing import Any, ClassVar

from tests.kills.bench import Bench, Payer
from tests.kills.cases import NOBODY, Case
from tests.kills.points import FAULTS


class Subject(SimpleNamespace):
    """Whom and what a case is about: `payer`, and what a work adds."""

    payer: Payer
    # Payments of the payer that were in the books before.
    paid_before: int = 0


class Work(ABC):
    """A piece of work, its recovery, and what must be true after both."""

    name: ClassVar[str]
    # Who may come between the kill and the recovery.
    betweens: ClassVar[tuple[str, ...]] = (NOBODY,)
    # What may be wrong with what it, or its recovery, asks of the outside; none: it asks for nothing.
    faults: ClassVar[tuple[str, ...]] = tuple(FAULTS)
    # False: its recovery is that of another work, whose faults in recovery are walked there.
    own_recovery: ClassVar[bool] = True
    # False: it meets each fault at each request, and is not killed besides.
    killed_at_faults: ClassVar[bool] = True
    # How often staff may be alarmed.
    alarms: ClassVar[tuple[int, ...]] = (0,)
    # Cases that share a world; fewer where the work looks at everybody in it.
    most_cases: ClassVar[int] = 400

    @abstractmethod
    def prepare(self, bench: Bench) -> Subject:
        """The world before the work."""

    @abstractmethod
    def run(self, bench: Bench, subject: Any) -> None:
        """The work itself; done in a fork that may die."""

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Staff do the same meanwhile; of a work that names them in `betweens`."""
        raise AssertionError(f"{self.name} has nothing for staff to do")

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """What happens by itself afterwards. Returns what went wrong."""
        return bench.round(now)

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """What is wrong at any time, even before the recovery has got everywhere."""
        return []

    @abstractmethod
    def settled(self, bench: Bench, subject: Any) -> bool:
        """Whether the recovery has got everywhere."""

    @abstractmethod
    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """What is wrong in the end."""


def expect(said: list[str], what: str, is_: Any, must_be: Any) -> None:
    """Add to `said` if `is_` differs from what it must be."""
    if is_ != must_be:
        said.append(f"{what}: {is_!r}, not {must_be!r}")
