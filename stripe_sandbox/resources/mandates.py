"""/v1/mandates: the cardholder's consent to later charges, kept when an intent was confirmed with it."""

from __future__ import annotations

from typing import Any

from ..context import Context
from ..endpoint import Endpoint
from ..errors import mistake
from ..ids import new_id
from ..storage import Document

_PENDING = "mandate_data"


def retrieve(ctx: Context) -> Document:
    """The mandate."""
    return ctx.load("mandate", ctx.path[0])


def remember(ctx: Context, intent: Document) -> None:
    """Keep the consent given with a confirmation until the intent succeeds; 400 when it is incomplete."""
    given = ctx.params.get("mandate_data")
    if not given:
        return
    acceptance = given["customer_acceptance"]
    kind = acceptance["type"]
    if kind == "online" and not acceptance.get("online"):
        name = "mandate_data[customer_acceptance][online]"
        raise mistake(f"Missing required param: {name}.", param=name, code="parameter_missing")
    kept: dict[str, Any] = {
        "accepted_at": acceptance.get("accepted_at", ctx.now),
        "type": kind,
        kind: acceptance.get(kind) or {},
    }
    ctx.store.write_note(_PENDING, intent["id"], kept)


def grant(ctx: Context, intent: Document, method: Document) -> str | None:
    """The mandate that follows from the consent kept with an intent that succeeded; None without one."""
    acceptance = ctx.store.note(_PENDING, intent["id"])
    if not acceptance:
        return None
    ctx.store.drop_note(_PENDING, intent["id"])
    mandate: Document = {
        "id": new_id("mandate"),
        "object": "mandate",
        "customer_acceptance": acceptance,
        "livemode": False,
        "multi_use": {},
        "payment_method": method["id"],
        "payment_method_details": {"card": {}, "type": "card"},
        "status": "active",
        "type": "multi_use",
    }
    ctx.store.insert(mandate, created=ctx.now)
    return str(mandate["id"])


def end(ctx: Context, method_id: str) -> None:
    """The card was detached: consent to charge it is void."""
    for mandate in ctx.store.select("mandate", [("label = ?", method_id)], limit=1000):
        if mandate["status"] == "active":
            was = ctx.snapshot(mandate)
            mandate["status"] = "inactive"
            ctx.replace(mandate, "mandate.updated", was=was)


ENDPOINTS = [Endpoint("GET", "/v1/mandates/{id}", retrieve)]
