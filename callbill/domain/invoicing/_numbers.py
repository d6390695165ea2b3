"""Gapless numbers: a locked counter row, taken in the transaction that uses the number (M24)."""

from __future__ import annotations

from django.db import connection

from callbill.lib.transactions import in_transaction


@in_transaction
def next_number(*, series: str, prefix: str) -> str:
    """The next number of a series, such as "CIC-000042".

    The row stays locked until the surrounding transaction ends, so a rollback gives the number back.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO invoicing_numberseries (key, next_number) VALUES (%s, 2) "
            "ON CONFLICT (key) DO UPDATE SET next_number = invoicing_numberseries.next_number + 1 "
            "RETURNING next_number - 1",
            [series],
        )
        (number,) = cursor.fetchone()
    return f"{prefix}-{number:06d}"
