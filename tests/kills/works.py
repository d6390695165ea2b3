"""Every piece of work that is killed."""

from __future__ import annotations

from tests.kills import (
    billing,
    books,
    cards,
    charging,
    notifying,
    paying,
    refunding,
    standing,
    undoing,
    webhooks,
)
from tests.kills.work import Work

WORKS: tuple[Work, ...] = (
    *charging.WORKS,
    *refunding.WORKS,
    *webhooks.WORKS,
    *cards.WORKS,
    *notifying.WORKS,
    *billing.WORKS,
    *standing.WORKS,
    *paying.WORKS,
    *undoing.WORKS,
    *books.WORKS,
)
