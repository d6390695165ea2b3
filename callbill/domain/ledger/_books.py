"""The books as staff read them: trial balance, the entries of an account, the journal.

Days are UTC days, because an entry has one moment and its payers have many zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, F, QuerySet, Sum, When

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.ledger.models import Account, Posting
from callbill.rules.money import Money

PAGE_SIZE = 50
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class TrialLine:
    """An account in one currency: everything debited and credited; a credit balance is negative."""

    account: str
    name: str
    debit: Money
    credit: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every account that has postings in a currency."""

    currency: str
    lines: tuple[TrialLine, ...]
    debit: Money
    credit: Money

    @property
    def difference(self) -> Money:
        """Debits less credits: nothing, as long as the books are sound."""
        return self.debit - self.credit

    @property
    def adds_up(self) -> bool:
        """Whether debits and credits are the same sum."""
        return self.difference.minor == 0


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One posting with its entry: either `debit` or `credit` has the amount."""

    key: str
    kind: str
    at: datetime
    description: str
    account: str
    account_name: str
    payer: str
    debit: Money | None
    credit: Money | None
    currency: str


def end_of(day: date) -> datetime:
    """The moment at which a UTC day is over."""
    return datetime.combine(day, time.min, UTC) + timedelta(days=1)


def trial_balance(viewer: Viewer, *, as_of: date) -> list[TrialBalance]:
    """Every account by currency at the end of a UTC day, for staff. Raises NotFound for others."""
    _staff_only(viewer)
    postings = Posting.objects.filter(entry__at__lt=end_of(as_of))
    sums = postings.values("currency", "account").annotate(
        debits=Sum(Case(When(amount_minor__gt=0, then=F("amount_minor")), default=0)),
        credits=Sum(Case(When(amount_minor__lt=0, then=-F("amount_minor")), default=0)),
    )
    by_currency: dict[str, dict[str, tuple[int, int]]] = {}
    for row in sums:
        by_currency.setdefault(row["currency"], {})[row["account"]] = (row["debits"], row["credits"])
    return [_trial(currency, by_currency[currency]) for currency in sorted(by_currency)]


def _trial(currency: str, sums: dict[str, tuple[int, int]]) -> TrialBalance:
    lines = tuple(
        TrialLine(
            account=account.value,
            name=str(account.label),
            debit=Money(sums[account][0], currency),
            credit=Money(sums[account][1], currency),
            balance=Money(sums[account][0] - sums[account][1], currency),
        )
        for account in Account
        if account in sums
    )
    return TrialBalance(
        currency=currency,
        lines=lines,
        debit=Money(sum(line.debit.minor for line in lines), currency),
        credit=Money(sum(line.credit.minor for line in lines), currency),
    )


def account_name(account: str) -> str:
    """What an account is called. Raises NotFound for one that is not in the books."""
    try:
        return str(Account(account).label)
    except ValueError:
        raise NotFound("There is no such account.") from None


def account_page(
    viewer: Viewer, *, account: str, currency: str, as_of: date, page: int = 1
) -> Page[JournalRow]:
    """The postings of an account in a currency until the end of a UTC day, newest first, 50 a page.

    For staff. Raises NotFound for others and for an account that is not in the books.
    """
    _staff_only(viewer)
    account_name(account)
    postings = Posting.objects.filter(account=account, currency=currency, entry__at__lt=end_of(as_of))
    found: Page[Any] = Paginator(_with_names(postings).order_by("-entry__at", "-id"), PAGE_SIZE).get_page(
        page
    )
    found.object_list = [_row(posting) for posting in found.object_list]
    return found


def journal(viewer: Viewer, *, first_day: date, last_day: date) -> Iterator[JournalRow]:
    """Every posting of those UTC days, oldest first, read as it is used, for staff. Raises NotFound."""
    _staff_only(viewer)
    begins = end_of(first_day) - timedelta(days=1)
    postings = Posting.objects.filter(entry__at__gte=begins, entry__at__lt=end_of(last_day))
    ordered = _with_names(postings).order_by("entry__at", "entry_id", "id")
    return (_row(posting) for posting in ordered.iterator(chunk_size=_AT_ONCE))


def _staff_only(viewer: Viewer) -> None:
    if not viewer.is_staff:
        raise NotFound("There is no such page.")


def _with_names(postings: QuerySet[Posting]) -> QuerySet[Posting]:
    return postings.select_related("entry", "payer__company", "payer__organization")


def _row(posting: Posting) -> JournalRow:
    amount = Money(posting.amount_minor, posting.currency)
    return JournalRow(
        key=posting.entry.key,
        kind=posting.entry.kind,
        at=posting.entry.at,
        description=posting.entry.description,
        account=posting.account,
        account_name=str(Account(posting.account).label),
        payer=posting.payer.name if posting.payer else "",
        debit=amount if amount.minor > 0 else None,
        credit=-amount if amount.minor < 0 else None,
        currency=posting.currency,
    )
