"""Lifting what stopped collection for a payer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _plan
from callbill.domain.payments._alerts import settle_matter
from callbill.domain.payments._saving import lock_payer
from callbill.domain.payments.models import CollectionPlan, CollectionStop
from callbill.domain.users.operations import record_staff_action
from callbill.lib.transactions import in_transaction
from callbill.rules.dunning import Stop, Why


@in_transaction
def lift_collection_stop(*, stop_id: UUID, actor_id: UUID, reason: str, now: datetime) -> None:
    """Staff explain it: the payer is charged again, what was not charged because of it now.

    Who, when and why are in the audit log. While another stop of the payer stands, nothing is charged yet.
    Raises NotFound (also for one that was lifted already), ReasonMissing.
    """
    stop = (
        CollectionStop.objects.select_for_update(of=("self",))
        .select_related("payer__company", "payer__organization")
        .filter(id=stop_id, lifted_at=None)
        .first()
    )
    if stop is None:
        raise NotFound("There is no such stop, or somebody has lifted it already.")
    record_staff_action(
        actor_id=actor_id,
        action="lift_collection_stop",
        subject_kind="collection_stop",
        subject_id=str(stop.id),
        subject_label=stop.payer.name,
        reason=reason,
        details={"why_stopped": stop.reason},
        now=now,
    )
    stop.lifted_at, stop.lifted_by_id = now, actor_id
    stop.save(update_fields=["lifted_at", "lifted_by"])
    settle_matter(key=f"collection-stop:{stop.id}", now=now)
    if not CollectionStop.objects.filter(payer_id=stop.payer_id, lifted_at=None).exists():
        _go_on(stop.payer_id, now)


def _go_on(payer_id: UUID, now: datetime) -> None:
    # Before its invoices, as everybody who locks several of them.
    lock_payer(payer_id)
    waiting = CollectionPlan.objects.filter(
        invoice__payer_id=payer_id, stopped_because=Stop.STOPPED.value
    ).order_by("invoice_id")
    for invoice_id in list(waiting.values_list("invoice_id", flat=True)):
        invoice = Invoice.objects.select_for_update().get(id=invoice_id)
        plan = _plan.plan_of_or_none(invoice)
        if plan is not None and plan.stopped_because == Stop.STOPPED.value:
            _plan.put(invoice, at=now, why=Why.STOP_LIFTED)
