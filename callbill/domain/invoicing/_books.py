"""Whether the ledger and the invoices say the same: each payer's postings against what is owed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balances
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money


@dataclass(frozen=True, slots=True)
class BooksDifference:
    """A payer for whom the books and the invoices disagree."""

    payer_id: UUID
    what: str
    in_ledger: Money
    by_invoices: Money


def books_differences() -> list[BooksDifference]:
    """Every payer whose receivable or credit balance in the ledger is not what the invoices say."""
    owed: dict[tuple[UUID, str], int] = defaultdict(int)
    credit: dict[tuple[UUID, str], int] = defaultdict(int)
    rows = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).values_list(
        "payer_id",
        "currency",
        "status",
        "total_minor",
        "balance_applied_minor",
        "paid_minor",
        "credited_minor",
    )
    for payer_id, currency, status, total, applied, paid, credited in rows.iterator():
        key = (payer_id, currency)
        if status in (InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE):
            owed[key] += total - applied - paid - credited
        credit[key] += applied + min(total, 0)
    differences = []
    for what, account, expected in (
        ("owed", Account.RECEIVABLE, owed),
        ("credit balance", Account.CUSTOMER_BALANCE, credit),
    ):
        actual = balances(account)
        for payer_id, currency in {*actual, *expected}:
            in_ledger = actual.get((payer_id, currency), 0)
            by_invoices = expected.get((payer_id, currency), 0)
            if in_ledger != by_invoices:
                differences.append(
                    BooksDifference(payer_id, what, Money(in_ledger, currency), Money(by_invoices, currency))
                )
    return differences
