"""Work that fails by itself: the rest of it is done all the same, and staff are told until it goes well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django import app

from callbill.config.commands import worker
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import StaffAlert
from callbill.jobs import left_behind, schedule, tasks, trouble, work
from tests.domain import world

pytestmark = pytest.mark.django_db(transaction=True)


def broken(words: str) -> Any:
    def step(**_: object) -> None:
        raise RuntimeError(words)

    return step


def do(task: str, work: Callable[[], Any]) -> Any:
    """A task as the worker does it, in this thread."""
    context: Any = SimpleNamespace(job=SimpleNamespace(task_name=task))
    nobody: Any = None
    return trouble.told_to_staff(work, context, nobody)


def a_minute(*failing: str) -> None:
    """A catch_up in which all goes well, or these fail."""
    if not failing:
        do("catch_up", lambda: tasks.catch_up(timestamp=1))
        return
    with pytest.raises(trouble.StepsFailed) as failed:
        do("catch_up", lambda: tasks.catch_up(timestamp=1))
    assert [str(error) for error in failed.value.exceptions] == list(failing)


def open_matters() -> list[str]:
    matters = StaffAlert.objects.filter(settled_at=None).order_by("key")
    assert {matter.kind for matter in matters} <= {"work_failed"}
    return [matter.message.partition(". ")[0] for matter in matters]


def test_every_task_has_words() -> None:
    ours = {name for name, task in app.tasks.items() if task.func.__module__ == tasks.__name__}
    assert set(trouble.IN_WORDS) == ours, schedule.__doc__


def test_a_step_that_failed_is_mailed_if_it_fails_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail goes out although that step fails in every minute; a single hiccup makes none."""
    world.person("sam@cic.example", staff=True)
    with monkeypatch.context() as patched:
        patched.setattr(payments, "handle_events", broken("the disk is full"))
        a_minute("the disk is full")
        words = "Callbill could not apply Stripe's messages: RuntimeError: the disk is full"
        assert open_matters() == [words]
        assert not Notification.objects.exists()
        a_minute("the disk is full")
        (letter,) = Notification.objects.all()
        assert letter.recipient == "sam@cic.example"
        assert words in letter.body_text
        assert letter.sent_at is not None
    a_minute()
    assert open_matters() == []
    with monkeypatch.context() as patched:
        patched.setattr(payments, "sweep_attempts", broken("a deadlock"))
        a_minute("a deadlock")
    a_minute()
    assert open_matters() == []
    assert Notification.objects.count() == 1


def test_every_step_of_a_minute_is_done_and_each_that_failed_is_a_matter_of_its_own(
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
    monkeypatch.setattr(payments, "mail_staff", broken("two"))
    a_minute("one", "two")
    assert done == [name for name in steps if name not in ("sweep_attempts", "mail_staff")]
    assert open_matters() == [
        "Callbill could not look after payments in doubt: RuntimeError: one",
        "Callbill could not write to staff: RuntimeError: two",
    ]


def test_a_minute_asks_a_silent_stripe_three_times_and_not_in_every_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[Any] = []
    steps = ("handle_events", "sweep_attempts", "sweep_refunds", "charge_new_cards", "forget_removed_cards")
    for name in steps:
        monkeypatch.setattr(payments, name, lambda answers, **_: given.append(answers))
    a_minute()
    assert len(given) == 5
    assert len(set(map(id, given))) == 1


def test_other_work_is_told_of_at_once_and_settled_when_it_goes_well() -> None:
    with pytest.raises(RuntimeError, match="no space"):
        do("reconcile", broken("no space"))
    assert open_matters() == ["Callbill could not reconcile: RuntimeError: no space"]
    do("reconcile_asked", lambda: None)
    assert len(open_matters()) == 1, "that nobody asked for one is not the night's work going well"
    do("reconcile", lambda: None)
    assert open_matters() == []


def test_the_worker_tells_also_when_its_connection_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL was restarted in the middle: its thread has another connection to tell, and then."""
    threads: list[int] = []

    def lose_the_database(**_: object) -> None:
        threads.append(threading.get_ident())
        list(StaffAlert.objects.all())
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def ask_the_database(**_: object) -> None:
        threads.append(threading.get_ident())
        with transaction.atomic():
            assert StaffAlert.objects.count() == 1

    assert schedule.app is app, "it is read now, and not when the worker starts"
    monkeypatch.setattr(app.periodic_registry, "periodic_tasks", {})
    monkeypatch.setattr(work, "catch_up", lose_the_database)
    monkeypatch.setattr(work, "reconcile", ask_the_database)
    tasks.catch_up.defer(timestamp=1)
    tasks.reconcile.defer(timestamp=1)
    worker.work(at_once=1, wait=False)
    (told,) = open_matters()
    assert told.startswith("Callbill could not do the work of every minute: OperationalError")
    assert len(threads) == 2
    assert len(set(threads)) == 1


def test_work_that_kills_its_worker_each_time_is_told_of() -> None:
    with connection.cursor() as cursor:
        tasks.catch_up.defer(timestamp=1)
        for _ in range(3):
            cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")
            left_behind.take_up()
    assert open_matters() == [
        "Callbill could not do the work of every minute: RuntimeError: its worker died 3 times at it"
    ]
