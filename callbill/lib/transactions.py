"""Two honest words about transactions.

`@in_transaction`: the whole function happens or none of it (it joins a transaction that is open).
`@outside_transaction`: the function talks to the outside and refuses to run while one is open, so that
no lock is held during a network call and nothing told to the outside can be rolled back here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

P = ParamSpec("P")
R = TypeVar("R")


class TransactionOpen(Exception):
    """Something that talks to the outside was called inside a database transaction."""


def in_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in a transaction; join the caller's if there is one."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with transaction.atomic():
            return function(*args, **kwargs)

    return wrapper


def outside_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse to run `function` while a transaction is open. Raises TransactionOpen."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        # A test case's own wrapping transaction does not count, as with Django's durable=True.
        if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
            raise TransactionOpen(f"{function.__qualname__} must not run inside a transaction")
        return function(*args, **kwargs)

    return wrapper
