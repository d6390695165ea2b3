"""A payment that the cardholder's bank took back for good is owed again; and the bank giving it back yet.

The bank decides long after the invoice was paid, so this is the one move away from Paid. What had been
written off is not owed again: it is bad debt, as the rest is.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, after
from callbill.rules.money import Money


@in_transaction
def charge_back(*, invoice_id: UUID, amount_minor: int, reference: str, now: datetime) -> Invoice:
    """So much of what was paid is owed again: past due, or bad debt where the rest was written off.

    `reference` names the bank's decision; told twice it is recorded once. The amount comes from the account
    of disputed charges. Raises MoveRefused (draft, void).
    """
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    status = after(InvoiceStatus(invoice.status), InvoiceEvent.CHARGE_BACK)
    amount = Money(amount_minor, invoice.currency)
    fresh = post(
        key=f"charged_back:{reference}",
        kind="charged_back",
        at=now,
        description=f"Payment for {invoice.number} lost to the cardholder's bank",
        sides=[
            Side(_owed_on(status), invoice.payer_id, amount),
            Side(Account.CHARGEBACKS, invoice.payer_id, -amount),
        ],
    )
    if not fresh:
        return invoice
    invoice.charged_back_minor += amount_minor
    if status is InvoiceStatus.PAST_DUE and invoice.status != status.value:
        invoice.past_due_at, invoice.paid_at = now, None
    invoice.status = status.value
    invoice.save(update_fields=["charged_back_minor", "status", "past_due_at", "paid_at"])
    return invoice


@in_transaction
def undo_charge_back(*, invoice_id: UUID, amount_minor: int, reference: str, now: datetime) -> int:
    """The bank gave back what it had taken for good: less is owed again, at most what is due.

    Returns how much that was, in minor units; more would be money for nothing, which somebody must look at.
    """
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    status = InvoiceStatus(invoice.status)
    back = min(amount_minor, invoice.charged_back_minor, invoice.due_minor)
    amount = Money(back, invoice.currency)
    fresh = post(
        key=f"charge_back_undone:{reference}",
        kind="charge_back_undone",
        at=now,
        description=f"Payment for {invoice.number} given back by the cardholder's bank",
        sides=[
            Side(Account.CHARGEBACKS, invoice.payer_id, amount),
            Side(_owed_on(status), invoice.payer_id, -amount),
        ],
    )
    if not fresh:
        return 0
    invoice.charged_back_minor -= back
    if invoice.due_minor == 0:
        event = InvoiceEvent.RECOVER if status is InvoiceStatus.UNCOLLECTIBLE else InvoiceEvent.PAY
        invoice.status, invoice.paid_at = after(status, event).value, now
    invoice.save(update_fields=["charged_back_minor", "status", "paid_at"])
    return back


def _owed_on(status: InvoiceStatus) -> Account:
    return Account.BAD_DEBT if status is InvoiceStatus.UNCOLLECTIBLE else Account.RECEIVABLE
