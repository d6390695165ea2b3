"""Giving a paid invoice its receipt, whatever paid it; and what becomes of it when that is taken back."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from callbill.domain.customers import queries as customers
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments.models import PaymentAttempt, Receipt


def give_receipt(invoice: Invoice, attempt: PaymentAttempt | None, now: datetime) -> Receipt:
    """The receipt for what settled the invoice; its number is given here and nowhere else (M24).

    One for each time that it is settled: over all that was paid, without what was taken back, so what came
    and stayed before is named again. The one that stands is returned as it is. `attempt` is the charge that
    settled it; None when money by bank did.
    """
    standing = Receipt.objects.filter(invoice=invoice, taken_back_at=None).first()
    if standing:
        return standing
    return Receipt.objects.create(
        number=invoicing.next_number(series="receipt", prefix=f"{customers.seller().number_prefix}-R"),
        invoice=invoice,
        attempt=attempt,
        amount_minor=invoice.paid_minor - invoice.charged_back_minor,
        currency=invoice.currency,
        paid_at=now,
    )


def taken_back(invoice: Invoice, amount_minor: int, *, came_at: datetime, now: datetime) -> Receipt | None:
    """So much of a payment was taken back: the newest receipt, if it names it, does not stand any more.

    Returns that receipt; None where the payment is on none, as a part after which more was owed. `came_at` is
    when the payment was applied here. The invoice must be locked.
    """
    newest = Receipt.objects.filter(invoice=invoice).order_by("-paid_at", "-number").first()
    if newest is None or came_at > newest.paid_at:
        return None
    Receipt.objects.filter(id=newest.id).update(
        taken_back_at=now, taken_back_minor=F("taken_back_minor") + amount_minor
    )
    newest.refresh_from_db()
    return newest
