"""Events: every change tells one, with the object as it was at that moment, and queues its deliveries."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from . import chaos
from .ids import new_id
from .settings import API_VERSION
from .storage import Document

if TYPE_CHECKING:
    from .context import Context


def emit(ctx: Context, name: str, obj: Document, previous: Document | None = None) -> None:
    """Keep an event `name` about `obj` and queue it for every endpoint that listens to it."""
    endpoints = listeners(ctx, name)
    data: Document = {"object": obj}
    if previous is not None:
        data["previous_attributes"] = previous
    event_id = new_id("event")
    event = {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": ctx.now,
        "data": data,
        "livemode": False,
        "pending_webhooks": len(endpoints),
        "request": {"id": ctx.request_id, "idempotency_key": ctx.idempotency_key},
        "type": name,
    }
    ctx.store.insert(event)
    chaos.deliver(ctx, event, [endpoint["id"] for endpoint in endpoints])


def listeners(ctx: Context, name: str) -> list[Document]:
    """The enabled webhook endpoints that asked for events called `name`."""
    endpoints = ctx.store.select("webhook_endpoint", [], limit=16)
    return [
        endpoint
        for endpoint in endpoints
        if endpoint["status"] == "enabled"
        and any(fnmatchcase(name, pattern) for pattern in endpoint["enabled_events"])
    ]


def queue(ctx: Context, event_id: str, endpoint_id: str) -> None:
    """A delivery of an event to an endpoint, due now."""
    ctx.store.queue_delivery(event_id, endpoint_id, ctx.clock.precise())
