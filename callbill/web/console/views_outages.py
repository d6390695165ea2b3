"""Outages of a company's services, and the credit that its service level gives for them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from callbill.domain.customers import queries as customers
from callbill.domain.customers.queries import CustomerView, Viewer
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing import queries
from callbill.lib import clock
from callbill.web.console.door import staff_page
from callbill.web.console.proposal_forms import OutageForm


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page
def outages(request: HttpRequest, viewer: Viewer, key: str) -> HttpResponse:
    """The outages entered for a company, and the form for another; it leads to the proposed credit."""
    now = clock.now()
    customer = customers.customer_company(viewer, key, day=now.date())
    if request.method != "POST":
        return _page(request, viewer, customer, OutageForm())
    form = OutageForm(request.POST)
    if not form.is_valid():
        return _page(request, viewer, customer, form, status=422)
    typed = form.cleaned_data
    try:
        outage = invoicing.propose_outage_credit(
            company_id=customer.id,
            service=typed["service"].strip(),
            starts=typed["starts"].replace(tzinfo=None),
            ends=typed["ends"].replace(tzinfo=None),
            incident=typed["incident"],
            reason=typed["reason"],
            actor_id=viewer.user_id,
            now=now,
        )
    except invoicing.OutageRefused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, viewer, customer, form, status=422)
    if outage.proposal is None:
        messages.success(request, f"Entered. {outage.outcome}")
        return redirect("console:outages", key)
    messages.success(request, "Entered. This is the credit the service level gives; it waits for a decision.")
    return redirect("console:proposal", outage.proposal.id)


def _page(
    request: HttpRequest, viewer: Viewer, customer: CustomerView, form: OutageForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "customer": customer,
        "outages": queries.outages_of(viewer, customer.id),
        "form": form,
    }
    return render(request, "console/outages.html", context, status=status)
