"""Invoices: the list, and one invoice with its lines, payments and what happens next."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.rules.lifecycle import WORDS, InvoiceStatus
from callbill.web.portal.door import customers_page, page_number

_SHOWN = [status for status in InvoiceStatus if status is not InvoiceStatus.DRAFT]


@require_safe
@customers_page
def listing(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The viewer's invoices, newest first, filtered by what the address says."""
    wanted = request.GET.get("status", "")
    status = next((known for known in _SHOWN if known.value == wanted), None)
    search = request.GET.get("search", "").strip()[:60]
    context = {
        "page": invoicing.invoices_for(viewer, status=status, search=search, page=page_number(request)),
        "status": status,
        "search": search,
        "statuses": [(known.value, WORDS[known]) for known in _SHOWN],
    }
    if request.headers.get("HX-Target") == "results":
        return render(request, "portal/invoice_rows.html", context)
    context["totals"] = invoicing.totals_for(viewer)
    return render(request, "portal/invoices.html", context)
