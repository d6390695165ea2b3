"""Money that came without a card: by bank transfer or cheque, as a clerk records it, and takes it back."""

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
from callbill.domain.ledger.queries import balance, posted
from callbill.lib import formats
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, MoveRefused, after
from callbill.rules.money import Money


class AlreadyRecorded(Exception):
    """Money with this reference was recorded for the invoice before."""


class AlreadyReturned(Exception):
    """The payment was taken back before; nothing was done."""


class CreditUsed(Exception):
    """What of the payment was credit is used; the message says how much, by what, and what to do first."""


@dataclass(frozen=True, slots=True)
class Banked:
    """What became of the money: so much was due and is paid, the surplus is credit balance."""

    invoice: Invoice
    paid: Money
    surplus: Money


@in_transaction
def record_bank_money(
    *, invoice_id: UUID, amount: Money, reference: str, now: datetime, returned_before: int = 0
) -> Banked:
    """Record money that came for an issued invoice; what is more than due goes to the credit balance.

    Of an invoice that was written off it is the recovery (M25). `reference` is the bank's, or the number of
    the cheque: the same one, in capitals or not, is recorded once for an invoice, and once more after each
    time that it was taken back (`returned_before`): a cheque is presented again under its number. Nothing is
    due afterwards: the invoice is paid.
    Raises MoveRefused (draft, void), BeingPaid (M26), AlreadyRecorded, ValueError for no money.
    """
    if amount.minor <= 0:
        raise ValueError("money that came is above zero")
    invoice = locked_with_payer(invoice_id)
    refuse_bank_money(invoice)
    times = str(returned_before + 1) if returned_before else ""
    named = f"bank{times}:{invoice.id}:{reference.casefold()}"
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


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What taking a bank payment back did: so much is owed again, so much went out of the credit balance."""

    invoice: Invoice
    owed_again: Money
    from_balance: Money


@in_transaction
def return_bank_money(
    *, invoice_id: UUID, payment_id: UUID, amount: Money, surplus: Money, now: datetime
) -> TakenBack:
    """Money by bank did not stay: what of it had paid the invoice is owed again, the surplus is no credit.

    A paid invoice is open again, or past due if it was before or its due date has gone by; any other stays as
    it is, and of one that is written off the amount is bad debt. `payment_id` names the money: it is taken
    back once. Raises AlreadyReturned, BeingPaid (M26), CreditUsed, MoveRefused.
    """
    invoice = locked_with_payer(invoice_id)
    refuse_while_being_paid(invoice)
    key = f"payment_returned:{payment_id}"
    if posted(key):
        raise AlreadyReturned("This payment was taken back already.")
    refuse_used_credit(invoice, surplus)
    owed = amount - surplus
    status = InvoiceStatus(invoice.status)
    if owed.minor:
        status = after(status, InvoiceEvent.RETURN)
    written_off = status is InvoiceStatus.UNCOLLECTIBLE
    post(
        key=key,
        kind="payment_returned",
        at=now,
        description=f"Bank payment taken back: {invoice.number}",
        sides=[
            Side(Account.BAD_DEBT if written_off else Account.RECEIVABLE, invoice.payer_id, owed),
            Side(Account.CUSTOMER_BALANCE, invoice.payer_id, surplus),
            Side(Account.BANK, invoice.payer_id, -amount),
        ],
    )
    invoice.paid_minor -= owed.minor
    if status is InvoiceStatus.OPEN and invoice.status == InvoiceStatus.PAID.value:
        invoice.paid_at = None
        if invoice.past_due_at or invoice.due_day_is_over(now):
            status = after(status, InvoiceEvent.FALL_DUE)
            invoice.past_due_at = invoice.past_due_at or now
    invoice.status = status.value
    invoice.save(update_fields=["paid_minor", "status", "paid_at", "past_due_at"])
    return TakenBack(invoice, owed, surplus)


def refuse_used_credit(invoice: Invoice, surplus: Money) -> None:
    """Raise CreditUsed, with what to do, if less than `surplus` is left in the payer's credit balance."""
    held = -balance(invoice.payer_id, Account.CUSTOMER_BALANCE, surplus.currency)
    missing = surplus - held
    if surplus.minor == 0 or missing.minor <= 0:
        return
    using = Invoice.objects.filter(
        payer_id=invoice.payer_id, currency=surplus.currency, balance_applied_minor__gt=0
    ).exclude(status=InvoiceStatus.VOID.value)
    latest = using.order_by("-issued_at", "-number").first()
    used = formats.money(missing)
    by = f", last by invoice {latest.number}" if latest else ""
    unpaid = latest is not None and not latest.paid_minor
    void = f"void invoice {latest}, which gives its credit back; or " if unpaid else ""
    raise CreditUsed(
        f"{formats.money(surplus)} of this payment went into the credit balance, and {used} of that was used "
        f"since{by}. First {void}ask the customer for {used} and record that as a bank payment for this "
        "invoice. Then take this one back."
    )
