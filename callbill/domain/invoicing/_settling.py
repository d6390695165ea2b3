"""What happens to an issued invoice: it is paid, or it falls due."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import MOVES, InvoiceEvent, InvoiceStatus, after
from callbill.rules.money import Money


class Overpaid(Exception):
    """More money than is due was reported for an invoice; nothing was recorded."""


@in_transaction
def record_payment(
    *,
    invoice_id: UUID,
    amount_minor: int,
    reference: str,
    now: datetime,
    into: Account = Account.STRIPE_CLEARING,
) -> Invoice:
    """Record money received for an invoice: its ledger entry, what is paid, and Paid when nothing is due.

    `reference` names the money (a charge id); told twice it is recorded once. What had been written off is
    owed again first, for as much as came (M25). Raises Overpaid, MoveRefused.
    """
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    amount = Money(amount_minor, invoice.currency)
    fresh = post(
        key=f"payment:{reference}",
        kind="payment",
        at=now,
        description=f"Payment for {invoice.number}",
        sides=[
            Side(into, invoice.payer_id, amount),
            Side(Account.RECEIVABLE, invoice.payer_id, -amount),
        ],
    )
    if not fresh:
        return invoice
    if amount_minor > invoice.due_minor:
        raise Overpaid(f"{amount} was received for {invoice.number}, on which {invoice.due_minor} is due")
    written_off = invoice.status == InvoiceStatus.UNCOLLECTIBLE.value
    if written_off:
        post(
            key=f"recovered:{reference}",
            kind="recovery",
            at=now,
            description=f"Recovered of {invoice.number}, which had been written off",
            sides=[
                Side(Account.RECEIVABLE, invoice.payer_id, amount),
                Side(Account.BAD_DEBT, invoice.payer_id, -amount),
            ],
        )
    invoice.paid_minor += amount_minor
    if invoice.due_minor == 0:
        event = InvoiceEvent.RECOVER if written_off else InvoiceEvent.PAY
        invoice.status = after(InvoiceStatus(invoice.status), event)
        invoice.paid_at = now
    invoice.save(update_fields=["paid_minor", "status", "paid_at"])
    return invoice


@in_transaction
def fall_past_due(*, invoice_id: UUID, now: datetime) -> bool:
    """Make an open invoice past due (M27). True if it moved now; False where there is no such move."""
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    status = InvoiceStatus(invoice.status)
    if (status, InvoiceEvent.FALL_DUE) not in MOVES:
        return False
    invoice.status = after(status, InvoiceEvent.FALL_DUE)
    invoice.past_due_at = now
    invoice.save(update_fields=["status", "past_due_at"])
    return True
