"""/v1/events: what happened, for thirty days."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from ..context import NOUNS, Context
from ..endpoint import Endpoint
from ..errors import invalid, missing_object
from ..events import NAMES
from ..lists import CREATED, PAGING, Conditions, page
from ..schema import Boolean, Listed, Params, Rule, Text
from ..storage import Document

KEPT = 30 * 86400


def retrieve(ctx: Context) -> Document:
    """One event; after thirty days there is none."""
    event = ctx.load("event", ctx.path[0])
    if event["created"] <= ctx.now - KEPT:
        raise missing_object(NOUNS["event"], event["id"])
    return event


def list_all(ctx: Context) -> Document:
    """Events by `type` (with * for any rest), `types[]`, time and whether all endpoints have them."""
    params = ctx.params
    if params.get("type") and params.get("types"):
        raise invalid(
            "You may only specify one of these parameters: type, types.", code="parameters_exclusive"
        )
    params["created"] = _kept(params.get("created"), ctx.now - KEPT + 1)
    where: Conditions = []
    if "delivery_success" in params:
        # With a type beside it, that one's index is read (the + hides this one from SQLite).
        typed = "+" if params.get("type") or params.get("types") else ""
        where.append((f"{typed}pending {'=' if params['delivery_success'] else '>'} 0", ()))
    either: list[Conditions] | None = None
    asked = params.get("types") or ([params["type"]] if params.get("type") else None)
    if asked:
        # Each kind of event is read along its own index, so a rare one is found as fast as a common one.
        names = [name for name in NAMES if any(fnmatchcase(name, pattern) for pattern in asked)]
        either = [[("type = ?", name)] for name in names]
    return page(ctx, "event", "/v1/events", where, timed=True, either=either)


def _kept(given: Any, oldest: int) -> Document:
    """The range of times asked for, cut off at `oldest`: one lower bound, where reading ends."""
    if given is None or isinstance(given, int):
        given = {} if given is None else {"gte": given, "lte": given}
    lower = max(oldest, given.get("gte", oldest), given.get("gt", oldest - 1) + 1)
    return {"gte": lower, **{name: given[name] for name in ("lt", "lte") if name in given}}


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
