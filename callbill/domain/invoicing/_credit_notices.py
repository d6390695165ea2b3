"""The messages "credit note issued" and "invoice withdrawn": what was credited and what happens with it."""

from __future__ import annotations

from datetime import datetime

from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.notifications.operations import Message, tell
from callbill.lib.formats import day, money
from callbill.rules.money import Money
from callbill.rules.period import Period


def tell_credited(*, note: CreditNote, invoice: Invoice, now: datetime) -> int:
    """Put "credit note issued" into the outbox, its PDF attached. `invoice` is as it is after the credit."""
    total = _amount(note.total_minor, note)
    message = Message(
        subject=f"Credit note {note.number} for invoice {invoice.number}: {total}",
        headline="You have a credit",
        paragraphs=(
            f"{invoice.seller_snapshot['name']} has credited {total} of invoice {invoice.number}. "
            f"Reason: {note.reason}",
            what_happens_with(note, invoice),
            "The credit note is attached.",
        ),
        facts=_facts(note, invoice),
        action=("See the invoice", f"/invoices/{invoice.number}/"),
    )
    return _tell(f"credited:{note.id}", "credit_note_issued", note, message, now=now)


def tell_voided(*, note: CreditNote, invoice: Invoice, replacement: Invoice | None, now: datetime) -> int:
    """Put "invoice withdrawn" into the outbox, its credit note attached."""
    if replacement is not None:
        follows = f"Invoice {replacement.number} takes its place."
    else:
        follows = "The period will be billed again; you will get a new invoice."
    returned = (
        [f"{_amount(note.to_balance_minor, note)} that it had used of your credit balance is there again."]
        if note.to_balance_minor
        else []
    )
    message = Message(
        subject=f"Invoice {invoice.number} was withdrawn",
        headline="An invoice was withdrawn",
        paragraphs=(
            f"{invoice.seller_snapshot['name']} has withdrawn invoice {invoice.number}. "
            f"Reason: {note.reason}",
            " ".join(["There is nothing to pay on it.", *returned, follows]),
            "The credit note that cancels it is attached.",
        ),
        facts=_facts(note, invoice),
        action=("See the invoice", f"/invoices/{(replacement or invoice).number}/"),
    )
    return _tell(f"voided:{invoice.id}", "invoice_withdrawn", note, message, now=now)


def what_happens_with(note: CreditNote, invoice: Invoice) -> str:
    """What the credit does, in plain words; `invoice` is as it is after the credit."""
    words = []
    if note.lowered_due_minor:
        left = Money(invoice.due_minor, invoice.currency)
        due = f"{money(left)} is still to be paid." if left.minor else "There is nothing left to pay on it."
        words.append(f"{_amount(note.lowered_due_minor, note)} was taken off what was to be paid. {due}")
    if note.to_balance_minor:
        added = _amount(note.to_balance_minor, note)
        words.append(f"{added} was added to your credit balance; your next invoice uses it.")
    return " ".join(words)


def _facts(note: CreditNote, invoice: Invoice) -> tuple[tuple[str, str], ...]:
    return (
        ("Credit note", note.number),
        ("Invoice", invoice.number or ""),
        ("Period", Period(invoice.first_day, invoice.end_day, invoice.time_zone).label),
        ("Issued", day(note.issue_date)),
        ("Credited", _amount(note.total_minor, note)),
    )


def _amount(minor: int, note: CreditNote) -> str:
    return money(Money(minor, note.currency))


def _tell(key: str, kind: str, note: CreditNote, message: Message, *, now: datetime) -> int:
    return tell(
        key=key,
        kind=kind,
        payer_id=note.invoice.payer_id,
        subject_id=note.invoice_id,
        message=message,
        attachment=f"credit_note:{note.id}",
        now=now,
    )
