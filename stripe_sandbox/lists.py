"""Lists: newest first, `limit`, `starting_after`, `ending_before`, `created`, `has_more`."""

from __future__ import annotations

from typing import Any

from .context import Context
from .errors import invalid, missing_object
from .schema import Either, Hash, Integer, Rule, Text
from .storage import Document

_MOMENT = Integer()
CREATED: Rule = Either((Integer(), Hash({"gt": _MOMENT, "gte": _MOMENT, "lt": _MOMENT, "lte": _MOMENT})))
PAGING: dict[str, Rule] = {
    "limit": Integer(1, 100),
    "starting_after": Text(unset=False),
    "ending_before": Text(unset=False),
}
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(ctx: Context, kind: str, url: str, where: list[tuple[str, Any]]) -> Document:
    """One page of `kind`: the endpoint's own conditions `where`, and what the caller's cursor asks."""
    params = ctx.params
    limit = params.get("limit", 10)
    conditions = [*where, *_created(params.get("created"))]
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise invalid("You can only specify one of these parameters: starting_after, ending_before.")
    if after:
        conditions.append(("seq < ?", _position(ctx, kind, after, "starting_after")))
    if before:
        conditions.append(("seq > ?", _position(ctx, kind, before, "ending_before")))
    found = ctx.store.select(kind, conditions, limit=limit + 1, newest_first=not before)
    data = found[:limit]
    if before:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def equals(params: dict[str, Any], *names: str) -> list[tuple[str, Any]]:
    """Conditions for those of `names` (columns) that the caller gave."""
    return [(f"{name} = ?", params[name]) for name in names if params.get(name) is not None]


def _created(given: Any) -> list[tuple[str, Any]]:
    if given is None:
        return []
    if isinstance(given, int):
        return [("created = ?", given)]
    return [(f"created {_COMPARE[name]} ?", value) for name, value in given.items()]


def _position(ctx: Context, kind: str, object_id: str, param: str) -> int:
    found = ctx.store.position(kind, object_id)
    if found is None:
        raise missing_object(kind, object_id, param=param, status=400)
    return found
