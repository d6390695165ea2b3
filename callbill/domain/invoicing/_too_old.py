"""Calls that came in after the window for late calls had closed: kept, not billed, for staff (M20)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from callbill.domain.contracts import queries as contracts
from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing.models import Stretch
from callbill.domain.usage import queries as calls
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import local_day, period_containing

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TooOld:
    """Calls of a company before the day `before` of its zone that are on no invoice and will be on none."""

    company_key: str
    company_name: str
    before: date
    calls: int


def too_old_to_bill(viewer: Viewer) -> list[TooOld]:
    """By company, those with such calls only; nothing for anybody but staff. Two queries.

    Measured from the company's next invoice, with the window of the version that was billed last.
    """
    if not viewer.is_staff:
        return []
    latest = (
        Stretch.objects.filter(kind="period")
        .exclude(section__invoice__status=InvoiceStatus.VOID)
        .order_by("section__company_id", "-end_day")
        .distinct("section__company_id")
        .select_related("section__company")
    )
    found = {stretch.section.company_id: (stretch.section.company, _limit(stretch)) for stretch in latest}
    counted = calls.unsettled_by_company(
        {company_id: (limit[0], limit[2]) for company_id, (_, limit) in found.items()}
    )
    rows = [
        TooOld(company.key, company.name, limit[1], counted[company_id])
        for company_id, (company, limit) in found.items()
        if counted.get(company_id)
    ]
    return sorted(rows, key=lambda row: row.company_name)


def _limit(stretch: Stretch) -> tuple[datetime, date, calls.Anchor]:
    """Before which instant and day calls are too old for the invoice after this stretch's; and the anchor.

    Only periods that ended before the horizon are out: the one the horizon falls into is still billed.
    """
    terms = contracts.terms_of_document(stretch.terms)
    coming = period_containing(stretch.end_day, terms.billing_day, terms.time_zone)
    horizon = coming.end - timedelta(days=terms.late_window_days)
    last_out = period_containing(
        local_day(horizon - _MOMENT, terms.time_zone), terms.billing_day, terms.time_zone
    )
    return last_out.start, last_out.first_day, terms.billable.anchor
