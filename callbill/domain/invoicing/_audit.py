"""What staff did to an invoice, in the audit log; everybody who lets staff do something to one calls this."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from callbill.domain.invoicing.models import Invoice
from callbill.domain.users.operations import record_staff_action


def record_on_invoice(
    invoice: Invoice,
    action: str,
    *,
    actor_id: UUID,
    reason: str,
    now: datetime,
    details: Mapping[str, object] | None = None,
) -> None:
    """Write down who did what to the invoice, when and why. Raises ReasonMissing."""
    record_staff_action(
        actor_id=actor_id,
        action=action,
        subject_kind="invoice",
        subject_id=str(invoice.id),
        subject_label=invoice.number or "",
        reason=reason,
        details=details or {},
        now=now,
    )
