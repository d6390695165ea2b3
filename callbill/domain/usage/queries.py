"""Answers about calls. What serves a customer takes the viewer; the rest is for invoicing and for staff."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from psycopg import sql

from callbill.domain.customers.models import Company
from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.usage._corrected import (
    CorrectedCall,
    calls_started_in,
    corrected_calls,
    corrected_facts,
    corrections_waiting,
    count_corrected,
    one_call,
)
from callbill.domain.usage._counting import Between, Settled
from callbill.domain.usage._counting import count as count_sets
from callbill.domain.usage._digest import digest
from callbill.domain.usage._facts import facts_of
from callbill.domain.usage._for_staff import (
    CompanysImport,
    ReasonCount,
    import_page,
    imports_of_company,
    imports_with_open_rows,
    one_import,
    set_aside_page,
    set_aside_reasons,
    unsettled_by_company,
)
from callbill.domain.usage._listing import CallPage, CallRow, Listing
from callbill.domain.usage.models import Call, CallImport, SetAsideRow
from callbill.rules.counting import NO_CALENDARS, Calendars, CallFacts, Count
from callbill.rules.period import Period, day_start
from callbill.rules.terms import Terms

__all__ = [
    "Anchor",
    "Between",
    "CallPage",
    "CallRow",
    "CompanysImport",
    "CorrectedCall",
    "NotFound",
    "ReasonCount",
    "Settled",
    "UsageView",
    "calls_behind",
    "calls_per_day",
    "calls_started_in",
    "corrected_calls",
    "corrected_facts",
    "corrections_waiting",
    "count",
    "count_between",
    "count_corrected",
    "count_settled",
    "digest",
    "facts",
    "facts_of",
    "has_unsettled",
    "import_page",
    "imports",
    "imports_of_company",
    "imports_with_open_rows",
    "not_billed",
    "one_call",
    "one_import",
    "set_aside",
    "set_aside_page",
    "set_aside_reasons",
    "stream_calls_behind",
    "stream_not_billed",
    "unsettled_by_company",
    "usage_of",
]

K = TypeVar("K", bound=Hashable)
Anchor = Literal["started_at", "ended_at"]


@dataclass(frozen=True, slots=True)
class UsageView:
    """A company's calls in a period, day by day in the period's zone; days without calls are there."""

    company_id: UUID
    period: Period
    days: tuple[tuple[date, int], ...]

    @property
    def received(self) -> int:
        """All calls of the period so far, billable or not."""
        return sum(calls for _, calls in self.days)

    @property
    def busiest(self) -> int:
        """The calls of the busiest day."""
        return max((calls for _, calls in self.days), default=0)


def usage_of(viewer: Viewer, company_id: UUID, period: Period) -> UsageView:
    """The usage page of a company the viewer may see (staff: any). Raises NotFound for another tenant's."""
    allowed = company_id in viewer.company_ids or (
        viewer.is_staff and Company.objects.filter(id=company_id).exists()
    )
    if not allowed:
        raise NotFound("There is no such company.")
    return UsageView(company_id, period, tuple(calls_per_day(company_id, period)))


def count(
    sets: Mapping[K, Settled] | Mapping[K, Between], terms: Terms, calendars: Calendars = NO_CALENDARS
) -> dict[K, Count]:
    """What is counted of each set of calls under the terms: one query for all sets (M10 to M14).

    All sets are of the same kind: `Settled` (frozen by invoices) or `Between` (by company and time).
    Raises UnknownCalendar for a holiday calendar of the terms that `calendars` does not have.
    """
    return count_sets(sets, terms, calendars)


def count_settled(settlement_ids: Sequence[UUID], terms: Terms, calendars: Calendars = NO_CALENDARS) -> Count:
    """What is counted of the calls that these settlements marked, together as one set."""
    return count_sets({0: Settled(tuple(settlement_ids))}, terms, calendars)[0]


def count_between(
    *, company_id: UUID, start: datetime, end: datetime, terms: Terms, calendars: Calendars = NO_CALENDARS
) -> Count:
    """What is counted of a company's calls, settled or not, with their anchor in [start, end)."""
    return count_sets({0: Between(company_id, start, end)}, terms, calendars)[0]


