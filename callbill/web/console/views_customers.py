"""A customer's page: who pays, what was agreed, who the people are, what was billed and what staff did."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from callbill.domain.contracts import queries as contracts
from callbill.domain.customers import queries as customers
from callbill.domain.customers.queries import CustomerView, NotFound, Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.operations import add_adjustment
from callbill.domain.payments import queries as payments
from callbill.domain.usage import queries as usage
from callbill.domain.users.queries import staff_actions
from callbill.lib import clock, formats
from callbill.rules.document import terms_to_toml
from callbill.web.console.agreement import in_words
from callbill.web.console.door import page_number, staff_page
from callbill.web.console.forms import AdjustmentForm


@require_safe
@staff_page
def company(request: HttpRequest, viewer: Viewer, key: str) -> HttpResponse:
    """A company's page."""
    customer = customers.customer_company(viewer, key, day=clock.now().date())
    return _company_page(request, viewer, customer, _form_for(customer))


@require_POST
@staff_page
def adjust(request: HttpRequest, viewer: Viewer, key: str) -> HttpResponse:
    """Add a credit or charge to the company's next invoice; what was typed comes back if it cannot be one."""
    now = clock.now()
    customer = customers.customer_company(viewer, key, day=now.date())
    form = _form_for(customer, request.POST)
    if form is None:
        raise NotFound("Nobody pays for this company, so nothing can be put on its next invoice.")
    if not form.is_valid():
        return _company_page(request, viewer, customer, form, status=422)
    typed = form.cleaned_data
    adjustment = add_adjustment(
        company_id=customer.id,
        kind=typed["kind"],
        name=typed["name"],
        amount=form.money,
        reason=typed["reason"],
        period=typed["period"],
        incident=typed["incident"],
        actor_id=viewer.user_id,
        now=now,
    )
    amount = formats.money(form.money)
    messages.success(request, f"“{adjustment.name}”, {amount}, goes on the next invoice of {customer.name}.")
    return redirect("console:company", key)


@require_safe
@staff_page
def organization(request: HttpRequest, viewer: Viewer, key: str) -> HttpResponse:
    """An organization's page."""
    customer = customers.customer_organization(viewer, key)
    context = _about(request, viewer, customer) | {
        "versions": _versions(contracts.versions_of_organization(customer.id)),
    }
    return render(request, "console/organization.html", context)


def _company_page(
    request: HttpRequest,
    viewer: Viewer,
    customer: CustomerView,
    form: AdjustmentForm | None,
    *,
    status: int = 200,
) -> HttpResponse:
    context = _about(request, viewer, customer) | {
        "versions": _versions(contracts.versions_for(customer.id)),
        "imports": usage.imports_of_company(viewer, customer.id),
        "waiting": invoicing.waiting_adjustments(viewer, customer.id),
        "quantities": customers.quantity_rows(customer.id),
        "calendars": contracts.calendars_of(customer.id),
        "form": form,
    }
    return render(request, "console/company.html", context, status=status)


def _about(request: HttpRequest, viewer: Viewer, customer: CustomerView) -> dict[str, Any]:
    """What both pages show."""
    payer = customer.payer
    return {
        "customer": customer,
        "contacts": customers.billing_contacts(viewer, payer.id) if payer else [],
        "consents": payments.consents(viewer, payer.id) if payer else [],
        "cards": payments.cards(viewer, payer.id, now=clock.now()) if payer else [],
        "tax_statuses": customers.tax_status_rows(payer.id) if payer else (),
        "credit": invoicing.credit_balance(viewer, payer.id) if payer else (),
        "page": _invoices(request, viewer, customer),
        "log": staff_actions(subject_kind=customer.kind, subject_id=str(customer.id), limit=50),
    }


def _invoices(request: HttpRequest, viewer: Viewer, customer: CustomerView) -> invoicing.InvoicePage | None:
    """Those with a section of the company, whoever pays; those the organization pays."""
    number = page_number(request)
    if customer.kind == "company":
        return invoicing.invoices_for(viewer, company_id=customer.id, page=number)
    if customer.payer is None:
        return None
    return invoicing.invoices_for(viewer, payer_id=customer.payer.id, page=number)


def _form_for(customer: CustomerView, data: Any = None) -> AdjustmentForm | None:
    return AdjustmentForm(data, currency=customer.payer.currency) if customer.payer else None


def _versions(found: Any) -> list[dict[str, Any]]:
    """The contract's versions, newest first, each in words and as its file."""
    rows = []
    for version in reversed(found):
        terms = contracts.terms_of(version)
        rows.append({"version": version, "headings": in_words(terms), "file": terms_to_toml(terms)})
    return rows
