"""Whether the ledger and the invoices say the same: each payer's postings against what is owed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from callbill.domain.invoicing.models import DUE, CreditNote, Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balances
from callbill.rules.lifecycle import OWED, InvoiceStatus
from callbill.rules.money import Money


@dataclass(frozen=True, slots=True)
class BooksDifference:
    """A payer for whom the books and the invoices disagree; None: what was posted for nobody."""

    payer_id: UUID | None
    what: str
    in_ledger: Money
    by_invoices: Money


def books_differences(
    refunded: Mapping[tuple[UUID, str], int] | None = None,
    at_bank: Mapping[tuple[UUID, str], int] | None = None,
    *,
    going_back: Mapping[tuple[UUID, str], int] | None = None,
    banked: Mapping[tuple[UUID, str], int] | None = None,
) -> list[BooksDifference]:
    """Every payer for whom the ledger does not say what invoices and credit notes say, account by account.

    Compared are what is owed, the credit balance, what was written off, revenue and tax. `refunded` is what
    went, or is on its way, from credit balances back to cards, `at_bank` what is held of disputed charges,
    `going_back` the refunds that are on their way, `banked` what came by bank and stayed, by payer and
    currency in minor units: payments knows them, so `payments.queries.books_differences` asks with them.
    """
    owed: dict[tuple[UUID, str], int] = defaultdict(int)
    credit: dict[tuple[UUID, str], int] = defaultdict(int, refunded or {})
    written_off: dict[tuple[UUID, str], int] = defaultdict(int)
    revenue: dict[tuple[UUID, str], int] = defaultdict(int)
    tax: dict[tuple[UUID, str], int] = defaultdict(int)
    rows = Invoice.objects.exclude(status=InvoiceStatus.DRAFT).values_list(
        "payer_id",
        "currency",
        "status",
        "subtotal_minor",
        "tax_minor",
        "balance_applied_minor",
        DUE,
    )
    for payer_id, currency, status, net, taxed, applied, due in rows.iterator():
        key = (payer_id, currency)
        revenue[key] -= net
        tax[key] -= taxed
        if status in OWED:
            owed[key] += due
        elif status == InvoiceStatus.UNCOLLECTIBLE:
            written_off[key] += due
        credit[key] += applied + min(net + taxed, 0)
    notes = CreditNote.objects.values_list(
        "invoice__payer_id", "currency", "subtotal_minor", "tax_minor", "to_balance_minor"
    )
    for payer_id, currency, net, taxed, to_balance in notes.iterator():
        revenue[payer_id, currency] += net
        tax[payer_id, currency] += taxed
        credit[payer_id, currency] -= to_balance
    known = (
        ("disputed", Account.CHARGEBACKS, at_bank),
        ("refunds on their way", Account.REFUNDS_PAYABLE, going_back),
        ("bank", Account.BANK, banked),
    )
    return [
        *_compared("owed", Account.RECEIVABLE, owed),
        *_compared("credit balance", Account.CUSTOMER_BALANCE, credit),
        *_compared("written off", Account.BAD_DEBT, written_off),
        *_compared("revenue", Account.REVENUE, revenue),
        *_compared("tax", Account.TAX_PAYABLE, tax),
        *(
            found
            for what, account, say in known
            if say is not None
            for found in _compared(what, account, say)
        ),
    ]


def _compared(
    what: str, account: Account, expected: Mapping[tuple[UUID, str], int]
) -> Iterator[BooksDifference]:
    actual = balances(account)
    for payer_id, currency in {*actual, *expected}:
        if payer_id is None and account is Account.BANK:
            continue  # payouts, which reconciliation holds against Stripe's
        in_ledger = actual.get((payer_id, currency), 0)
        by_invoices = expected.get((payer_id, currency), 0) if payer_id else 0
        if in_ledger != by_invoices:
            yield BooksDifference(payer_id, what, Money(in_ledger, currency), Money(by_invoices, currency))
