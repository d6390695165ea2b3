"""Answers about what is held out of collection."""

from __future__ import annotations

from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.rules.money import Money


def held(invoice: Invoice) -> Money:
    """How much of what is due on the invoice is not collected for now (M30): never more than is due."""
    total = 0
    for amount in Hold.objects.filter(invoice=invoice, lifted_at=None).values_list("amount_minor", flat=True):
        total += invoice.due_minor if amount is None else amount
    return Money(min(total, invoice.due_minor), invoice.currency)
