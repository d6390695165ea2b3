"""Events: every change tells one, with the object as it was at that moment, and queues its deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import chaos
from .ids import new_id
from .settings import API_VERSION
from .storage import Document, encoded

if TYPE_CHECKING:
    from .context import Context

# Every kind of event there is here, named as Stripe names them.
NAMES = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "customer.created",
    "customer.deleted",
    "customer.updated",
    "mandate.updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "payout.created",
    "payout.failed",
    "payout.paid",
    "payout.reconciliation_completed",
    "payout.updated",
    "radar.early_fraud_warning.created",
    "radar.early_fraud_warning.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.canceled",
    "setup_intent.created",
    "setup_intent.requires_action",
    "setup_intent.setup_failed",
    "setup_intent.succeeded",
)
_KNOWN = frozenset(NAMES)


def emit(
    ctx: Context, name: str, obj: Document, previous: Document | None = None, text: str | None = None
) -> None:
    """Keep an event `name` (of NAMES) about `obj` and queue it for every endpoint that listens to it.

    `text` is `obj` as JSON, if the caller has it.
    """
    if name not in _KNOWN:
        raise KeyError(f"there is no event {name}")
    endpoints = listeners(ctx, name)
    event: Document = {
        "id": new_id("event"),
        "object": "event",
        "api_version": API_VERSION,
        "created": ctx.now,
        "data": {"object": obj},
        "livemode": False,
        "pending_webhooks": len(endpoints),
        "request": {"id": ctx.request_id, "idempotency_key": ctx.idempotency_key},
        "type": name,
    }
    if previous is not None:
        event["data"]["previous_attributes"] = previous
    ctx.store.insert(event, text=_written(event, text or encoded(obj)))
    chaos.deliver(ctx, event, [endpoint["id"] for endpoint in endpoints])


def _written(event: Document, obj: str) -> str:
    """The event as JSON around `obj`, which is JSON already. Only the key may need escaping beside it."""
    data, request = event["data"], event["request"]
    previous = (
        f',"previous_attributes":{encoded(data["previous_attributes"])}'
        if "previous_attributes" in data
        else ""
    )
    request_id = f'"{request["id"]}"' if request["id"] else "null"
    key = "null" if request["idempotency_key"] is None else encoded(request["idempotency_key"])
    return (
        f'{{"id":"{event["id"]}","object":"event","api_version":"{event["api_version"]}",'
        f'"created":{event["created"]},"data":{{"object":{obj}{previous}}},"livemode":false,'
        f'"pending_webhooks":{event["pending_webhooks"]},'
        f'"request":{{"id":{request_id},"idempotency_key":{key}}},"type":"{event["type"]}"}}'
    )


def listeners(ctx: Context, name: str) -> list[Document]:
    """The enabled webhook endpoints that asked for events called `name`."""
    return [
        endpoint
        for endpoint in ctx.store.endpoints()
        if endpoint["status"] == "enabled"
        and ("*" in endpoint["enabled_events"] or name in endpoint["enabled_events"])
    ]


def queue(ctx: Context, event_id: str, endpoint_id: str) -> None:
    """A delivery of an event to an endpoint, due now."""
    ctx.store.queue_delivery(event_id, endpoint_id, ctx.clock.precise())
