"""The PDF of a receipt: the invoice's lines and the payment; made on first asking, then kept."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from callbill.domain.invoicing import documents
from callbill.domain.invoicing.queries import invoice_detail, lowered_by_credit_notes
from callbill.domain.payments._words import card_label
from callbill.domain.payments.models import Receipt
from callbill.lib.transactions import outside_transaction
from callbill.rules.money import Money
from callbill.rules.period import local_day


@outside_transaction
def receipt_pdf(receipt_id: UUID, *, now: datetime) -> bytes:
    """The receipt's PDF, the same bytes every time. Raises PdfFailed, Receipt.DoesNotExist.

    Of two processes that ask first at the same time, both give out what was stored first. The document is
    dated by the payment; `now` is not printed.
    """
    receipt = Receipt.objects.select_related("invoice", "attempt__payment_method").get(id=receipt_id)
    if receipt.pdf is not None:
        return bytes(receipt.pdf)
    attempt = receipt.attempt
    pdf = documents.receipt_pdf(
        invoice_detail(receipt.invoice_id),
        documents.Confirmation(
            number=receipt.number,
            paid_on=local_day(receipt.paid_at, receipt.invoice.time_zone),
            amount=Money(receipt.amount_minor, receipt.currency),
            paid_with=card_label(attempt.payment_method) if attempt else "",
            reference=(attempt.charge or "") if attempt else "",
            credits=lowered_by_credit_notes(receipt.invoice_id),
        ),
        paid_at=receipt.paid_at,
    )
    Receipt.objects.filter(id=receipt_id, pdf__isnull=True).update(pdf=pdf, sha256=sha256(pdf).hexdigest())
    kept = Receipt.objects.values_list("pdf", flat=True).get(id=receipt_id)
    assert kept is not None, "it was stored a moment ago"
    return bytes(kept)
