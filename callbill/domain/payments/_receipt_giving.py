"""Giving a paid invoice its receipt, whatever paid it."""

from __future__ import annotations

from datetime import datetime

from callbill.domain.customers import queries as customers
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments.models import PaymentAttempt, Receipt


def give_receipt(invoice: Invoice, attempt: PaymentAttempt | None, now: datetime) -> Receipt:
    """The receipt of a paid invoice over all that was paid; its number is given here and nowhere else (M24).

    Without what a cardholder's bank took back, which was paid again.
    `attempt` is the charge that settled it; None when money by bank did.
    """
    existing = Receipt.objects.filter(invoice=invoice).first()
    if existing:
        return existing
    return Receipt.objects.create(
        number=invoicing.next_number(series="receipt", prefix=f"{customers.seller().number_prefix}-R"),
        invoice=invoice,
        attempt=attempt,
        amount_minor=invoice.paid_minor - invoice.charged_back_minor,
        currency=invoice.currency,
        paid_at=now,
    )
