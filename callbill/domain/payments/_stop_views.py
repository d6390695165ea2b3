"""Stops of collection as staff see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.payments.models import CollectionStop


@dataclass(frozen=True, slots=True)
class StopView:
    """A payer for whom nothing is charged, and why."""

    id: UUID
    payer_name: str
    reason: str
    stopped_at: datetime


def collection_stops(viewer: Viewer) -> list[StopView]:
    """The stops that stand, the oldest first, for staff. Raises NotFound for others."""
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
    stops = CollectionStop.objects.filter(lifted_at=None).select_related(
        "payer__company", "payer__organization"
    )
    return [
        StopView(stop.id, stop.payer.name, stop.reason, stop.stopped_at)
        for stop in stops.order_by("stopped_at", "id")
    ]


def stops_standing() -> int:
    """How many stops stand; unscoped, for `doctor`."""
    return CollectionStop.objects.filter(lifted_at=None).count()
