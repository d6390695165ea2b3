"""Imports, rows that were set aside, and calls that no invoice settled, as staff look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.usage.models import Call, CallImport, SetAsideRow

PAGE_SIZE = 50
_RECENT = timedelta(days=62)
_OPEN_ROWS = SetAsideRow.objects.filter(call_import=OuterRef("pk"), resolved_at__isnull=True)

_UNSETTLED = """
SELECT wanted.company_id, count(*)
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[]) AS wanted (company_id, before, anchor)
JOIN usage_call AS c ON c.company_id = wanted.company_id AND c.settlement_id IS NULL
 AND CASE wanted.anchor WHEN 'ended_at' THEN c.ended_at ELSE c.started_at END < wanted.before
GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class CompanysImport:
    """An import and how many of a company's latest calls came with it."""

    call_import: CallImport
    calls: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many rows were set aside for a kind of reason, and how many of them are open."""

    code: str
    rows: int
    open_rows: int


def import_page(viewer: Viewer, *, page: int = 1) -> Page[CallImport]:
    """A page of imports, newest first, each with `open_rows`. Raises NotFound for others than staff."""
    return Paginator(_imports(viewer).order_by("-started_at", "-id"), PAGE_SIZE).get_page(page)


def imports_with_open_rows(viewer: Viewer, *, limit: int = 20) -> list[CallImport]:
    """The latest imports with rows that wait for a mended profile, each with `open_rows`."""
    waiting = _imports(viewer).filter(Exists(_OPEN_ROWS))
    return list(waiting.order_by("-started_at", "-id")[:limit])


def one_import(viewer: Viewer, import_id: UUID) -> CallImport:
    """An import with `open_rows`. Raises NotFound, also for others than staff."""
    found = _imports(viewer).select_related("retry_of").filter(id=import_id).first()
    if found is None:
        raise NotFound("There is no such import.")
    return found


def set_aside_page(
    viewer: Viewer, import_id: UUID, *, only_open: bool = True, code: str = "", page: int = 1
) -> Page[SetAsideRow]:
    """A page of the rows an import set aside, by line; of one kind of reason if `code` says which."""
    _staff_only(viewer)
    rows = SetAsideRow.objects.filter(call_import_id=import_id).select_related("resolved_by_import")
    if only_open:
        rows = rows.filter(resolved_at__isnull=True)
    if code:
        rows = rows.filter(code=code)
    return Paginator(rows.order_by("line"), PAGE_SIZE).get_page(page)


def set_aside_reasons(viewer: Viewer, import_id: UUID) -> list[ReasonCount]:
    """Why an import set rows aside, the most frequent reason first."""
    _staff_only(viewer)
    counted = (
        SetAsideRow.objects.filter(call_import_id=import_id)
        .values("code")
        .annotate(rows=Count("id"), open_rows=Count("id", filter=Q(resolved_at__isnull=True)))
        .order_by("-rows", "code")
    )
    return [ReasonCount(row["code"], row["rows"], row["open_rows"]) for row in counted]


def imports_of_company(viewer: Viewer, company_id: UUID, *, limit: int = 10) -> list[CompanysImport]:
    """The imports behind the company's latest two months of calls, newest first."""
    _staff_only(viewer)
    calls = Call.objects.filter(company_id=company_id)
    latest = calls.aggregate(latest=Max("started_at"))["latest"]
    if latest is None:
        return []
    recent = calls.filter(started_at__gte=latest - _RECENT, call_import__isnull=False)
    counts = dict(recent.values_list("call_import_id").annotate(Count("id")).order_by())
    found = CallImport.objects.filter(id__in=counts).order_by("-started_at", "-id")[:limit]
    return [CompanysImport(call_import, counts[call_import.id]) for call_import in found]


def unsettled_by_company(before: Mapping[UUID, tuple[datetime, str]]) -> dict[UUID, int]:
    """How many calls of each company, with their anchor before an instant, no invoice settled; one query.

    `before` has, by company, the instant and the anchor: "started_at" or "ended_at". Companies without such
    calls are left out. Unscoped, for invoicing.
    """
    with connection.cursor() as cursor:
        instants = [instant for instant, _ in before.values()]
        anchors = [anchor for _, anchor in before.values()]
        cursor.execute(_UNSETTLED, [list(before), instants, anchors])
        return dict(cursor.fetchall())


def _imports(viewer: Viewer) -> QuerySet[CallImport]:
    _staff_only(viewer)
    counted = _OPEN_ROWS.order_by().values("call_import").annotate(rows=Count("id")).values("rows")
    return CallImport.objects.annotate(open_rows=Coalesce(Subquery(counted), 0))


def _staff_only(viewer: Viewer) -> None:
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
