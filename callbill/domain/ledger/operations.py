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


@dataclass(frozen=True, slots=True)
class Fact:
    """What is posted once under its key."""

    key: str
    kind: str
    at: datetime
    description: str
    sides: tuple[Side, ...]


@in_transaction
def post_all(*, facts: Sequence[Fact]) -> int:
    """Post many facts in a few statements, each once under its key. Returns how many were new.

    As `post` does it: sides of zero are left out, and each fact must balance per currency.
    """
    moving = {fact.key: [side for side in fact.sides if side.amount.minor != 0] for fact in facts}
    entries = [
        Entry(
            key=fact.key,
            kind=fact.kind,
            at=fact.at,
            description=fact.description,
            sides=len(moving[fact.key]),
        )
        for fact in facts
        if moving[fact.key]
    ]
    made = Entry.objects.bulk_create(entries, ignore_conflicts=True)
    new = set(Entry.objects.filter(id__in=[entry.id for entry in made]).values_list("id", flat=True))
    Posting.objects.bulk_create(
        _posting(entry, side) for entry in made if entry.id in new for side in moving[entry.key]
    )
    return len(new)


@in_transaction
def post(*, key: str, kind: str, at: datetime, description: str, sides: Sequence[Side]) -> bool:
    """Post one fact under its unique key. True if it was posted now, False if it was there already.

    Sides of zero are left out; what remains must balance per currency (the database refuses otherwise).
    """
    return post_all(facts=[Fact(key, kind, at, description, tuple(sides))]) == 1


def _posting(entry: Entry, side: Side) -> Posting:
    return Posting(
        entry=entry,
        account=side.account,
        payer_id=side.payer_id,
        amount_minor=side.amount.minor,
        currency=side.amount.currency,
    )
