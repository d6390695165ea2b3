"""Messages that never came: the gateway's own list of them is read on from where it was read."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import EventCursor, GatewayEvent
from callbill.domain.payments.operations._events import leads_to_something
from callbill.lib.transactions import in_transaction, outside_transaction

_NAME = "events"
# The other side keeps messages for 30 days (docs.stripe.com/api/events/list).
_KEPT = timedelta(days=30)
# Read again each time: for clocks that differ, and messages that are listed later than they are dated.
_OVERLAP = timedelta(hours=2)
_AT_ONCE = 500


@outside_transaction
def backfill_events(*, now: datetime) -> int:
    """Store the gateway's messages that we never got, for `handle_events`. Returns how many those were.

    Whether they count as delivered there does not matter. The cursor moves when the whole list was read; a
    run that dies is repeated by the next, and nothing is stored twice. Raises GatewayError.
    """
    cursor = EventCursor.objects.filter(name=_NAME).first()
    since = max(cursor.read_until - _OVERLAP if cursor else now - _KEPT, now - _KEPT)
    listed = (event for event in gateway().events(since=since) if leads_to_something(event.kind))
    found = 0
    while batch := list(islice(listed, _AT_ONCE)):
        found += _store(
            [
                GatewayEvent(
                    event_id=event.event_id, kind=event.kind, object_id=event.object_id, received_at=now
                )
                for event in batch
            ]
        )
    EventCursor.objects.update_or_create(name=_NAME, defaults={"read_until": now})
    return found


@in_transaction
def _store(events: list[GatewayEvent]) -> int:
    """Keep those we do not have; returns how many."""
    GatewayEvent.objects.bulk_create(events, ignore_conflicts=True)
    return GatewayEvent.objects.filter(id__in=[event.id for event in events]).count()
