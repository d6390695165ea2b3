"""What changes about what is held out of collection."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import NotFound
from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.queries import held
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import BeingPaid, record_on_invoice, refuse_while_being_paid
from callbill.lib import formats
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import OWED, WORDS, InvoiceStatus
from callbill.rules.money import Money

__all__ = ["BeingPaid", "HoldRefused", "lift_hold", "place_hold"]


class HoldRefused(Exception):
    """Nothing is held; the message says why and what to do instead."""


@in_transaction
def place_hold(
    *,
    invoice_id: UUID,
    kind: str,
    cause: str,
    amount: Money | None,
    reason: str,
    actor_id: UUID | None,
    now: datetime,
) -> Hold:
    """Hold an amount of an invoice out of collection, or all that is owed on it (None), for a cause (M30).

    For the same cause twice it is one hold. With an actor it is a deed of staff: it must hold something that
    is due and not held yet, and is in the audit log. Raises HoldRefused, BeingPaid (a card is being charged
    for it), ReasonMissing, NotFound.
    """
    invoice = Invoice.objects.select_for_update().exclude(status=InvoiceStatus.DRAFT.value)
    found = invoice.filter(id=invoice_id).first()
    if found is None:
        raise NotFound("There is no such invoice.")
    known = Hold.objects.filter(invoice=found, kind=kind, cause=cause, lifted_at=None).first()
    if known is not None:
        return known
    if actor_id is not None:
        _refuse_for_staff(found, amount)
    hold = Hold.objects.create(
        invoice=found,
        kind=Hold.Kind(kind),
        cause=cause,
        amount_minor=None if amount is None else amount.minor,
        reason=reason.strip(),
        placed_at=now,
        placed_by_id=actor_id,
    )
    if actor_id is not None:
        details = {"kind": kind, "amount": "all that is owed" if amount is None else str(amount)}
        record_on_invoice(found, "place_hold", actor_id=actor_id, reason=reason, details=details, now=now)
    return hold


def _refuse_for_staff(invoice: Invoice, amount: Money | None) -> None:
    status = InvoiceStatus(invoice.status)
    free = Money(invoice.due_minor, invoice.currency) - held(invoice)
    if status not in OWED or invoice.due_minor == 0:
        raise HoldRefused(
            f"Invoice {invoice.number} is {WORDS[status].lower()}; there is nothing to hold. "
            "To give something back, credit its lines."
        )
    if free.minor == 0:
        raise HoldRefused(f"All that is owed on invoice {invoice.number} is on hold already.")
    if amount is not None and amount.currency != invoice.currency:
        raise HoldRefused(f"Invoice {invoice.number} is in {invoice.currency}, not in {amount.currency}.")
    if amount is not None and amount.minor <= 0:
        raise HoldRefused("Hold an amount above zero.")
    if amount is not None and amount > free:
        raise HoldRefused(
            f"{formats.money(amount)} is more than the {formats.money(free)} of invoice {invoice.number} "
            "that can be held: what is due and not on hold already."
        )
    refuse_while_being_paid(invoice)


@in_transaction
def lift_hold(*, hold_id: UUID, reason: str, actor_id: UUID | None, now: datetime) -> Hold:
    """End a hold; one that was lifted already stays as it is. With an actor it is in the audit log.

    Who holds payments must know of it: staff lift holds by `payments.operations.lift_hold`, which also lets
    the amount be charged. Raises ReasonMissing, NotFound.
    """
    invoice_id = Hold.objects.filter(id=hold_id).values_list("invoice_id", flat=True).first()
    if invoice_id is None:
        raise NotFound("There is no such hold.")
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    hold = Hold.objects.select_for_update().get(id=hold_id)
    if hold.lifted_at is not None:
        return hold
    hold.lifted_at, hold.lifted_because = now, reason.strip()
    hold.lifted_by_id = actor_id  # type: ignore[assignment]
    hold.save(update_fields=["lifted_at", "lifted_by", "lifted_because"])
    if actor_id is not None:
        details = {"kind": hold.kind, "held_because": hold.reason}
        record_on_invoice(invoice, "lift_hold", actor_id=actor_id, reason=reason, details=details, now=now)
    return hold
