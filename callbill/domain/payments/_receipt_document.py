"""The PDF of a receipt: the invoice's lines and the payment; made on first asking, then kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.db.models import Q, Sum

from callbill.domain.invoicing import documents
from callbill.domain.invoicing.queries import invoice_detail, lowered_by_credit_notes
from callbill.domain.ledger.queries import posted
from callbill.domain.payments._bank_views import in_words
from callbill.domain.payments._words import card_label
from callbill.domain.payments.models import BankPayment, PaymentAttempt, Receipt
from callbill.lib import formats
from callbill.lib.transactions import outside_transaction
from callbill.rules.money import Money
from callbill.rules.period import local_day


@outside_transaction
def receipt_pdf(receipt_id: UUID, *, now: datetime) -> bytes:
    """The receipt's PDF, the same bytes every time. Raises PdfFailed, Receipt.DoesNotExist.

    Of two processes that ask first at the same time, both give out what was stored first. The document is
    dated by the payment; `now` is not printed.
    """
    receipt = Receipt.objects.select_related("invoice").get(id=receipt_id)
    if receipt.pdf is not None:
        return bytes(receipt.pdf)
    payments = _payments(receipt)
    only = payments[0] if len(payments) == 1 else None
    pdf = documents.receipt_pdf(
        invoice_detail(receipt.invoice_id),
        documents.Confirmation(
            number=receipt.number,
            paid_on=local_day(receipt.paid_at, receipt.invoice.time_zone),
            amount=Money(receipt.amount_minor, receipt.currency),
            paid_with=only.paid_with if only else "",
            reference=only.reference if only else "",
            payments=() if only else tuple((payment.what, payment.amount) for payment in payments),
            credits=lowered_by_credit_notes(receipt.invoice_id),
        ),
        paid_at=receipt.paid_at,
    )
    Receipt.objects.filter(id=receipt_id, pdf__isnull=True).update(pdf=pdf, sha256=sha256(pdf).hexdigest())
    kept = Receipt.objects.values_list("pdf", flat=True).get(id=receipt_id)
    assert kept is not None, "it was stored a moment ago"
    return bytes(kept)


@dataclass(frozen=True, slots=True)
class _Payment:
    """One payment of the invoice, as the receipt names it."""

    what: str
    amount: Money
    paid_with: str
    reference: str


def _payments(receipt: Receipt) -> list[_Payment]:
    """What was paid on the invoice until it was settled, in the order in which it came."""
    zone = receipt.invoice.time_zone
    found: list[tuple[datetime, _Payment]] = []
    charged = PaymentAttempt.objects.filter(
        Q(id=receipt.attempt_id) | Q(state=PaymentAttempt.State.SUCCEEDED, finished_at__lte=receipt.paid_at),
        invoice=receipt.invoice,
    )
    for attempt in charged.select_related("payment_method"):
        if attempt.id != receipt.attempt_id and not posted(f"payment:{attempt.charge}"):
            continue  # a charge that nobody wanted: it is refunded
        at = attempt.finished_at or receipt.paid_at
        taken_back = attempt.chargebacks.filter(closed_at__lte=receipt.paid_at)
        lost = int(taken_back.aggregate(all=Sum("lost_minor", default=0))["all"])
        if attempt.amount_minor == lost:
            continue
        amount = Money(attempt.amount_minor - lost, attempt.currency)
        card = card_label(attempt.payment_method)
        what = f"{card}, {formats.day_in(at, zone)}"
        found.append((at, _Payment(what, amount, card, attempt.charge or "")))
    stayed = Q(returned_at=None) | Q(returned_at__gt=receipt.paid_at)
    banked = BankPayment.objects.filter(stayed, invoice=receipt.invoice, recorded_at__lte=receipt.paid_at)
    for payment in banked:
        paid = Money(payment.amount_minor - payment.surplus_minor, payment.currency)
        if paid.minor:
            how = str(payment.get_method_display())
            found.append((payment.recorded_at, _Payment(in_words(payment), paid, how, payment.reference)))
    return [payment for _, payment in sorted(found, key=lambda entry: entry[0])]
