"""Receivables ageing: what each payer owes, by how long it has been past its due date."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing.models import DUE, Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balances
from callbill.rules.lifecycle import OWED
from callbill.rules.money import Money
from callbill.rules.period import local_day

BUCKETS = ("Current", "1 to 30 days", "31 to 60 days", "61 to 90 days", "Over 90 days")
_LAST_DAYS = (0, 30, 60, 90)


@dataclass(frozen=True, slots=True)
class AgeingLine:
    """What one payer owes, in the order of BUCKETS, and in all."""

    payer_name: str
    amounts: tuple[Money, ...]
    total: Money


@dataclass(frozen=True, slots=True)
class Ageing:
    """What is owed in a currency, and what the account of receivables has for it."""

    currency: str
    lines: tuple[AgeingLine, ...]
    totals: tuple[Money, ...]
    total: Money
    in_ledger: Money

    @property
    def adds_up(self) -> bool:
        """Whether invoices and the ledger say the same is owed."""
        return self.total == self.in_ledger


def ageing(viewer: Viewer, *, now: datetime) -> list[Ageing]:
    """What is owed now by days past due, the payer who owes longest first, for staff. Raises NotFound.

    A day is past when it is over in the invoice's own zone (M27). What is owed is what the invoices say;
    `in_ledger` is the account of receivables beside it.
    """
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
    owed: dict[tuple[str, UUID], list[int]] = defaultdict(lambda: [0] * len(BUCKETS))
    rows = (
        Invoice.objects.filter(status__in=OWED)
        .alias(due=DUE)
        .filter(due__gt=0)
        .values_list("currency", "payer_id", "due_date", "time_zone", DUE)
    )
    for currency, payer_id, due_date, zone, due in rows.iterator():
        owed[currency, payer_id][bucket_of(due_date, local_day(now, zone))] += due
    in_ledger: dict[str, int] = defaultdict(int)
    for (_, currency), minor in balances(Account.RECEIVABLE).items():
        in_ledger[currency] += minor
    names = _names({payer_id for _, payer_id in owed})
    currencies = sorted({currency for currency, _ in owed} | {c for c, minor in in_ledger.items() if minor})
    return [_of_currency(currency, owed, names, in_ledger[currency]) for currency in currencies]


def bucket_of(due_date: date | None, today: date) -> int:
    """Which of BUCKETS an invoice falls into on `today`; what has no due date is current."""
    late = (today - due_date).days if due_date else 0
    return sum(late > last for last in _LAST_DAYS)


def _names(payer_ids: set[UUID]) -> dict[UUID, str]:
    payers = BillableEntity.objects.filter(id__in=payer_ids).select_related("company", "organization")
    return {payer.id: payer.name for payer in payers}


def _of_currency(
    currency: str, owed: dict[tuple[str, UUID], list[int]], names: dict[UUID, str], in_ledger: int
) -> Ageing:
    mine = {payer_id: minors for (code, payer_id), minors in owed.items() if code == currency}
    # The oldest debt first; within the same age the largest.
    order = sorted(
        mine, key=lambda payer_id: ([-minor for minor in reversed(mine[payer_id])], names[payer_id])
    )
    totals = [sum(minors[index] for minors in mine.values()) for index in range(len(BUCKETS))]
    return Ageing(
        currency=currency,
        lines=tuple(
            AgeingLine(
                payer_name=names[payer_id],
                amounts=tuple(Money(minor, currency) for minor in mine[payer_id]),
                total=Money(sum(mine[payer_id]), currency),
            )
            for payer_id in order
        ),
        totals=tuple(Money(minor, currency) for minor in totals),
        total=Money(sum(totals), currency),
        in_ledger=Money(in_ledger, currency),
    )
