"""Work that goes wrong by itself: nobody watches it, so staff are told until it goes well again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.db import close_old_connections
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker

from callbill.domain.payments import operations as payments
from callbill.lib import clock

log = logging.getLogger(__name__)
# What each task does, as staff are told that it failed.
IN_WORDS = {
    "take_up_left_jobs": "take up the work of a worker that died",
    "bill_and_collect": "bill and charge what is due",
    "catch_up": "do the work of every minute",
    "warn_of_expiring_cards": "warn of cards that expire",
    "ask_about_chargebacks": "ask Stripe about disputes",
    "verify_sample": "compute a sample of the invoices again",
    "verify_asked": "compute the invoices again",
    "read_lost_messages": "read Stripe's own list of messages",
    "reconcile": "reconcile",
    "reconcile_asked": "reconcile",
}
_LONGEST = 300


class StepsFailed(ExceptionGroup):
    """Steps that failed; staff have been told of each."""


def each(steps: Mapping[str, Callable[[], object]]) -> None:
    """Do every step, also after one that failed; their names say in words what they do.

    Staff are told of one that failed, until it goes well. It is mailed if it fails again in the next minute:
    what writes to them is a step, too. Raises StepsFailed at the end.
    """
    failed: dict[str, Exception] = {}
    for name, step in steps.items():
        try:
            step()
        except Exception as error:
            failed[name] = error
        else:
            payments.settle_alert(key=_key(name), now=clock.now())
    for name, problem in failed.items():
        _tell_if_it_can_be(name, problem)
    if failed:
        raise StepsFailed(f"failed: {', '.join(failed)}", list(failed.values()))


def told_to_staff(work: Callable[[], Any], context: JobContext, worker: Worker) -> Any:
    """Around every task: staff are told that it failed, and no more once it went well."""
    task = context.job.task_name
    try:
        result = work()
    except StepsFailed:
        raise
    except Exception as error:
        _tell_if_it_can_be(task, error)
        raise
    payments.settle_alert(key=_key(task), now=clock.now())
    return result


def _tell_if_it_can_be(name: str, error: Exception) -> None:
    """If that fails too, the log has both."""
    try:
        close_old_connections()  # what failed may be the connection
        tell(name, error)
    except Exception:
        log.exception("staff could not be told that this failed: %s: %r", name, error)


def tell(name: str, error: Exception) -> None:
    """Tell staff that a task, or a step whose name says what it does, failed."""
    what = f"{type(error).__name__}: {str(error)[:_LONGEST]}"
    payments.alert_staff(
        key=_key(name),
        kind="work_failed",
        message=f"Callbill could not {IN_WORDS.get(name, name)}: {what}. It is tried again by itself. "
        "If it stays so, the worker's log says where it fails.",
        now=clock.now(),
    )


def _key(name: str) -> str:
    return f"work:{name}"
