"""What is past due, as banners: how much, why, what happens next, and the one button that helps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from callbill.domain.customers.queries import Viewer
from callbill.domain.disputes import queries as disputes
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import InvoiceSummary
from callbill.domain.payments import queries as payments
from callbill.domain.payments.queries import AttemptView, PayableInvoice
from callbill.rules.lifecycle import OWED, InvoiceStatus
from callbill.rules.money import Money
from callbill.web.portal.payers import administered_payers

_REFUSED = ("declined", "action_required")


@dataclass(frozen=True, slots=True)
class OwedItem:
    """An invoice with its words and its button: "pay", "card", "agree" or "" (none, or not theirs)."""

    invoice: InvoiceSummary
    why: str
    next: str
    button: str
    held: Money | None  # how much of what is due is on hold; None for nothing, or for who does not see it
    charge: Money  # what paying now would charge
    confirm: str  # where its cardholder confirms the payment that waits for it; "" if none does
    seen: int  # how many attempts there are, so that a second click can be told from a new wish
    for_others: bool  # somebody else, a billing administrator, handles it


def past_due_of(viewer: Viewer, *, now: datetime, payer_id: UUID | None = None) -> list[OwedItem]:
    """The past-due invoices the viewer may see, newest first; all of them, or one payer's."""
    return _owed(viewer, InvoiceStatus.PAST_DUE, now, payer_id)


def open_of(viewer: Viewer, *, now: datetime, payer_id: UUID | None = None) -> list[OwedItem]:
    """The open invoices the viewer may see, newest first; all of them, or one payer's."""
    return _owed(viewer, InvoiceStatus.OPEN, now, payer_id)


def _owed(viewer: Viewer, status: InvoiceStatus, now: datetime, payer_id: UUID | None) -> list[OwedItem]:
    found = invoicing.invoices_for(viewer, status=status, payer_id=payer_id).invoices
    if not found:
        return []
    administered = administered_payers(viewer)
    return [
        item_of(viewer, invoice, payments.attempts(viewer, invoice.id), administered, now=now)
        for invoice in found
    ]


def item_of(
    viewer: Viewer,
    invoice: InvoiceSummary,
    attempts: list[AttemptView],
    administered: frozenset[UUID],
    *,
    now: datetime,
) -> OwedItem:
    """One invoice's words and button; `attempts` newest first."""
    mine = invoice.payer_id in administered
    held = payments.is_held(invoice.id)
    amount = disputes.amounts_held(viewer, [invoice.id]).get(invoice.id)
    charge = invoice.due - amount if amount else invoice.due
    last = attempts[0] if attempts else None
    waits = last is not None and last.waits
    since_paid = takewhile(lambda attempt: not attempt.paid, attempts)
    refused = next((attempt.what_happened for attempt in since_paid if attempt.state in _REFUSED), "")
    return OwedItem(
        invoice=invoice,
        # What is held, is being paid, or waits for its cardholder, says why itself.
        why="" if held or waits or (last and last.under_way) else refused or "It is not paid.",
        next=payments.what_happens_next(invoice.id, viewer=viewer),
        button=_button(viewer, invoice, last, charge, now) if mine and not held else "",
        held=amount,
        charge=charge,
        confirm=payments.confirmation_path(viewer, invoice.id, now=now) if mine and waits else "",
        seen=len(attempts),
        for_others=not mine and bool(invoice.due.minor) and invoice.status in OWED,
    )


def _button(
    viewer: Viewer, invoice: InvoiceSummary, last: AttemptView | None, charge: Money, now: datetime
) -> str:
    if not invoice.due.minor or invoice.status not in OWED:
        return ""
    if last is not None and (last.given_up or last.under_way):
        return ""
    cards = payments.cards(viewer, invoice.payer_id, now=now)
    default = next((card for card in cards if card.is_default), None)
    if default is not None and default.needs_consent:
        return "agree"
    if default is not None and payments.can_pay_now(invoice.id):
        return "pay"
    if default is not None and invoice.status is InvoiceStatus.OPEN:
        return ""
    return "" if payments.waits_for_us(invoice.payer_id, charge) else "card"


def payable_of(viewer: Viewer, payer_id: UUID) -> list[PayableInvoice]:
    """What of the payer's past-due invoices the viewer can pay now, and nobody else is about to."""
    found = payments.payable(viewer)
    return [item for item in found if item.payer_id == payer_id and item.past_due and not item.by_itself]
