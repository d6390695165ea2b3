"""/v1/events: what happened, for thirty days."""

from __future__ import annotations

from typing import Any

from ..context import Context
from ..endpoint import Endpoint
from ..errors import invalid
from ..lists import CREATED, PAGING, page
from ..schema import Boolean, Listed, Params, Rule, Text
from ..storage import Document

KEPT = 30 * 86400
_UNDELIVERED = (
    "EXISTS (SELECT 1 FROM delivery WHERE event = object.id"
    " AND state NOT IN ('succeeded', 'made_good') AND ?)"
)


def retrieve(ctx: Context) -> Document:
    """One event."""
    return ctx.load("event", ctx.path[0])


def list_all(ctx: Context) -> Document:
    """Events by `type` (with * for any rest), `types[]`, time and whether they were delivered."""
    params = ctx.params
    if params.get("type") and params.get("types"):
        raise invalid(
            "You may only specify one of these parameters: type, types.", code="parameters_exclusive"
        )
    where: list[tuple[str, Any]] = [("+created > ?", ctx.now - KEPT)]
    names = params.get("types") or ([params["type"]] if params.get("type") else [])
    if len(names) == 1 and "*" not in names[0]:
        where.append(("label = ?", names[0]))
    elif names:
        where.append((f"({' OR '.join('label GLOB ?' for _ in names)})", tuple(names)))
    if "delivery_success" in params:
        condition = _UNDELIVERED if not params["delivery_success"] else f"NOT {_UNDELIVERED}"
        where.append((condition, True))
    return page(ctx, "event", "/v1/events", where)


_LIST: dict[str, Rule] = {
    **PAGING,
    "created": CREATED,
    "delivery_success": Boolean(),
    "type": Text(),
    "types": Listed(Text(), most=20),
}
ENDPOINTS = [
    Endpoint("GET", "/v1/events", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/events/{id}", retrieve),
]
