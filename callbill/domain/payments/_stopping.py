"""Stopping collection for a payer while something at the gateway cannot be explained."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.payments._alerts import alert
from callbill.domain.payments.models import CollectionStop
from callbill.lib.transactions import in_transaction


@in_transaction
def stop_collection(*, payer_id: UUID, key: str, reason: str, now: datetime) -> bool:
    """Charge nothing for this payer until staff lift it; they are told. True if it is new.

    A thing (`key`, a charge) stops a payer once: what staff explained and lifted does not stop again.
    """
    stop, is_new = CollectionStop.objects.get_or_create(
        payer_id=payer_id, key=key, defaults={"reason": reason, "stopped_at": now}
    )
    if is_new:
        alert(
            key=f"collection-stop:{stop.id}",
            kind="collection_stopped",
            message=f"Nothing is charged for {stop.payer} until you lift the stop on the page "
            f"Reconciliation. {reason}",
            now=now,
        )
    return is_new
