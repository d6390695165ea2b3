"""What changes about reconciliation."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.reconciliation._facts import EVENT_HANDLERS
from callbill.domain.reconciliation._running import DAYS, STEPS, AlreadyReconciling, reconcile
from callbill.domain.reconciliation.models import ReconciliationRun
from callbill.domain.users.operations import record_staff_action
from callbill.lib.transactions import in_transaction, outside_transaction

__all__ = [
    "DAYS",
    "EVENT_HANDLERS",
    "STEPS",
    "AlreadyReconciling",
    "ask_to_reconcile",
    "reconcile",
    "reconcile_asked",
]
_STAFF = "staff"


@in_transaction
def ask_to_reconcile(*, actor_id: UUID, reason: str, now: datetime) -> tuple[ReconciliationRun, bool]:
    """Ask for a reconciliation; the worker does it. Returns the run and whether it is new.

    One that was asked for and has not ended is given again. It is in the audit log. Raises ReasonMissing.
    """
    run, is_new = ReconciliationRun.objects.get_or_create(
        trigger=_STAFF,
        finished_at=None,
        defaults={"asked_by_id": actor_id, "reason": reason.strip(), "started_at": now, "since": now},
    )
    if is_new:
        record_staff_action(
            actor_id=actor_id,
            action="reconcile",
            subject_kind="reconciliation",
            subject_id=str(run.id),
            subject_label="Reconciliation with Stripe",
            reason=reason,
            details={},
            now=now,
        )
    return run, is_new


@outside_transaction
def reconcile_asked(*, now: datetime) -> ReconciliationRun | None:
    """Do the reconciliation that staff asked for, anew if it was broken off. None if they did not."""
    run = ReconciliationRun.objects.filter(trigger=_STAFF, finished_at=None).first()
    if run is None:
        return None
    try:
        return reconcile(now=now, run=run)
    except AlreadyReconciling:
        return run
