"""Fields that every table uses: time-ordered ids, currencies, amounts in minor units."""

from __future__ import annotations

import uuid
from typing import Any

import uuid6
from django.db import models


def new_id() -> uuid.UUID:
    """A UUIDv7: unique, and ordered by time, so that indexes grow at one end."""
    return uuid.UUID(int=uuid6.uuid7().int)


class IdField(models.UUIDField):
    """The primary key of every table."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", new_id)
        kwargs.setdefault("editable", False)
        super().__init__(**kwargs)


class CurrencyField(models.CharField):
    """An ISO 4217 code (M1)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(**kwargs)


class MinorField(models.BigIntegerField):
    """An amount in whole minor units of the row's currency (M1)."""
