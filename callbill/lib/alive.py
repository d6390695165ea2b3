"""Whether the process that does a piece of work still lives: an advisory lock that ends with its connection.

No clock and no heartbeat: PostgreSQL frees the lock when the process is gone, whatever it died of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection


@contextmanager
def alive(work_id: UUID) -> Iterator[None]:
    """While inside, `is_alive(work_id)` is true for everybody else. Stay outside of transactions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_number(work_id)])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_number(work_id)])


@contextmanager
def alone(work_id: UUID) -> Iterator[bool]:
    """True inside for one at a time; False at once, without waiting, while somebody else is inside.

    Whoever stands still inside, neither dead nor alive, holds up only what is under this id.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_number(work_id)])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_number(work_id)])


def is_alive(work_id: UUID) -> bool:
    """Whether some other connection is inside `alive(work_id)` at this moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_number(work_id)])
        free = bool(cursor.fetchone()[0])
        if free:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_number(work_id)])
    return not free


def _number(work_id: UUID) -> int:
    """The random half of a UUIDv7."""
    return int.from_bytes(work_id.bytes[8:], signed=True)
