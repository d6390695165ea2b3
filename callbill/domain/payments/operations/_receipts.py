"""Giving receipts out: to the people who may see them, and to the outbox."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.notifications.operations import Attachment
from callbill.domain.payments import _receipt_document, queries
from callbill.domain.payments.models import Receipt
from callbill.lib.transactions import outside_transaction


@outside_transaction
def receipt_pdf(*, viewer: Viewer, number: str, now: datetime) -> bytes:
    """The PDF of a receipt by its number, the same bytes every time. Raises NotFound, PdfFailed."""
    return _receipt_document.receipt_pdf(queries.receipt_for(viewer, number).id, now=now)


@outside_transaction
def receipt_attachment(*, receipt_id: UUID, now: datetime) -> Attachment:
    """The receipt as a mail's attachment ("receipt:<id>" in the outbox); unscoped. Raises NotFound."""
    receipt = Receipt.objects.filter(id=receipt_id).first()
    if receipt is None:
        raise NotFound("There is no such receipt.")
    pdf = _receipt_document.receipt_pdf(receipt_id, now=now)
    return Attachment(f"receipt-{receipt.number}.pdf", pdf)
