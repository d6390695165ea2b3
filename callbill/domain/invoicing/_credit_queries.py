"""Answers about credit notes, scoped by who asks; part of `queries`."""

from __future__ import annotations

from uuid import UUID

from callbill.domain.customers.queries import NotFound, Viewer, payer_seen_by
from callbill.domain.invoicing._being_paid import BeingPaid, refuse_while_being_paid
from callbill.domain.invoicing._closing import VoidRefused, refuse_void
from callbill.domain.invoicing._credit_views import (
    CreditableLine,
    CreditNoteView,
    CreditPreview,
    credit_note_view,
    credit_preview,
    creditable_lines,
)
from callbill.domain.invoicing._crediting import Amounts
from callbill.domain.invoicing._visible import sees_whole, visible_invoices
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.ledger.queries import held_for
from callbill.rules.lifecycle import MOVES, InvoiceEvent, InvoiceStatus, MoveRefused
from callbill.rules.money import Money


def credit_notes_of(viewer: Viewer, number: str) -> tuple[CreditNoteView, ...]:
    """The credit notes of an invoice, oldest first; for a company's people those of their lines (M32).

    Raises NotFound, also for another tenant's invoice.
    """
    invoice = _seen(viewer, number)
    only = None if sees_whole(viewer, invoice) else viewer.company_ids
    notes = CreditNote.objects.filter(invoice=invoice).select_related("invoice").order_by("number")
    views = (credit_note_view(note, only_companies=only) for note in notes)
    return tuple(view for view in views if view.lines)


def credit_note_for(viewer: Viewer, number: str) -> CreditNoteView:
    """A credit note by its number. Raises NotFound, also for those who see only a part of its invoice."""
    note = CreditNote.objects.filter(number=number).select_related("invoice__payer").first()
    if note is None or not sees_whole(viewer, note.invoice):
        raise NotFound(f"There is no credit note {number}.")
    return credit_note_view(note)


def lowered_by_credit_notes(invoice_id: UUID) -> tuple[tuple[str, Money], ...]:
    """The credit notes that took something off what was to be paid, and how much; unscoped, for documents."""
    notes = CreditNote.objects.filter(invoice_id=invoice_id, lowered_due_minor__gt=0).order_by("number")
    return tuple((note.number, Money(note.lowered_due_minor, note.currency)) for note in notes)


def creditable(viewer: Viewer, number: str) -> tuple[CreditableLine, ...]:
    """The lines of which something is left to credit, for staff; none where nothing can be credited.

    Raises NotFound.
    """
    invoice = _for_staff(viewer, number)
    if (InvoiceStatus(invoice.status), InvoiceEvent.CREDIT) not in MOVES:
        return ()
    return creditable_lines(invoice)


def preview_credit(viewer: Viewer, number: str, amounts: Amounts | None) -> CreditPreview:
    """What crediting these amounts would be. Raises CreditRefused, MoveRefused, NotFound."""
    return credit_preview(_for_staff(viewer, number), amounts)


def why_not_changed(viewer: Viewer, number: str, event: InvoiceEvent) -> str:
    """Why staff cannot void or write off or recover the invoice now, in words; "" if they can.

    Raises NotFound.
    """
    invoice = _for_staff(viewer, number)
    status = InvoiceStatus(invoice.status)
    if (status, event) not in MOVES:
        return str(MoveRefused(status, event))
    try:
        refuse_while_being_paid(invoice)
        if event is InvoiceEvent.VOID:
            refuse_void(invoice)
    except (BeingPaid, VoidRefused) as refusal:
        return str(refusal)
    return ""


def is_void(number: str) -> bool:
    """Whether the invoice was voided: its calls moved on, so it is not recomputed. Unscoped, for commands."""
    return Invoice.objects.filter(number=number, status=InvoiceStatus.VOID).exists()


def credit_balance(viewer: Viewer, payer_id: UUID) -> tuple[Money, ...]:
    """The credit that is held for a payer and that its next invoice uses, by currency; none for none.

    Raises NotFound for somebody else's payer.
    """
    return held_for(payer_seen_by(viewer, payer_id).id)


def _seen(viewer: Viewer, number: str) -> Invoice:
    invoice = visible_invoices(viewer).filter(number=number).first()
    if invoice is None:
        raise NotFound(f"There is no invoice {number}.")
    return invoice


def _for_staff(viewer: Viewer, number: str) -> Invoice:
    if not viewer.is_staff:
        raise NotFound(f"There is no invoice {number}.")
    return _seen(viewer, number)
