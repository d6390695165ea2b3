"""Money that came without a card: by bank transfer or cheque, as a clerk records it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.invoicing._being_paid import refuse_while_being_paid
from callbill.domain.invoicing._crediting import locked_with_payer
from callbill.domain.invoicing._settling import record_payment
from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.ledger.queries import posted
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, MoveRefused
from callbill.rules.money import Money


class AlreadyRecorded(Exception):
    """Money with this reference was recorded for the invoice before."""


@dataclass(frozen=True, slots=True)
class Banked:
    """What became of the money: so much was due and is paid, the surplus is credit balance."""

    invoice: Invoice
    paid: Money
    surplus: Money


@in_transaction
def record_bank_money(*, invoice_id: UUID, amount: Money, reference: str, now: datetime) -> Banked:
    """Record money that came for an issued invoice; what is more than due goes to the credit balance.

    Of an invoice that was written off it is the recovery (M25). `reference` is the bank's, or the number of
    the cheque: the same one, in capitals or not, is recorded once for an invoice. Nothing is due afterwards:
    the invoice is paid.
    Raises MoveRefused (draft, void), BeingPaid (M26), AlreadyRecorded, ValueError for no money.
    """
    if amount.minor <= 0:
        raise ValueError("money that came is above zero")
    invoice = locked_with_payer(invoice_id)
    refuse_bank_money(invoice)
    named = f"bank:{invoice.id}:{reference.casefold()}"
    if posted(f"payment:{named}") or posted(f"surplus:{named}"):
        raise AlreadyRecorded(f"“{reference}” was recorded for {invoice.number} before.")
    paid = min(amount, Money(invoice.due_minor, invoice.currency))
    surplus = amount - paid
    if paid.minor:
        invoice = record_payment(
            invoice_id=invoice.id, amount_minor=paid.minor, reference=named, now=now, into=Account.BANK
        )
    post(
        key=f"surplus:{named}",
        kind="surplus",
        at=now,
        description=f"More than was due on {invoice.number}, kept as credit",
        sides=[
            Side(Account.BANK, invoice.payer_id, surplus),
            Side(Account.CUSTOMER_BALANCE, invoice.payer_id, -surplus),
        ],
    )
    return Banked(invoice, paid, surplus)


def refuse_bank_money(invoice: Invoice) -> None:
    """Raise MoveRefused or BeingPaid with the reason, if no money can be recorded for it now."""
    status = InvoiceStatus(invoice.status)
    if status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        raise MoveRefused(status, InvoiceEvent.PAY)
    refuse_while_being_paid(invoice)
