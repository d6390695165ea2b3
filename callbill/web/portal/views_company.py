"""Company: who pays, with which card, and whom to ask."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import CompanyView, Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.payments import queries as payments
from callbill.lib import clock
from callbill.web.portal.card_rows import row_of
from callbill.web.portal.door import customers_page
from callbill.web.portal.owed import past_due_of
from callbill.web.portal.payers import PayerView, companies_of, payers_of


@require_safe
@customers_page
def home(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Customers start at their Company page (staff went to the console)."""
    return redirect("portal:company")


@require_safe
@customers_page
def company(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The viewer's companies and the payment methods of those who pay for them."""
    now = clock.now()
    companies = companies_of(viewer)
    groups = [_group(viewer, payer, now) for payer in payers_of(viewer, companies)]
    context = {
        "heading": _heading(companies),
        "companies": companies,
        # A payer that pays for nothing today is shown as long as it has a card or credit.
        "groups": [
            group for group in groups if group["cards"] or group["credit"] or group["payer"].companies
        ],
        "past_due": past_due_of(viewer, now=now),
    }
    return render(request, "portal/company.html", context)


def _heading(companies: list[CompanyView]) -> str:
    """The only company, or the organization they all belong to."""
    if len(companies) == 1:
        return companies[0].name
    names = {company.organization_name for company in companies}
    return (names.pop() if len(names) == 1 else "") or "Your companies"


def _group(viewer: Viewer, payer: PayerView, now: datetime) -> dict[str, Any]:
    cards = payments.cards(viewer, payer.id, now=now) if payer.visible else []
    names = [company.name for company in payer.companies]
    return {
        "payer": payer,
        "waiting": payments.waits_for_consent(viewer, payer.id)
        if any(card.is_default and card.needs_consent for card in cards)
        else [],
        "cards": [row_of(card, now.date()) for card in cards],
        "credit": invoicing.credit_balance(viewer, payer.id) if payer.visible else (),
        "pays_for": ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names),
    }
