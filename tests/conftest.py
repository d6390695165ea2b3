"""Fixtures for every test."""

from __future__ import annotations

from django.db import connection
from django.test import TransactionTestCase

_plain_teardown = TransactionTestCase._fixture_teardown


def _teardown_with_triggers_off(self: TransactionTestCase) -> None:
    """Between transactional tests Django truncates; our append-only triggers rightly refuse that."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    try:
        _plain_teardown(self)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = DEFAULT")


TransactionTestCase._fixture_teardown = _teardown_with_triggers_off  # type: ignore[method-assign]
