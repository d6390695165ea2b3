"""What a case is, and its name."""

from __future__ import annotations

from dataclasses import dataclass

NOBODY, STAFF, SECOND_WORKER, WEBHOOK = "nobody", "staff", "second worker", "webhook"


@dataclass(frozen=True)
class Case:
    """One way for one piece of work to go wrong.

    Killed before or after point `kill` (0: not killed). `fault` meets request `at` of the work, or of its
    recovery. Stripe's keys are fresh at the recovery, or aged 25 hours. `between`: who came meanwhile.
    """

    work: str
    kill: int = 0
    when: str = "before"
    fault: str = ""
    in_recovery: bool = False
    at: int = 0
    aged: bool = False
    between: str = NOBODY

    @property
    def name(self) -> str:
        """As `--only` takes it."""
        return "/".join(self._parts())

    def _parts(self) -> tuple[str, ...]:
        kill = f"kill {self.kill} {self.when}" if self.kill else "no kill"
        place = f"in recovery {self.at}" if self.in_recovery else f"at request {self.at}"
        fault = f"{self.fault} {place}" if self.fault else "no fault"
        return (*self.work.split("/"), kill, fault, "aged" if self.aged else "fresh", self.between)

    def matches(self, only: str, *, but_kill: bool = False) -> bool:
        """Whether `only` names this case: part by part, each by its first words ("kill 4", "timeout_after").

        `but_kill`: whether it may name a case of the same fault that is killed somewhere.
        """
        parts = [part.split() for part in self._parts()]
        asked = [part.split() for part in only.split("/")] if only else []
        open_places = (2, 5) if but_kill else ()
        return len(asked) <= len(parts) and all(
            place in open_places or part[: len(words)] == words
            for place, (part, words) in enumerate(zip(parts, asked, strict=False))
        )


@dataclass(frozen=True)
class Result:
    """A case that was walked, and what was wrong after it (nothing: it is right)."""

    case: Case
    problems: tuple[str, ...] = ()
