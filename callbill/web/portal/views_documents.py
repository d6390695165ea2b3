"""The PDFs: invoice, credit notes and, once paid, receipt."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing import queries as invoicing_queries
from callbill.domain.payments import operations as payments
from callbill.domain.payments import queries as receipts
from callbill.lib import clock
from callbill.web.portal.door import customers_page


@require_safe
@customers_page
def invoice_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The invoice as it was issued; for a company's people their section of it."""
    return _pdf(invoicing.pdf_for(viewer, number, now=clock.now()), f"invoice-{number}.pdf")


@require_safe
@customers_page
def receipt_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """The newest receipt of an invoice, by the invoice's number."""
    receipt = receipts.receipt_of(viewer, invoicing_queries.invoice_for(viewer, number).summary.id)
    if receipt is None:
        raise NotFound("There is no receipt for this invoice.")
    content = payments.receipt_pdf(viewer=viewer, number=receipt.number, now=clock.now())
    return _pdf(content, f"receipt-{receipt.number}.pdf")


@require_safe
@customers_page
def one_receipt_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """A receipt by its own number: also one of which a payment was taken back."""
    content = payments.receipt_pdf(viewer=viewer, number=number, now=clock.now())
    return _pdf(content, f"receipt-{number}.pdf")


@require_safe
@customers_page
def credit_note_pdf(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """A credit note, for those who see its whole invoice."""
    note = invoicing_queries.credit_note_for(viewer, number)
    return _pdf(invoicing.credit_note_pdf(note.id), f"credit-note-{number}.pdf")


def _pdf(content: bytes, filename: str) -> HttpResponse:
    answer = HttpResponse(content, content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="{filename}"'
    return answer
