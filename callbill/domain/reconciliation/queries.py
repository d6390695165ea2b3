"""Answers about reconciliation, for staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.reconciliation._found import INCIDENTS, NOTES, TITLES
from callbill.domain.reconciliation.models import Difference, ReconciliationRun
from callbill.rules.money import Money

__all__ = ["DifferenceView", "NotFound", "differences", "last_good_run", "open_differences", "runs"]


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """Something on which Stripe, our attempts and our books do not agree.

    A note is no fault: it explains figures. An incident stops collection for its payer, who is a company or
    an organization; the keys that are not its own are "", and so are invoice and payer where there is none.
    """

    kind: str
    title: str
    what: str
    what_to_do: str
    amount: Money | None
    payer_name: str
    company_key: str
    organization_key: str
    invoice_number: str
    found_at: datetime
    last_seen_at: datetime
    is_note: bool
    is_incident: bool


def open_differences(viewer: Viewer) -> list[DifferenceView]:
    """What differs, incidents first and notes last, for staff. Raises NotFound for others."""
    _staff_only(viewer)
    return differences()


def differences() -> list[DifferenceView]:
    """What differs, incidents first and notes last; unscoped, for commands."""
    rows = Difference.objects.filter(gone_at=None).select_related("payer__company", "payer__organization")
    found = [_view(row) for row in rows.order_by("found_at", "id")]
    return sorted(found, key=lambda each: (each.is_note, not each.is_incident))


def runs(viewer: Viewer, *, limit: int = 30) -> Sequence[ReconciliationRun]:
    """The latest runs, newest first, for staff. Raises NotFound for others."""
    _staff_only(viewer)
    return list(ReconciliationRun.objects.select_related("asked_by").order_by("-started_at", "-id")[:limit])


def last_good_run() -> ReconciliationRun | None:
    """The latest run that was ended; unscoped."""
    ended = ReconciliationRun.objects.filter(finished_at__isnull=False, problem="")
    return ended.order_by("-finished_at").first()


def _staff_only(viewer: Viewer) -> None:
    if not viewer.is_staff:
        raise NotFound("There is no such page.")


def _view(row: Difference) -> DifferenceView:
    payer = row.payer
    return DifferenceView(
        kind=row.kind,
        title=TITLES[row.kind],
        what=row.what,
        what_to_do=row.what_to_do,
        amount=Money(row.amount_minor, row.currency) if row.amount_minor is not None else None,
        payer_name=payer.name if payer else "",
        company_key=payer.company.key if payer and payer.company else "",
        organization_key=payer.organization.key if payer and payer.organization else "",
        invoice_number=row.invoice_number,
        found_at=row.found_at,
        last_seen_at=row.last_seen_at,
        is_note=row.kind in NOTES,
        is_incident=row.kind in INCIDENTS,
    )
