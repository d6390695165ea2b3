"""Which period of a payer is due, and which companies are in it (M6, M31)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from callbill.domain.contracts import queries as contracts
from callbill.domain.customers.models import BillableEntity, Company, PayerAssignment
from callbill.domain.invoicing.models import Invoice
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import Period, following, local_day, period_containing


@dataclass(frozen=True, slots=True)
class Cycle:
    """A payer's billing cycle: its zone and its billing day."""

    zone: str
    billing_day: int


def cycle_of(payer: BillableEntity) -> Cycle | None:
    """The cycle that all contracts of the payer share; None without a contract."""
    for assignment in _assignments(payer):
        versions = contracts.versions_for(assignment.company_id)
        if versions:
            return Cycle(versions[-1].time_zone, versions[-1].billing_day)
    return None


def next_period(payer: BillableEntity, cycle: Cycle) -> Period | None:
    """The first period of the payer that has no invoice yet, due or not."""
    assignments = _assignments(payer)
    if not assignments:
        return None
    first = min(assignment.from_date for assignment in assignments)
    period = period_containing(first, cycle.billing_day, cycle.zone)
    last = Invoice.objects.filter(payer=payer).exclude(status=InvoiceStatus.VOID).order_by("-end_day").first()
    if last is not None and last.end_day > period.first_day:
        return period_containing(last.end_day, cycle.billing_day, cycle.zone)
    return period


def voided_periods(payer: BillableEntity) -> list[Period]:
    """Periods whose invoice was voided and that have no other one yet, oldest first."""
    billed = Invoice.objects.filter(payer=payer).exclude(status=InvoiceStatus.VOID).values("first_day")
    void = Invoice.objects.filter(payer=payer, status=InvoiceStatus.VOID).exclude(first_day__in=billed)
    return [
        Period(*days)
        for days in void.order_by("first_day").values_list("first_day", "end_day", "time_zone").distinct()
    ]


def current_period(cycle: Cycle, now: datetime) -> Period:
    """The period that `now` is in."""
    return period_containing(local_day(now, cycle.zone), cycle.billing_day, cycle.zone)


def companies_in(payer: BillableEntity, period: Period) -> list[Company]:
    """The companies the payer pays for in the period, by name.

    A change of payer takes effect at a period boundary (M31): who paid on the first day pays for all of it;
    a company that begins inside the period is paid for by its first payer.
    """
    companies = Company.objects.filter(payer_assignments__payer=payer).distinct().order_by("name")
    return [company for company in companies if _payer_in(company, period) == payer.id]


def _payer_in(company: Company, period: Period) -> object:
    rows = list(
        PayerAssignment.objects.filter(company=company, from_date__lt=period.end_day).order_by("from_date")
    )
    held = [row for row in rows if row.from_date <= period.first_day]
    if held:
        return held[-1].payer_id
    return rows[0].payer_id if rows else None


def _assignments(payer: BillableEntity) -> list[PayerAssignment]:
    return list(PayerAssignment.objects.filter(payer=payer).order_by("from_date"))


def next_close(payer: BillableEntity, now: datetime) -> datetime | None:
    """When the payer's current period ends: the next billing cycle (M28). None without a contract."""
    cycle = cycle_of(payer)
    return current_period(cycle, now).end if cycle else None


def period_after(period: Period, cycle: Cycle) -> Period:
    """The period that follows."""
    return following(period, cycle.billing_day)
