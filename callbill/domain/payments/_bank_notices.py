"""The mails about money by bank: what came or was taken back, what is still to pay, what happens next."""

from __future__ import annotations

from datetime import datetime

from callbill.domain.notifications.operations import Message
from callbill.domain.payments._notices import invoice_path, tell_of
from callbill.domain.payments._words import day, due_of, next_step
from callbill.domain.payments.models import BankPayment, Receipt
from callbill.lib import formats
from callbill.rules.lifecycle import OWED
from callbill.rules.money import Money


def bank_payment(payment: BankPayment, receipt: Receipt | None, now: datetime) -> None:
    """We received a bank transfer or a cheque, with the receipt if the invoice is paid by it."""
    invoice = payment.invoice
    what = payment.get_method_display().lower()
    amount = formats.money(Money(payment.amount_minor, payment.currency))
    due = due_of(invoice)
    owed = due if invoice.status in OWED and due.minor else None
    paragraphs = [
        f"We received your {what} of {amount} for invoice {invoice.number} on "
        f"{formats.day(payment.received_on)}. Thank you."
    ]
    if payment.surplus_minor:
        surplus = formats.money(Money(payment.surplus_minor, payment.currency))
        paragraphs.append(
            f"{surplus} of it was more than was due. It is in your credit balance, and your next invoice "
            "uses it."
        )
    if owed:
        paragraphs.append(f"Still to be paid: {formats.money(owed)}. What happens next: {next_step(invoice)}")
    if receipt:
        paragraphs.append("The invoice is paid. Your receipt is attached.")
    tell_of(
        f"bank:{payment.id}",
        "payment_received",
        invoice,
        Message(
            subject=f"Payment received: {'a part of ' if owed else ''}invoice {invoice.number}",
            headline="Payment received",
            paragraphs=tuple(paragraphs),
            facts=(
                ("Invoice", invoice.number or ""),
                (str(payment.get_method_display()), amount),
                ("Reference", payment.reference),
                ("Received", formats.day(payment.received_on)),
                *((("Still to be paid", formats.money(owed)),) if owed else ()),
                *((("Receipt", receipt.number), ("Paid on", day(now, invoice.time_zone))) if receipt else ()),
            ),
            action=("See the invoice", invoice_path(invoice)),
        ),
        now,
        attachment=f"receipt:{receipt.id}" if receipt else "",
    )


def returned(payment: BankPayment, owed_again: Money, receipt: Receipt | None, now: datetime) -> None:
    """A bank payment was taken back: what and why, what is owed now, what happens next.

    `receipt` is the one that named it and does not stand any more, if there is one.
    """
    invoice = payment.invoice
    due = due_of(invoice)
    owed = due if invoice.status in OWED and due.minor else None
    amount = formats.money(Money(payment.amount_minor, payment.currency))
    on = formats.day(payment.returned_on) if payment.returned_on else ""
    what = payment.get_method_display().lower()
    then = " is owed again" if owed_again.minor else ""
    paragraphs = [
        f"Your {what} of {amount} for invoice {invoice.number}, received {formats.day(payment.received_on)}, "
        f"was returned on {on}: {payment.returned_because}"
    ]
    if owed_again.minor:
        again = f"{formats.money(owed_again)} is owed again."
        paragraphs.append(f"{again} Still to be paid: {formats.money(owed)}." if owed else again)
    else:
        paragraphs.append(f"Nothing is owed again on invoice {invoice.number}.")
    if payment.surplus_minor:
        surplus = formats.money(Money(payment.surplus_minor, payment.currency))
        paragraphs.append(f"{surplus} of it was in your credit balance and was taken out of it.")
    if receipt:
        paragraphs.append(
            f"Receipt {receipt.number} named this payment and is no longer valid. When the invoice is "
            "paid again you get a new one."
        )
    paragraphs.append(f"What happens next: {next_step(invoice)}")
    tell_of(
        f"bank-returned:{payment.id}",
        "payment_returned",
        invoice,
        Message(
            subject=f"Payment returned: invoice {invoice.number}{then}",
            headline="A payment was returned",
            paragraphs=tuple(paragraphs),
            facts=(
                ("Invoice", invoice.number or ""),
                (str(payment.get_method_display()), amount),
                ("Reference", payment.reference),
                ("Returned", on),
                *((("Owed again", formats.money(owed_again)),) if owed_again.minor else ()),
                *((("Still to be paid", formats.money(owed)),) if owed else ()),
            ),
            action=("See the invoice", invoice_path(invoice)),
        ),
        now,
    )
