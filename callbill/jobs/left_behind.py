"""Jobs whose worker died: killed, out of memory, without power.

Such a job stays marked as under way, and Procrastinate begins no other job with its lock while it is, so
billing or mail would stop for good. A worker looks for them when it starts and every minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from procrastinate import exceptions, sql
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from callbill.jobs import trouble
from callbill.lib.transactions import in_transaction

log = logging.getLogger(__name__)
DEAD_AFTER = 30.0  # seconds without a sign of life
_MOST_DEATHS = 3  # a job that takes its worker along each time is not begun for ever

# Asks for what is known to be dead, not for the absence of a live one: a worker that registers while this
# runs is not seen yet, and may have taken the job over.
_LEFT = """
SELECT job.id, job.task_name, job.attempts
FROM procrastinate_jobs AS job
WHERE job.status = 'doing' AND (
    job.worker_id IS NULL
    OR EXISTS (
        SELECT 1 FROM procrastinate_workers AS worker
        WHERE worker.id = job.worker_id
        AND worker.last_heartbeat < clock_timestamp() - make_interval(secs => %s)
    )
)
ORDER BY job.id
"""


@in_transaction
def take_up() -> int:
    """Free what dead workers hold: their jobs are put back, or dropped if the next one waits already.

    Every job may run anew, from its beginning. Safe in several processes at once.
    Returns how many there were.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"{_LEFT} FOR UPDATE OF job SKIP LOCKED", [DEAD_AFTER])
        jobs = cursor.fetchall()
    for job_id, task, deaths in jobs:
        if deaths + 1 < _MOST_DEATHS and _put_back(job_id):
            log.warning("the worker of %s (job %s) died; it is done anew", task, job_id)
        else:
            _drop(job_id)
            if deaths + 1 >= _MOST_DEATHS:
                trouble.tell(task, RuntimeError(f"its worker died {deaths + 1} times at it"))
            log.warning("the worker of %s (job %s) died; the next one does its work", task, job_id)
    return len(jobs)


def left_behind() -> list[str]:
    """The tasks that are marked as under way though their worker is dead."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, [DEAD_AFTER])
        return [task for _, task, _ in cursor.fetchall()]


def silence(task: str) -> timedelta:
    """How long ago the schedule last put this task into the queue; none if it never did.

    It does not while an earlier one waits there, so one that does not end shows in this, too.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT clock_timestamp() - to_timestamp(max(defer_timestamp))"
            " FROM procrastinate_periodic_defers WHERE task_name = %s",
            [task],
        )
        return cursor.fetchone()[0] or timedelta()


async def sign_of_life(run_job: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
    """Around every job: say that its worker lives.

    Procrastinate says so too, but no more once it was told to stop, while it waits for the job to end. And a
    machine that slept must not take its own job for a dead worker's when it wakes.
    """
    await _beat(worker)
    beating = asyncio.create_task(_keep_beating(worker))
    try:
        return await run_job()
    finally:
        beating.cancel()


async def _keep_beating(worker: Worker) -> None:
    while True:
        await asyncio.sleep(DEAD_AFTER / 3)
        await _beat(worker)


async def _beat(worker: Worker) -> None:
    assert worker.worker_id is not None, "it is registered while it has jobs"
    try:
        await worker.app.job_manager.update_heartbeat(worker.worker_id)
    except exceptions.ConnectorException as error:  # the job itself will notice, if it needs the database
        log.warning("no sign of life could be given: %s", error)


def _put_back(job_id: int) -> bool:
    """False if it may not wait beside the next one (its queueing lock)."""
    again = dict.fromkeys(("retry_at", "new_priority", "new_queue_name", "new_lock"))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql.queries["retry_job"], {"job_id": job_id, **again})
    except IntegrityError:
        return False
    return True


def _drop(job_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.queries["finish_job"], {"job_id": job_id, "status": "failed", "delete_job": True})
