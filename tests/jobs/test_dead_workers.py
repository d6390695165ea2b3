"""A worker may be killed at any moment: what it held is taken up by another, and nothing stops for good."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django import app

from callbill.config import checkup
from callbill.config.checkup import NOTE, OK, PROBLEM
from callbill.config.commands import worker
from callbill.jobs import left_behind, schedule, tasks, work
from tests import killing

pytestmark = pytest.mark.django_db(transaction=True)

_DEAD_AFTER = 2.5  # seconds, in the test of real processes

# The real command; only the work of the task is another, and it need not wait for the next minute.
_WORKER = """
import sys, time
from pathlib import Path
from procrastinate.contrib.django import app
from callbill.config import cli
from callbill.jobs import left_behind, tasks, work

def catch_up(**_):
    with Path({notes!r}).open("a") as notes:
        notes.write({name!r} + "\\n")
    time.sleep({seconds})

work.catch_up = catch_up
left_behind.DEAD_AFTER = {dead_after}
app.perform_import_paths()
app.periodic_registry.periodic_tasks.clear()
app.periodic(cron="* * * * * */1")(tasks.take_up_left_jobs)
sys.exit(cli.main(["worker"]))
"""


def query(statement: str, *values: float | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    """Django does not empty these tables between tests: their models are not managed."""
    _empty()
    yield
    _empty()


def _empty() -> None:
    for table in ("periodic_defers", "jobs", "workers"):
        query(f"DELETE FROM procrastinate_{table}")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done; the schedule puts nothing into the queue meanwhile."""
    seen: list[str] = []
    monkeypatch.setattr(work, "catch_up", lambda **_: seen.append("catch_up"))
    monkeypatch.setattr(app.periodic_registry, "periodic_tasks", {})
    return seen


def jobs() -> list[tuple[str, str]]:
    """Task and state of each job, oldest first."""
    rows = query("SELECT task_name, status::text FROM procrastinate_jobs ORDER BY id")
    return [(task, state) for task, state in rows]


def a_worker(*, silent_for: int = 0) -> int:
    """The row of a worker that last gave a sign of life so many seconds ago."""
    beat = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s))"
    ((worker_id,),) = query(f"{beat} RETURNING id", silent_for)
    return int(worker_id)


def under_way(worker_id: int | None = None) -> int:
    """A catch_up that a worker has begun; by default one whose row is gone."""
    job = tasks.catch_up.defer(timestamp=1)
    query("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s", worker_id, job)
    return job


@pytest.mark.parametrize("row", ["gone", "silent"])
@pytest.mark.parametrize("next_waits", [True, False])
def test_what_a_dead_worker_held_is_done_by_the_next(
    done: list[str], caplog: pytest.LogCaptureFixture, row: str, next_waits: bool
) -> None:
    job = under_way(None if row == "gone" else a_worker(silent_for=60))
    if next_waits:
        tasks.catch_up.defer(timestamp=2)
    with caplog.at_level(logging.WARNING):
        worker.work(at_once=1, wait=False)
    assert done == ["catch_up"]
    assert jobs() == []
    assert f"the worker of catch_up (job {job}) died" in caplog.text


def test_a_job_of_a_living_worker_is_left_alone(done: list[str]) -> None:
    under_way(a_worker(silent_for=10))
    tasks.catch_up.defer(timestamp=2)
    tasks.take_up_left_jobs(timestamp=3)
    worker.work(at_once=1, wait=False)
    assert done == []
    assert jobs() == [("catch_up", "doing"), ("catch_up", "todo")]


def test_every_task_may_be_begun_anew_and_none_holds_the_taking_up_up() -> None:
    """What a person asks for is kept in rows of its own; a job has no argument but its time."""
    scheduled = {task.task.name for task in app.periodic_registry.periodic_tasks.values()}
    ours = {name for name, task in app.tasks.items() if task.func.__module__ == tasks.__name__}
    assert ours == scheduled, schedule.__doc__
    assert all(app.tasks[name].queueing_lock for name in ours)
    assert app.tasks["take_up_left_jobs"].lock is None
    assert app.tasks["take_up_left_jobs"].priority > max(
        app.tasks[name].priority for name in ours - {"take_up_left_jobs"}
    )


def test_a_job_that_kills_its_worker_each_time_is_dropped_in_the_end() -> None:
    job = under_way()
    for _ in range(2):
        assert left_behind.take_up() == 1
        assert jobs() == [("catch_up", "todo")]
        query("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", job)
    assert left_behind.take_up() == 1
    assert jobs() == []


def findings() -> list[tuple[str, str]]:
    found = [each for each in checkup.examine() if each.topic == "worker"]
    assert all(each.remedy for each in found if each.level == PROBLEM)
    return [(each.level, each.says) for each in found]


def test_the_doctor_tells_of_a_job_whose_worker_died() -> None:
    under_way()
    told, none_at_work = findings()
    assert told[0] == PROBLEM
    assert "catch_up" in told[1]
    assert none_at_work[0] == NOTE
    a_worker()
    assert [level for level, _ in findings()] == [PROBLEM]
    left_behind.take_up()
    assert [level for level, _ in findings()] == [OK]


def test_the_doctor_tells_of_a_minute_that_does_not_end() -> None:
    defers = "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp) VALUES ('catch_up', %s)"
    under_way(a_worker())
    query(defers, time.time() - 300)
    assert [level for level, _ in findings()] == [OK]
    query("UPDATE procrastinate_periodic_defers SET defer_timestamp = defer_timestamp - 500")
    ((level, says),) = findings()
    assert level == PROBLEM
    assert "has not finished for 13 minutes" in says


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a worker process that notes each catch_up it begins, and takes so long for it."""
    started = []

    def begin(name: str, *, seconds: float) -> subprocess.Popen[str]:
        words = {
            "notes": str(tmp_path / "notes"),
            "name": name,
            "seconds": seconds,
            "dead_after": _DEAD_AFTER,
        }
        started.append(killing.start(_WORKER.format(**words), name="worker-under-test"))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    killing.wait_until_gone("worker-under-test")


def until(come: Callable[[], bool], what: str) -> None:
    for _ in range(400):
        if come():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: {jobs()}")


def test_a_worker_that_is_killed_at_its_work(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(left_behind, "DEAD_AFTER", _DEAD_AFTER)
    notes = tmp_path / "notes"
    notes.touch()
    first = start("first", seconds=600)
    tasks.catch_up.defer(timestamp=1)
    until(lambda: notes.read_text() == "first\n", "the first worker begins")
    # As at an upgrade: told to stop, it ends its work first, and nobody may take that for dead.
    first.send_signal(signal.SIGTERM)
    second = start("second", seconds=0)
    until(lambda: len(query("SELECT id FROM procrastinate_workers")) == 2, "the second worker is there")
    time.sleep(_DEAD_AFTER + 1)
    assert first.poll() is None
    assert ("catch_up", "doing") in jobs()
    assert notes.read_text() == "first\n"
    # Then patience ends.
    tasks.catch_up.defer(timestamp=2)
    first.kill()
    until(lambda: "second" in notes.read_text(), "the second worker takes over")
    until(lambda: "catch_up" not in {task for task, _ in jobs()}, "nothing is left")
    second.send_signal(signal.SIGTERM)
    assert second.wait(10) == 0
