"""What Stripe was just seen to have, in temporary tables, so that it can be compared by SQL, however much.

Charges, refunds and disputes are written down while they are read, some hundred at a time. The tables belong
to the connection and are gone with the run; nothing of them is ever left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection

from callbill.domain.payments.gateway import ChargebackView, ChargeView, RefundView
from callbill.lib.transactions import in_transaction

_AT_ONCE = 500
View = TypeVar("View")

_TABLES = """
CREATE TEMP TABLE seen_charge (
    reference text PRIMARY KEY, intent text, intent_id uuid, invoice_id uuid, customer text,
    succeeded boolean, amount bigint, refunded bigint, currency text, created_at timestamptz);
CREATE TEMP TABLE seen_refund (
    reference text PRIMARY KEY, refund_id uuid, charge text, status text, amount bigint, currency text);
CREATE TEMP TABLE seen_chargeback (
    reference text PRIMARY KEY, charge text, status text, amount bigint, withdrawn bigint, currency text);
"""
_NAMES = ("seen_charge", "seen_refund", "seen_chargeback")


@contextmanager
def room() -> Iterator[None]:
    """Room for what will be seen, empty, as long as the block goes on."""
    _drop()
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
    try:
        yield
    finally:
        _drop()


def _drop() -> None:
    with connection.cursor() as cursor:
        for name in (*_NAMES, "matched", "moved", "posted"):
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")


def see_charges(views: Iterable[ChargeView], tell: Callable[[int], None]) -> int:
    """Write charges down; `tell` hears how many after each batch. Returns how many there were."""
    return _see("seen_charge", 10, views, _charge, tell)


def see_refunds(views: Iterable[RefundView], tell: Callable[[int], None]) -> int:
    """Write refunds down."""
    return _see("seen_refund", 6, views, _refund, tell)


def see_chargebacks(views: Iterable[ChargebackView], tell: Callable[[int], None]) -> int:
    """Write disputes down."""
    return _see("seen_chargeback", 6, views, _chargeback, tell)


def rows(sql: str, given: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """The answer to a question about what was seen, as dicts by column."""
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def analyse() -> None:
    """Let the database know how much was seen, so that it joins well."""
    with connection.cursor() as cursor:
        for name in _NAMES:
            cursor.execute(f"ANALYZE {name}")


def _see(
    table: str,
    width: int,
    views: Iterable[View],
    row: Callable[[View], tuple[Any, ...]],
    tell: Callable[[int], None],
) -> int:
    rest, count = iter(views), 0
    while batch := list(islice(rest, _AT_ONCE)):
        _write(table, width, [row(view) for view in batch])
        count += len(batch)
        tell(count)
    return count


@in_transaction
def _write(table: str, width: int, batch: list[tuple[Any, ...]]) -> None:
    places = ", ".join(["%s"] * width)
    with connection.cursor() as cursor:
        # Listed twice while the list moved under us: the same object.
        cursor.executemany(f"INSERT INTO {table} VALUES ({places}) ON CONFLICT DO NOTHING", batch)  # noqa: S608


def _charge(view: ChargeView) -> tuple[Any, ...]:
    return (
        *(view.reference, view.intent, _uuid(view.intent_id), _uuid(view.invoice_id), view.customer),
        *(view.succeeded, view.amount.minor, view.refunded.minor, view.amount.currency, view.created_at),
    )


def _refund(view: RefundView) -> tuple[Any, ...]:
    return (
        *(view.reference, _uuid(view.refund_id), view.charge, view.status.value),
        *(view.amount.minor, view.amount.currency),
    )


def _chargeback(view: ChargebackView) -> tuple[Any, ...]:
    withdrawn = sum(move.amount.minor for move in view.moves)
    return (
        *(view.reference, view.charge, view.status.value),
        *(view.amount.minor, withdrawn, view.amount.currency),
    )


def _uuid(text: str) -> UUID | None:
    """Our id in somebody's metadata, if it is one: anybody could have written there."""
    try:
        return UUID(text)
    except ValueError:
        return None
