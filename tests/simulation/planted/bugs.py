"""What a planted bug is, and the means to plant one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

Plant = Callable[[ExitStack], None]


@dataclass(frozen=True)
class Bug:
    """A bug, what it is in a sentence, and the invariants by which it may be noticed."""

    name: str
    words: str
    breaks: frozenset[str]
    plant: Plant

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The bug is there inside."""
        with ExitStack() as stack:
            self.plant(stack)
            yield


BUGS: dict[str, Bug] = {}


def bug(words: str, *breaks: str) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        name = plant.__name__
        BUGS[name] = Bug(name, words, frozenset(breaks), plant)
        return plant

    return keep


def put(stack: ExitStack, where: object, name: str, what: object) -> Any:
    """Replace an attribute that must be there; answers what was there."""
    before = getattr(where, name)
    stack.enter_context(mock.patch.object(where, name, what))
    return before


def ddl(stack: ExitStack, *statements: str) -> None:
    """Change every database that a world begins with."""
    from django.db import connection

    from callbill.config.simulation.ground import Ground

    plain = Ground.fresh

    def fresh(self: Ground) -> None:
        plain(self)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    put(stack, Ground, "fresh", fresh)
