"""Invoices: the list, and one invoice with its lines, payments and what happens next."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import NotFound, Viewer, company_for
from callbill.domain.disputes import queries as disputes
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import InvoiceDetail, InvoicePage
from callbill.domain.payments import queries as payments
from callbill.lib import clock
from callbill.rules.lifecycle import OWED, WORDS, InvoiceStatus
from callbill.web.portal.door import asked, customers_page, page_number
from callbill.web.portal.owed import item_of, past_due_of
from callbill.web.portal.payers import administered_payers

_SHOWN = [status for status in InvoiceStatus if status is not InvoiceStatus.DRAFT]
_TONES = {InvoiceStatus.PAST_DUE: "bad", InvoiceStatus.PAID: "good"}


@require_safe
@customers_page
def listing(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The viewer's invoices, newest first, filtered by what the address says."""
    wanted = asked(request, "status")
    status = next((known for known in _SHOWN if known.value == wanted), None)
    search = asked(request, "search")
    page = invoicing.invoices_for(viewer, status=status, search=search, page=page_number(request))
    totals = invoicing.totals_for(viewer)
    held = disputes.amounts_held(viewer, [invoice.id for invoice in page.invoices])
    amounts = [*totals.open, *totals.past_due, *(invoice.total for invoice in page.invoices)]
    context = {
        "page": page,
        "rows": [(invoice, held.get(invoice.id)) for invoice in page.invoices],
        "payable": _payable_on(viewer, page),
        "totals": totals,
        "money_style": "code" if len({amount.currency for amount in amounts}) > 1 else "",
        "status": status,
        "status_word": WORDS[status] if status else "",
        "search": search,
        "statuses": [(known.value, WORDS[known]) for known in _SHOWN],
    }
    if request.headers.get("HX-Target") == "results":
        answer = render(request, "portal/invoice_rows.html", context)
    else:
        context["past_due"] = past_due_of(viewer, now=clock.now())
        answer = render(request, "portal/invoices.html", context)
    answer.headers["Vary"] = "HX-Target, Cookie"
    return answer


def _payable_on(viewer: Viewer, page: InvoicePage) -> frozenset[str]:
    """The numbers on this page that the viewer can pay now."""
    owed = [invoice.number for invoice in page.invoices if invoice.status in OWED]
    return frozenset(item.number for item in payments.payable(viewer, owed)) if owed else frozenset()


@require_safe
@customers_page
def invoice(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """One invoice, or the viewer's sections of it; another tenant's number is a 404."""
    detail = invoicing.invoice_for(viewer, number)
    summary = detail.summary
    attempts = payments.attempts(viewer, summary.id)
    receipts = payments.receipts_of(viewer, summary.id)
    notes = invoicing.credit_notes_of(viewer, number)
    context = {
        "invoice": detail,
        "credit_notes": notes,
        "lowered": [(note.number, -note.lowered_due) for note in notes if note.lowered_due.minor],
        "bank_payments": payments.bank_payments(viewer, summary.id),
        "chargebacks": payments.chargebacks_of(viewer, summary.id),
        "paid_so_far": -detail.paid if detail.paid.minor else None,
        "refunds": payments.refunds_of(viewer, summary.id),
        "summary": summary,
        "attempts": attempts,
        "upcoming": payments.next_attempt(viewer, summary.id),
        "item": item_of(viewer, summary, attempts, administered_payers(viewer), now=clock.now()),
        "tone": _TONES.get(summary.status, ""),
        "receipt": receipts[0] if receipts and summary.status is InvoiceStatus.PAID else None,
        "receipts": receipts,
        "balance_taken": -detail.balance_applied,
        "contact_email": _contact_email(viewer, detail),
    }
    return render(request, "portal/invoice.html", context)


def _contact_email(viewer: Viewer, detail: InvoiceDetail) -> str:
    """Whom to ask about a line: the account manager of the (first) company on the invoice."""
    try:
        company = company_for(viewer, detail.sections[0].company_id, day=detail.first_day)
    except (NotFound, IndexError):
        return ""
    return company.account_manager_email
