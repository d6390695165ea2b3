"""The PDF of an issued invoice: made on first asking, then kept as it was given out (M19)."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import queries
from callbill.domain.invoicing._document import invoice_pdf
from callbill.domain.invoicing.models import InvoiceDocument
from callbill.lib.transactions import outside_transaction


@outside_transaction
def issued_pdf(invoice_id: UUID, *, now: datetime) -> bytes:
    """The invoice's PDF, the same bytes every time. Raises PdfFailed, Invoice.DoesNotExist.

    Of two processes that ask first at the same time, both give out what was stored first.
    """
    kept = _kept(invoice_id)
    if kept is not None:
        return kept
    pdf = invoice_pdf(queries.invoice_detail(invoice_id))
    InvoiceDocument.objects.bulk_create(
        [InvoiceDocument(invoice_id=invoice_id, pdf=pdf, sha256=sha256(pdf).hexdigest(), created_at=now)],
        ignore_conflicts=True,
    )
    stored = _kept(invoice_id)
    assert stored is not None, "it was stored a moment ago"
    return stored


@outside_transaction
def pdf_for(viewer: Viewer, number: str, *, now: datetime) -> bytes:
    """The PDF a person may have: the kept one, or for a company's people their section alone (M32).

    Raises NotFound, also for another tenant's invoice; PdfFailed.
    """
    detail = queries.invoice_for(viewer, number)
    if detail.summary.partial:
        return invoice_pdf(detail)
    return issued_pdf(detail.summary.id, now=now)


def _kept(invoice_id: UUID) -> bytes | None:
    found = InvoiceDocument.objects.filter(invoice_id=invoice_id).values_list("pdf", flat=True).first()
    return None if found is None else bytes(found)
