"""Which calls an earlier charge leaves to a later one (M14).

First match in contract order takes a call, except that the longest destination prefix over all charges
wins. So a charge with a prefix is reached past one without, wherever it stands.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import time
from typing import Any

_LISTS = ("direction", "service", "queue", "number", "weekdays")
_DAY_END = 24 * 3600


class Reach(enum.Enum):
    """What an earlier charge leaves to a later one."""

    SOME = "some calls"
    BY_QUANTITY = "no call, but it is of another unit and can be priced by quantity"
    NONE = "no call"
    SAME = "no call, both have the same scope"


def reach(scope: Mapping[str, Any], unit: object, earlier: Mapping[str, Any], earlier_unit: object) -> Reach:
    """What the charge with scope `earlier` leaves to the one with `scope`; scopes as tables of the file.

    A later charge without any scope of its own, and of another unit, is allowed: it prices something that
    is told by quantity (summaries sent), not calls that another charge has taken.
    """
    if not _covers(earlier, scope):
        return Reach.SOME
    if not scope and unit != earlier_unit:
        return Reach.BY_QUANTITY
    return Reach.SAME if _covers(scope, earlier) else Reach.NONE


def _covers(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> bool:
    """True if every call that fits `narrow` fits `wide`, and `wide` is not beaten by a longer prefix."""
    for key in _LISTS:
        if wide.get(key) and not (narrow.get(key) and set(narrow[key]) <= set(wide[key])):
            return False
    if bool(wide.get("prefix")) != bool(narrow.get("prefix")):
        return False
    if not set(narrow.get("prefix") or ()) <= set(wide.get("prefix") or ()):
        return False
    if wide.get("holidays") and wide["holidays"] != narrow.get("holidays"):
        return False
    spans = _spans(wide)
    return all(any(start <= first and last <= end for start, end in spans) for first, last in _spans(narrow))


def _spans(scope: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The seconds of the day a scope takes; a window that ends before it starts goes over midnight."""
    start, end = scope.get("from"), scope.get("until")
    if start is None or end is None:
        return [(0, _DAY_END)]
    first, last = _seconds(start), _seconds(end)
    if first < last:
        return [(first, last)]
    return [(first, _DAY_END), (0, last)]


def _seconds(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second
