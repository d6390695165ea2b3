"""Usage: calls per day in the running period, and what it would come to."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import CompanyView, NotFound, Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.usage import queries as calls
from callbill.lib import clock
from callbill.rules.money import Money
from callbill.rules.period import Period, local_day
from callbill.rules.totals import consolidate
from callbill.web.portal.chart import draw
from callbill.web.portal.door import asked, customers_page
from callbill.web.portal.payers import companies_of


@require_safe
@customers_page
def usage(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """One company's usage; `company` in the address chooses which."""
    companies = companies_of(viewer)
    company = _chosen(companies, asked(request, "company"))
    context: dict[str, Any] = {"companies": companies, "company": company}
    if company is not None:
        now = clock.now()
        period = invoicing.current_period_of(company.id, now=now)
        context |= {"period": period, "counted_until": now}
        if period is not None:
            context |= _figures(viewer, company, period, now)
            context["together"] = _together(viewer, company, companies, now)
    return render(request, "portal/usage.html", context)


def _chosen(companies: list[CompanyView], wanted: str) -> CompanyView | None:
    if not wanted:
        return companies[0] if companies else None
    try:
        return next(company for company in companies if company.id == UUID(wanted))
    except (StopIteration, ValueError):
        raise NotFound("There is no such company.") from None


def _together(
    viewer: Viewer, company: CompanyView, companies: list[CompanyView], now: datetime
) -> Money | None:
    """What the organization that pays for this company would owe: one invoice, so one sum (M31)."""
    if company.payer_kind != "organization" or not company.viewer_sees_payer:
        return None
    estimates = [
        invoicing.estimate_for(viewer, each.id, now=now)
        for each in companies
        if each.payer_id == company.payer_id
    ]
    sections = consolidate([estimate.rated for estimate in estimates if estimate])
    return Money(sum(section.total for section in sections), company.currency)


def _figures(viewer: Viewer, company: CompanyView, period: Period, now: datetime) -> dict[str, Any]:
    estimate = invoicing.estimate_for(viewer, company.id, now=now)
    today = local_day(now, period.zone)
    chart = draw(calls.usage_of(viewer, company.id, period).days)
    lines = [
        {
            "name": line.name,
            "amount": Money(line.amount, line.currency),
            "steps": [step.text for step in line.derivation],
        }
        for line in (estimate.rated.lines if estimate else ())
    ]
    so_far = [bar for bar in chart.bars if bar.day <= today] if chart else []
    return {"estimate": estimate, "lines": lines, "chart": chart, "so_far": so_far}
