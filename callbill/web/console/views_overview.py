"""Where staff begin: finding somebody, and what needs a person today."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from callbill.domain.customers import queries as customers
from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.disputes import queries as disputes
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.notifications import queries as notifications
from callbill.domain.payments import queries as payments
from callbill.domain.usage import queries as usage
from callbill.web.console.door import page_number, staff_page


@require_safe
@staff_page
def overview(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The search box, what is owed, and everything that waits for a person."""
    runs = invoicing.billing_runs(viewer, limit=1)
    context = {
        "totals": invoicing.totals_for(viewer),
        "in_need": payments.need_a_person(viewer),
        "matters": payments.open_matters(viewer),
        "undelivered": notifications.stuck_for(viewer),
        "findings": invoicing.verification_findings(viewer),
        "run": runs[0] if runs else None,
        "set_aside": usage.imports_with_open_rows(viewer),
        "proposals": invoicing.proposals_waiting(viewer),
        "disputed": len(payments.open_chargebacks(viewer)),
        "warned": len(payments.open_warnings(viewer)),
        "held": len(disputes.open_holds(viewer)),
        "too_old": invoicing.too_old_to_bill(viewer),
    }
    return render(request, "console/overview.html", context)


@require_safe
@staff_page
def search(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Companies and organizations by name or key, invoices by number; a whole number goes straight there."""
    text = request.GET.get("q", "").strip()[:100]
    if not text:
        return redirect("console:overview")
    if number := _whole_number(viewer, text):
        return redirect("console:invoice", number)
    companies, organizations = customers.search(text)
    context = {
        "q": text,
        "companies": companies,
        "organizations": organizations,
        "page": invoicing.invoices_for(viewer, search=text, page=page_number(request)),
    }
    return render(request, "console/search.html", context)


def _whole_number(viewer: Viewer, text: str) -> str:
    """The number of the invoice that `text` names exactly, in any case; or nothing."""
    for candidate in (text, text.upper()):
        try:
            return invoicing.invoice_for(viewer, candidate).summary.number
        except NotFound:
            continue
    return ""
