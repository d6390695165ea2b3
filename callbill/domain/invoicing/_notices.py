"""The message "invoice issued"."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.invoicing._carrying import carried_to
from callbill.domain.invoicing.models import Invoice
from callbill.domain.notifications.operations import Message, tell
from callbill.lib.formats import day, money
from callbill.rules.dunning import can_be_charged
from callbill.rules.money import Money
from callbill.rules.period import Period


def tell_issued(*, invoice_id: UUID, now: datetime) -> int:
    """Put "invoice issued" into the outbox for the payer's billing contacts; once for an invoice.

    Call it in the transaction that issues the invoice. Returns how many messages were added.
    """
    invoice = Invoice.objects.get(id=invoice_id)
    return tell(
        key=f"issued:{invoice.id}",
        kind="invoice_issued",
        payer_id=invoice.payer_id,
        subject_id=invoice.id,
        message=issued_message(invoice),
        now=now,
    )


def issued_message(invoice: Invoice) -> Message:
    """Number, period, total, and what happens next."""
    assert invoice.due_date is not None, "drafts are not told"
    assert invoice.issue_date is not None, "drafts are not told"
    seller, payer = invoice.seller_snapshot["name"], invoice.payer_snapshot["name"]
    period = Period(invoice.first_day, invoice.end_day, invoice.time_zone).label
    total, due = (Money(minor, invoice.currency) for minor in (invoice.total_minor, invoice.due_minor))
    facts = [
        ("Invoice number", invoice.number or ""),
        ("Billable entity", payer),
        ("Period", period),
        ("Issued", day(invoice.issue_date)),
        ("Total", money(total)),
    ]
    if invoice.balance_applied_minor:
        facts.append(
            ("Paid from your credit balance", money(Money(invoice.balance_applied_minor, invoice.currency)))
        )
    for each in carried_to(invoice):
        brought = money(Money(each.carried_minor, invoice.currency))
        facts.append((f"Brought forward from {each.number}", brought))
    if due.minor:
        facts += [("To be paid", money(due)), ("Due", day(invoice.due_date))]
    return Message(
        subject=f"Invoice {invoice.number} from {seller}: {money(total)}",
        headline=f"Your invoice for {period}",
        paragraphs=(f"{seller} has issued invoice {invoice.number} to {payer}.", _what_next(invoice, due)),
        facts=tuple(facts),
        action=("See the invoice", f"/invoices/{invoice.number}/"),
    )


def _what_next(invoice: Invoice, due: Money) -> str:
    """One sentence or two; the card is named by the page, because it may change before it is charged."""
    if invoice.total_minor < 0:
        credit = money(Money(-invoice.total_minor, invoice.currency))
        return f"There is nothing to pay. {credit} was added to your credit balance for the next invoice."
    if due.minor == 0 or invoice.due_date is None:
        return "There is nothing to pay."
    if not can_be_charged(due):
        return (
            f"{money(due)} is too small to be charged to a card. It is brought forward to your next invoice; "
            "there is nothing to do."
        )
    return (
        f"What happens next: within a few hours, {money(due)} is charged to your default card. "
        f"Without a card on file it stays open until {day(invoice.due_date)}; you can add one on the "
        "Company page."
    )
