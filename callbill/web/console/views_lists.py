"""Lists to look through: every invoice by status, every customer."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers import queries as customers
from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.rules.lifecycle import WORDS, InvoiceStatus
from callbill.web.console.door import page_number, staff_page

_SHOWN = [status for status in InvoiceStatus if status is not InvoiceStatus.DRAFT]
_MOST_CUSTOMERS = 1000


@require_safe
@staff_page
def invoices(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every issued invoice, newest first; `status` in the address narrows them."""
    wanted = next((status for status in _SHOWN if status == request.GET.get("status")), None)
    context = {
        "page": invoicing.invoices_for(viewer, status=wanted, page=page_number(request)),
        "status": wanted,
        "statuses": [(status.value, WORDS[status]) for status in _SHOWN],
    }
    return render(request, "console/invoices.html", context)


@require_safe
@staff_page
def everybody(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every organization and company by name."""
    companies, organizations = customers.search("", limit=_MOST_CUSTOMERS)
    return render(request, "console/customers.html", {"companies": companies, "organizations": organizations})
