"""Work that goes wrong by itself: nobody watches it, so staff are told until it goes well again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from callbill.domain.payments import operations as payments
from callbill.lib import clock

_LONGEST = 300


def each(steps: Iterable[Callable[[], object]]) -> None:
    """Do every step, also after one that failed. Raises what went wrong, several as an ExceptionGroup."""
    failed: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup("several steps failed", failed)


def told_to_staff(work: Callable[[], Any], context: JobContext, worker: Worker) -> Any:
    """Around every task: staff are told that it failed, and no more once it went well."""
    task = context.job.task_name
    key = f"work:{task}"
    try:
        result = work()
    except Exception as error:
        payments.alert_staff(
            key=key,
            kind="work_failed",
            message=f"What Callbill does by itself as “{task.replace('_', ' ')}” failed: {_words(error)} "
            "It is begun again by itself. If it stays so, the worker's log says where it fails.",
            now=clock.now(),
        )
        raise
    payments.settle_alert(key=key, now=clock.now())
    return result


def _words(error: Exception) -> str:
    parts = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
    return "; ".join(f"{type(part).__name__}: {part}"[:_LONGEST] for part in parts) + "."
