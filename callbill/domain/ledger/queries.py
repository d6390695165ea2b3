"""Answers from the books."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Sum

from callbill.domain.ledger._books import (
    JournalRow,
    TrialBalance,
    TrialLine,
    account_name,
    account_page,
    journal,
    trial_balance,
)
from callbill.domain.ledger.models import Account, Entry, Posting
from callbill.rules.money import Money

__all__ = [
    "JournalRow",
    "TrialBalance",
    "TrialLine",
    "account_name",
    "account_page",
    "balance",
    "balances",
    "free_key",
    "held_for",
    "journal",
    "posted",
    "trial_balance",
]


def free_key(key: str) -> str:
    """`key` or, if that is posted, the first of `key`:2, `key`:3 and so on; lock what it is about."""
    free, times = key, 1
    while posted(free):
        times += 1
        free = f"{key}:{times}"
    return free


def balance(payer_id: UUID, account: Account, currency: str) -> Money:
    """The sum of a payer's postings on an account; debit is positive."""
    total = Posting.objects.filter(payer_id=payer_id, account=account, currency=currency).aggregate(
        total=Sum("amount_minor")
    )["total"]
    return Money(total or 0, currency)


def held_for(payer_id: UUID) -> tuple[Money, ...]:
    """The credit held for a payer, by currency; only what is not nothing."""
    rows = Posting.objects.filter(payer_id=payer_id, account=Account.CUSTOMER_BALANCE).values_list("currency")
    sums = rows.annotate(total=Sum("amount_minor")).order_by("currency")
    return tuple(Money(-total, currency) for currency, total in sums if total < 0)


def balances(account: Account) -> dict[tuple[UUID | None, str], int]:
    """Every payer's sum on an account, in minor units, by (payer, currency); None: of no payer."""
    rows = (
        Posting.objects.filter(account=account)
        .values_list("payer_id", "currency")
        .annotate(total=Sum("amount_minor"))
    )
    return {(payer_id, currency): total for payer_id, currency, total in rows}


def posted(key: str) -> bool:
    """Whether the fact with this key is in the books."""
    return Entry.objects.filter(key=key).exists()
