"""Fields that every table uses: time-ordered ids, currencies, amounts in minor units."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import uuid6
from django.db import models

if TYPE_CHECKING:
    _Uuid = models.UUIDField[uuid.UUID, uuid.UUID]
    _Char = models.CharField[str, str]
    _BigInteger = models.BigIntegerField[int, int]
else:
    _Uuid, _Char, _BigInteger = models.UUIDField, models.CharField, models.BigIntegerField


def new_id() -> uuid.UUID:
    """A UUIDv7: unique, and ordered by time, so that indexes grow at one end."""
    return uuid.UUID(int=uuid6.uuid7().int)


class IdField(_Uuid):
    """The primary key of every table."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", new_id)
        kwargs.setdefault("editable", False)
        super().__init__(**kwargs)


class CurrencyField(_Char):
    """An ISO 4217 code (M1)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(**kwargs)


class MinorField(_BigInteger):
    """An amount in whole minor units of the row's currency (M1)."""