def calls_behind(
    *,
    settlement_ids: Sequence[UUID],
    terms: Terms,
    charge_id: str,
    calendars: Calendars = NO_CALENDARS,
    page: int = 1,
    page_size: int = 50,
) -> CallPage:
    """The billed calls of a charge, by time. The caller has checked who may see the settlements."""
    return Listing(settlement_ids, terms, charge_id=charge_id, calendars=calendars).page(page, page_size)


def stream_calls_behind(
    *, settlement_ids: Sequence[UUID], terms: Terms, charge_id: str, calendars: Calendars = NO_CALENDARS
) -> Iterator[CallRow]:
    """All billed calls of a charge, by time, for a CSV file. The caller has checked who may see them."""
    return Listing(settlement_ids, terms, charge_id=charge_id, calendars=calendars).stream()


def not_billed(
    *,
    settlement_ids: Sequence[UUID],
    terms: Terms,
    reason: str = "",
    calendars: Calendars = NO_CALENDARS,
    page: int = 1,
    page_size: int = 50,
) -> CallPage:
    """The calls that are not billed, each with its reason, or those of one reason.

    The caller has checked who may see them.
    """
    listing = Listing(settlement_ids, terms, charge_id=None, reason=reason, calendars=calendars)
    return listing.page(page, page_size)


def stream_not_billed(
    *, settlement_ids: Sequence[UUID], terms: Terms, reason: str = "", calendars: Calendars = NO_CALENDARS
) -> Iterator[CallRow]:
    """All calls that are not billed, for a CSV file. The caller has checked who may see them."""
    return Listing(settlement_ids, terms, charge_id=None, reason=reason, calendars=calendars).stream()


def calls_per_day(
    company_id: UUID, period: Period, *, anchor: Anchor = "started_at"
) -> list[tuple[date, int]]:
    """Calls of each local day of the period, in order, zero days included; unscoped."""
    days = [period.first_day + timedelta(days=number) for number in range(period.days)]
    statement = sql.SQL(
        "SELECT width_bucket({anchor}, %s::timestamptz[]), count(*) FROM usage_call "
        "WHERE company_id = %s AND {anchor} >= %s AND {anchor} < %s GROUP BY 1"
    ).format(anchor=sql.Identifier(anchor))
    starts = [day_start(day, period.zone) for day in days]
    with connection.cursor() as cursor:
        cursor.execute(statement, [starts, company_id, period.start, period.end])
        counted = dict(cursor.fetchall())
    return [(day, counted.get(number, 0)) for number, day in enumerate(days, start=1)]


def facts(settlement_ids: Sequence[UUID]) -> Iterator[CallFacts]:
    """The settled calls one by one as the plain rules take them, fetched little by little."""
    calls = Call.objects.filter(settlement_id__in=list(settlement_ids)).order_by("started_at", "id")
    for call in calls.iterator(chunk_size=5000):
        yield facts_of(call)


def has_unsettled(*, company_id: UUID, start: datetime, end: datetime, anchor: Anchor) -> bool:
    """Whether the company has calls in [start, end) that no invoice has settled."""
    return _unsettled(company_id, anchor, lt=end, gte=start).exists()


def imports(*, limit: int = 50) -> list[CallImport]:
    """The latest imports, newest first; for staff."""
    return list(CallImport.objects.order_by("-started_at", "-id")[:limit])


def set_aside(import_id: UUID, *, only_open: bool = True, limit: int = 500) -> list[SetAsideRow]:
    """The rows that an import set aside, by line; for staff."""
    rows = SetAsideRow.objects.filter(call_import_id=import_id)
    return list((rows.filter(resolved_at__isnull=True) if only_open else rows).order_by("line")[:limit])


def _unsettled(company_id: UUID, anchor: Anchor, **bounds: datetime) -> QuerySet[Call]:
    window = {f"{anchor}__{bound}": instant for bound, instant in bounds.items()}
    return Call.objects.filter(company_id=company_id, settlement_id__isnull=True, **window)
