"""Answers about what is held out of collection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from callbill.domain.customers.queries import NotFound, Viewer, visible_payers
from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money

__all__ = [
    "STAFF_KINDS",
    "HoldView",
    "NotFound",
    "amounts_held",
    "held",
    "held_on",
    "hold_for",
    "holds_of",
    "open_holds",
    "open_on",
]

# What staff can say that a hold is for.
STAFF_KINDS = tuple((kind.value, str(kind.label)) for kind in (Hold.Kind.QUESTION, Hold.Kind.STAFF))
_SETTLED = (InvoiceStatus.PAID.value, InvoiceStatus.VOID.value, InvoiceStatus.UNCOLLECTIBLE.value)
_ABOUT_A_CHARGE = (Hold.Kind.CHARGEBACK.value, Hold.Kind.FRAUD_WARNING.value)


@dataclass(frozen=True, slots=True)
class HoldView:
    """A hold as it is shown. `amount` None: all that is owed. The names of staff are for staff only."""

    id: UUID
    invoice_id: UUID
    invoice_number: str
    payer_name: str
    kind: str
    kind_word: str
    cause: str
    amount: Money | None
    reason: str
    placed_at: datetime
    placed_by: str
    lifted_at: datetime | None
    lifted_by: str
    lifted_because: str

    @property
    def is_open(self) -> bool:
        """True until it is lifted."""
        return self.lifted_at is None


def held(invoice: Invoice, holds: Sequence[Hold] | None = None) -> Money:
    """How much of what is due on the invoice is not collected for now (M30): never more than is due.

    A charge that its bank disputes is paid until the bank decides, so its hold takes nothing of what else is
    due; it holds what is owed again because the bank took it for good. `holds`: the open ones, if read.
    """
    total = at_bank = 0
    for hold in open_on(invoice.id) if holds is None else holds:
        if hold.kind == Hold.Kind.CHARGEBACK.value:
            at_bank += hold.amount_minor or invoice.charged_back_minor
        else:
            total += invoice.due_minor if hold.amount_minor is None else hold.amount_minor
    total += min(at_bank, invoice.charged_back_minor)
    return Money(min(total, invoice.due_minor), invoice.currency)


def held_on(invoice_id: UUID) -> Money:
    """`held` of an invoice by its id; unscoped, for pages that found the invoice for their viewer."""
    return held(Invoice.objects.get(id=invoice_id))


def amounts_held(viewer: Viewer, invoice_ids: Iterable[UUID]) -> dict[UUID, Money]:
    """`held` of those of the invoices of which something is held, for who sees their payer."""
    by_invoice: dict[UUID, list[Hold]] = defaultdict(list)
    for hold in _seen_by(viewer).filter(invoice_id__in=list(invoice_ids), lifted_at=None):
        by_invoice[hold.invoice_id].append(hold)
    amounts = {key: held(holds[0].invoice, holds) for key, holds in by_invoice.items()}
    return {key: amount for key, amount in amounts.items() if amount.minor}


def open_on(invoice_id: UUID) -> list[Hold]:
    """The holds of an invoice that are not lifted, oldest first; unscoped, for the domain."""
    return list(Hold.objects.filter(invoice_id=invoice_id, lifted_at=None).order_by("placed_at", "id"))


def holds_of(viewer: Viewer, invoice_id: UUID) -> list[HoldView]:
    """The invoice's holds, oldest first: for staff all of them, for its payer's people the open ones."""
    holds = _seen_by(viewer).filter(invoice_id=invoice_id)
    if not viewer.is_staff:
        holds = holds.filter(lifted_at=None)
    return [_view(hold, staff=viewer.is_staff) for hold in holds.order_by("placed_at", "id")]


def hold_for(viewer: Viewer, hold_id: UUID) -> HoldView:
    """One hold, for staff. Raises NotFound, also for anybody else."""
    hold = _seen_by(viewer).filter(id=hold_id).first() if viewer.is_staff else None
    if hold is None:
        raise NotFound("There is no such hold.")
    return _view(hold, staff=True)


def open_holds(viewer: Viewer) -> Sequence[HoldView]:
    """Every hold that is not lifted, oldest first, for staff; not those on what was settled meanwhile."""
    if not viewer.is_staff:
        return []
    settled = Q(invoice__status__in=_SETTLED) & ~Q(kind__in=_ABOUT_A_CHARGE)
    holds = _seen_by(viewer).filter(lifted_at=None).exclude(settled)
    return [_view(hold, staff=True) for hold in holds.order_by("placed_at", "id")]


def _seen_by(viewer: Viewer) -> QuerySet[Hold]:
    holds = Hold.objects.filter(invoice__payer__in=visible_payers(viewer))
    return holds.select_related("invoice", "placed_by", "lifted_by")


def _view(hold: Hold, *, staff: bool) -> HoldView:
    invoice = hold.invoice
    placed_by = str(hold.placed_by.name or hold.placed_by.email) if staff and hold.placed_by else ""
    lifted_by = str(hold.lifted_by.name or hold.lifted_by.email) if staff and hold.lifted_by else ""
    return HoldView(
        id=hold.id,
        invoice_id=invoice.id,
        invoice_number=invoice.number or "",
        payer_name=invoice.payer_snapshot.get("name", ""),
        kind=hold.kind,
        kind_word=str(Hold.Kind(hold.kind).label),
        cause=hold.cause,
        amount=None if hold.amount_minor is None else Money(hold.amount_minor, invoice.currency),
        reason=hold.reason,
        placed_at=hold.placed_at,
        placed_by=placed_by,
        lifted_at=hold.lifted_at,
        lifted_by=lifted_by,
        lifted_because=hold.lifted_because,
    )
