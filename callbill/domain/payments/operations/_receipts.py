"""Giving receipts out: to the people who may see them, and to the outbox."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing.models import Invoice
from callbill.domain.notifications.operations import Attachment
from callbill.domain.payments import _notices, _receipt_document, queries
from callbill.domain.payments._receipt_giving import give_receipt
from callbill.domain.payments.models import Receipt
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.lifecycle import InvoiceStatus


@outside_transaction
def receipt_pdf(*, viewer: Viewer, number: str, now: datetime) -> bytes:
    """The PDF of a receipt by its number, the same bytes every time. Raises NotFound, PdfFailed."""
    return _receipt_document.receipt_pdf(queries.receipt_for(viewer, number).id, now=now)


@outside_transaction
def give_missing_receipts(*, now: datetime) -> int:
    """Give a receipt for what was paid of invoices that something else settled in the end; returns how many.

    A credit note for the rest, or a rest that was brought forward, makes an invoice Paid without a payment;
    what had been paid of it before has no receipt yet, because more was owed then. Each is mailed. Twice
    gives none twice.
    """
    return sum(
        _give_missing(invoice_id, now) for invoice_id in list(_without_receipt().values_list("id", flat=True))
    )


def _without_receipt() -> QuerySet[Invoice]:
    standing = Receipt.objects.filter(invoice_id=OuterRef("id"), taken_back_at=None)
    settled_otherwise = Q(credited_minor__gt=0) | Q(carried_minor__gt=0)
    paid = Invoice.objects.filter(
        settled_otherwise, status=InvoiceStatus.PAID.value, paid_minor__gt=F("charged_back_minor")
    )
    return paid.exclude(Exists(standing)).order_by("number")


@in_transaction
def _give_missing(invoice_id: UUID, now: datetime) -> bool:
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    if not _without_receipt().filter(id=invoice_id).exists():
        return False
    _notices.receipt_given(invoice, give_receipt(invoice, None, now), now)
    return True


@outside_transaction
def receipt_attachment(*, receipt_id: UUID, now: datetime) -> Attachment:
    """The receipt as a mail's attachment ("receipt:<id>" in the outbox); unscoped. Raises NotFound."""
    receipt = Receipt.objects.filter(id=receipt_id).first()
    if receipt is None:
        raise NotFound("There is no such receipt.")
    pdf = _receipt_document.receipt_pdf(receipt_id, now=now)
    return Attachment(f"receipt-{receipt.number}.pdf", pdf)
