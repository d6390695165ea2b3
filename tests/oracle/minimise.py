"""Makes a world on which the two disagree as small as it gets."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.oracle.world import World

Place = tuple[Any, Any]


def _places(node: Any) -> Iterator[Place]:
    """Everything that could be left out: entries of lists and keys of tables, the deep ones last."""
    keys = range(len(node) - 1, -1, -1) if isinstance(node, list) else list(node)
    for key in keys:
        yield node, key
    for child in node if isinstance(node, list) else node.values():
        if isinstance(child, list | dict):
            yield from _places(child)


def _all_places(world: World) -> list[Place]:
    parts = (world.companies, world.contract, world.histories, world.once)
    return [place for part in parts for place in _places(part)]


def minimised(world: World, disagrees: Callable[[World], bool]) -> World:
    """The smallest world found by leaving out one thing after the other while they still disagree."""
    going = True
    while going:
        going = False
        index = 0
        while index < len(_all_places(world)):
            smaller = copy.deepcopy(world)
            node, key = _all_places(smaller)[index]
            del node[key]
            if _still(smaller, disagrees):
                world, going = smaller, True
            else:
                index += 1
        for change in ({"part": None}, {"advance_for": None}):
            smaller = copy.deepcopy(world)
            before = {name: getattr(smaller, name) for name in change}
            smaller.__dict__.update(change)
            if before != change and _still(smaller, disagrees):
                world, going = smaller, True
    return world


def _still(world: World, disagrees: Callable[[World], bool]) -> bool:
    """True if it is still a world, and they still disagree."""
    try:
        return disagrees(world)
    except (KeyError, ValueError, TypeError, IndexError):
        return False
