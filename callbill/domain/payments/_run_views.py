"""Collection runs as staff see them: how far each is, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.payments._words import ATTEMPT_STATE
from callbill.domain.payments.models import CollectionRun, PaymentAttempt
from callbill.lib.alive import is_alive

LATEST = 50


@dataclass(frozen=True, slots=True)
class CollectionRunView:
    """One run. `outcomes` are words with how many attempts came to that, the most first."""

    id: UUID
    started_at: datetime
    finished_at: datetime | None
    to_charge: int
    charged: int
    outcomes: tuple[tuple[str, int], ...]
    past_due: int
    problems: tuple[str, ...]
    under_way: bool
    state_word: str
    tone: str
    what_next: str

    @property
    def percent(self) -> int:
        """How much of it is done, in whole percent."""
        return 100 * self.charged // self.to_charge if self.to_charge else 100


def collection_runs(viewer: Viewer, *, limit: int = LATEST) -> list[CollectionRunView]:
    """The latest runs that had something to do, newest first, for staff. Raises NotFound for others."""
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
    return [_view(run) for run in CollectionRun.objects.order_by("-started_at", "-id")[:limit]]


def collection_run(viewer: Viewer, run_id: UUID) -> CollectionRunView:
    """One run as it is now, for staff. Raises NotFound, also for others."""
    run = CollectionRun.objects.filter(id=run_id).first()
    if run is None or not viewer.is_staff:
        raise NotFound("There is no such collection run.")
    return _view(run)


def _view(run: CollectionRun) -> CollectionRunView:
    under_way = run.finished_at is None and run.broken_off_at is None and is_alive(run.id)
    if not under_way and run.finished_at is None:
        run.refresh_from_db()  # it may have come to its end between the two looks
    word, tone, what_next = _state(run, under_way)
    counted = sorted(run.outcomes.items(), key=lambda item: (-item[1], item[0]))
    outcomes = [(ATTEMPT_STATE[PaymentAttempt.State(state)], count) for state, count in counted]
    untried = run.charged - sum(run.outcomes.values())
    if untried > 0 and not under_way:  # no card that may be charged, on hold, too small, stopped
        outcomes.append(("Not charged", untried))
    return CollectionRunView(
        id=run.id,
        started_at=run.started_at,
        finished_at=run.finished_at,
        to_charge=run.to_charge,
        charged=run.charged,
        outcomes=tuple(outcomes),
        past_due=run.past_due,
        problems=tuple(run.problems),
        under_way=under_way,
        state_word=word,
        tone=tone,
        what_next=what_next,
    )


def _state(run: CollectionRun, under_way: bool) -> tuple[str, str, str]:
    """The word for where a run stands, its colour, and what happens next."""
    if under_way:
        return "Under way", "wait", "Cards are being charged. You can leave this page."
    if run.finished_at is None:
        return (
            "Broken off",
            "warn",
            "Its process ended early. Nothing is lost: what it left is charged by the next run, and a charge "
            "without an answer is asked about within minutes.",
        )
    if run.stopped:
        return (
            "Stopped",
            "bad",
            "The fault is ours, so nobody fell past due for it. The rest is charged when it is mended.",
        )
    if run.unanswered:
        return (
            "Ended early",
            "warn",
            "Stripe gave no answer. Nothing is lost: a charge without an answer is asked about within "
            "minutes, and the next run charges the rest.",
        )
    if run.problems:
        return (
            "With problems",
            "warn",
            "The others were charged all the same. The next run tries these again.",
        )
    return "Finished", "good", "Everything that was due was looked at."
