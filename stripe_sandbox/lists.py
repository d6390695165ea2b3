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


Conditions = list[tuple[str, Any]]


def page(
    ctx: Context,
    kind: str,
    url: str,
    where: Conditions,
    *,
    timed: bool | None = None,
    either: list[Conditions] | None = None,
) -> Document:
    """One page of `kind`: the endpoint's own conditions `where`, and what the caller's cursor asks.

    With `timed` the order is by the time written on objects, along an index that ends in (created, seq). With
    `either`, objects for which one of several sets of conditions holds too (no object for two of them): each
    is read along its index, and the newest of all are taken.
    """
    params = ctx.params
    limit = params.get("limit", 10)
    # A range of time alone is read along the index of times; beside another condition it only filters (the +
    # keeps SQLite from using that index and sorting what it finds).
    by_time = timed if timed is not None else params.get("created") is not None and not where
    conditions = [*where, *between(params.get("created"), "created" if by_time else "+created")]
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise invalid("You can only specify one of these parameters: starting_after, ending_before.")
    if after or before:
        place = _position(ctx, kind, str(after or before), "starting_after" if after else "ending_before")
        compare = "<" if after else ">"
        conditions.append(
            (f"(created, seq) {compare} (?, ?)", place) if by_time else (f"seq {compare} ?", place[1])
        )
    found: list[Document] = []
    for more in either if either is not None else [[]]:
        found += ctx.store.select(
            kind, [*more, *conditions], limit=limit + 1, newest_first=not before, by_time=by_time
        )
    if either is not None and len(either) > 1:
        found.sort(key=lambda obj: ctx.store.position(kind, obj["id"]) or (0, 0), reverse=not before)
    data = found[:limit]
    if before:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def equals(params: dict[str, Any], *names: str) -> Conditions:
    """Conditions for those of `names` (columns) that the caller gave."""
    return [(f"{name} = ?", params[name]) for name in names if params.get(name) is not None]


def between(given: Any, column: str) -> Conditions:
    """Conditions for a moment or a range of moments, as `created` takes them."""
    if given is None:
        return []
    if isinstance(given, int):
        return [(f"{column} = ?", given)]
    return [(f"{column} {_COMPARE[name]} ?", value) for name, value in given.items()]


def _position(ctx: Context, kind: str, object_id: str, param: str) -> tuple[int, int]:
    place = ctx.store.position(kind, object_id)
    if place is None:
        raise missing_object(kind, object_id, param=param, status=400)
    return place
