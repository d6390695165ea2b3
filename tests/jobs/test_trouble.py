"""Work that fails by itself: the rest of it is done all the same, and staff are told until it goes well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from procrastinate.contrib.django import app

from callbill.config.commands import worker
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import StaffAlert
from callbill.jobs import schedule, tasks, trouble, work
from callbill.lib import clock
from tests.domain import world

pytestmark = pytest.mark.django_db(transaction=True)


def broken(words: str) -> Any:
    def step(**_: object) -> None:
        raise RuntimeError(words)

    return step


def a_minute() -> Any:
    """A catch_up as the worker does it, in this thread."""
    context: Any = SimpleNamespace(job=SimpleNamespace(task_name="catch_up"))
    nobody: Any = None
    return trouble.told_to_staff(lambda: tasks.catch_up(timestamp=1), context, nobody)


def test_the_worker_does_every_task_so(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def noted(work: Any, context: Any, worker: Any) -> Any:
        seen.append(context.job.task_name)
        return work()

    assert schedule.app is app, "it is read now, and not when the worker starts"
    monkeypatch.setattr(app.periodic_registry, "periodic_tasks", {})
    monkeypatch.setattr(trouble, "told_to_staff", noted)
    monkeypatch.setattr(work, "catch_up", lambda **_: seen.append("done"))
    tasks.catch_up.defer(timestamp=1)
    worker.work(at_once=1, wait=False)
    assert seen == ["catch_up", "done"]


def test_staff_are_told_of_a_step_that_fails_and_no_more_once_it_goes_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their mail goes out although that step fails in every minute."""
    world.person("sam@cic.example", staff=True)
    with monkeypatch.context() as patched:
        patched.setattr(payments, "handle_events", broken("the disk is full"))
        with pytest.raises(RuntimeError, match="disk"):
            a_minute()
        (matter,) = StaffAlert.objects.all()
        assert (matter.kind, matter.settled_at, matter.times) == ("work_failed", None, 1)
        assert "“catch up” failed: RuntimeError: the disk is full." in matter.message
        with pytest.raises(RuntimeError, match="disk"):
            a_minute()
        matter.refresh_from_db()
        assert matter.times == 2
        (letter,) = Notification.objects.all()
        assert letter.recipient == "sam@cic.example"
        assert "the disk is full" in letter.body_text
        assert letter.sent_at is not None
    a_minute()
    matter.refresh_from_db()
    assert matter.settled_at is not None


def test_every_step_of_a_minute_is_done_and_everything_that_failed_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    steps = [
        *("handle_events", "sweep_attempts", "sweep_refunds", "charge_new_cards", "forget_removed_cards"),
        *("give_missing_receipts", "mail_staff"),
    ]
    for name in steps:
        monkeypatch.setattr(payments, name, lambda name=name, **_: done.append(name))
    monkeypatch.setattr(payments, "sweep_attempts", broken("one"))
    with pytest.raises(RuntimeError, match="one"):
        work.catch_up(now=clock.now())
    assert done == [name for name in steps if name != "sweep_attempts"]
    monkeypatch.setattr(payments, "mail_staff", broken("two"))
    with pytest.raises(ExceptionGroup) as failed:
        work.catch_up(now=clock.now())
    assert [str(error) for error in failed.value.exceptions] == ["one", "two"]
    with pytest.raises(ExceptionGroup):
        a_minute()
    assert "RuntimeError: one; RuntimeError: two." in StaffAlert.objects.get(kind="work_failed").message
