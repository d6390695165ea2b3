"""Whether each invoice stands where its amounts, payments and days say; nothing here changes anything."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from callbill.config.simulation.money import Found
from callbill.config.simulation.watch import Violation
from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.notifications.models import Notification
from callbill.domain.payments.models import BankPayment, Chargeback, PaymentAttempt, Receipt
from callbill.rules.period import local_day


def states(paid_before: set[str]) -> Found:
    """An invoice is what its amounts say; what was paid stays paid, unless the money was taken back."""
    yield from _receipts()
    returned = set(BankPayment.objects.exclude(returned_at=None).values_list("invoice_id", flat=True))
    for invoice in Invoice.objects.all():
        number, due = str(invoice.number), invoice.due_minor
        owed = invoice.status in ("open", "past_due")
        if owed != (due > 0) and invoice.status != "uncollectible":
            yield Violation("states", f"{number} is {invoice.status} and {due} are due")
        if invoice.status == "paid":
            if not invoice.carried_minor:
                paid_before.add(number)
        elif number in paid_before and not invoice.charged_back_minor and invoice.id not in returned:
            yield Violation("states", f"{number} was paid and is {invoice.status}")
        about = invoice.total_minor + invoice.brought_minor + invoice.charged_back_minor
        if invoice.paid_minor > max(about, 0):
            yield Violation("states", f"{number}: {invoice.paid_minor} was paid of {about}")


def _receipts() -> Found:
    """What money settled has one receipt that stands, over what of it stayed; nothing else has one."""
    there: dict[Any, list[int]] = defaultdict(list)
    for invoice_id, cents in Receipt.objects.filter(taken_back_at=None).values_list(
        "invoice_id", "amount_minor"
    ):
        there[invoice_id].append(cents)
    for invoice in Invoice.objects.exclude(number=None):
        stayed = invoice.paid_minor - invoice.charged_back_minor
        given = there[invoice.id]
        if invoice.status == "paid" and stayed > 0 and len(given) != 1:
            yield Violation("states", f"{invoice.number} was paid, {stayed}, and has receipts {given}")
        if sum(given) > stayed:
            yield Violation("states", f"{invoice.number} has receipts {given}, and {stayed} stayed with us")


def past_due_for_a_reason() -> Found:
    """Past due only by the bank's or the customer's doing, never by ours (M29); also what was paid since."""
    reasons: dict[Any, list[datetime]] = defaultdict(list)
    refused = PaymentAttempt.objects.exclude(code="").values_list("invoice_id", "created_at")
    returned = BankPayment.objects.exclude(returned_at=None).values_list("invoice_id", "returned_at")
    for invoice_id, moment in (*refused, *returned, *_charged_back()):
        if moment is not None:
            reasons[invoice_id].append(moment)
    told: dict[Any, list[datetime]] = defaultdict(list)
    for invoice_id, moment in Notification.objects.filter(kind="past_due").values_list(
        "subject_id", "created_at"
    ):
        told[invoice_id].append(moment)
    for invoice in Invoice.objects.exclude(past_due_at=None):
        since = invoice.past_due_at
        assert since is not None
        # Without a card to charge it waits for its due date, until that day is over where it is due.
        over = invoice.due_date is not None and local_day(since, invoice.time_zone) > invoice.due_date
        counted = reasons[invoice.id] + (told[invoice.id] if over else [])
        if not any(moment <= since for moment in counted):
            yield Violation(
                "past due for a reason",
                f"{invoice.number}: no bank had refused a charge for it on {since:%d %b %H:%M}, and its due "
                f"date is {invoice.due_date}",
            )


def _charged_back() -> list[tuple[Any, datetime]]:
    """When a bank took a payment for good, by invoice."""
    invoices = dict(Chargeback.objects.values_list("reference", "attempt__invoice_id"))
    rows = Entry.objects.filter(kind="charged_back").values_list("key", "at")
    return [(invoices[key.split(":")[1]], at) for key, at in rows]
