"""Posting: the only way anything gets into the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.ledger.models import Account, Entry, Posting
from callbill.lib.transactions import in_transaction
from callbill.rules.money import Money


@dataclass(frozen=True, slots=True)
class Side:
    """A debit (positive) or a credit (negative) on an account; of no payer where it is about none."""

    account: Account
    payer_id: UUID | None
    amount: Money


@in_transaction
def post(*, key: str, kind: str, at: datetime, description: str, sides: Sequence[Side]) -> bool:
    """Post one fact under its unique key. True if it was posted now, False if it was there already.

    Sides of zero are left out; what remains must balance per currency (the database refuses otherwise).
    """
    moving = [side for side in sides if side.amount.minor != 0]
    if not moving:
        return False
    entry = Entry(key=key, kind=kind, at=at, description=description)
    made = Entry.objects.bulk_create([entry], ignore_conflicts=True)
    if not Entry.objects.filter(id=made[0].id).exists():
        return False
    Posting.objects.bulk_create(
        Posting(
            entry=entry,
            account=side.account,
            payer_id=side.payer_id,
            amount_minor=side.amount.minor,
            currency=side.amount.currency,
        )
        for side in moving
    )
    return True
