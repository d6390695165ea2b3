"""The database keeps the ledger's promises, whatever the code does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.ledger.models import Entry, Posting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payer() -> BillableEntity:
    company = Company.objects.create(key="acme", name="Acme")
    return BillableEntity.objects.create(company=company, currency="USD", legal_name="Acme Inc")


def post(payer: BillableEntity, *amounts: int) -> Entry:
    with transaction.atomic():
        entry = Entry.objects.create(
            key="t:1",
            kind="test",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            description="t",
            sides=len(amounts),
        )
        add(entry, payer, *amounts)
    return entry


@transaction.atomic
def add(entry: Entry, payer: BillableEntity, *amounts: int) -> None:
    for amount in amounts:
        Posting.objects.create(
            entry=entry, account="receivable", payer=payer, amount_minor=amount, currency="USD"
        )


def test_a_balanced_entry_is_kept(payer: BillableEntity) -> None:
    entry = post(payer, 100, -60, -40)
    assert entry.postings.count() == 3


@pytest.mark.parametrize("amounts", [(100,), (100, -99), ()])
def test_an_unbalanced_or_empty_entry_is_refused(payer: BillableEntity, amounts: tuple[int, ...]) -> None:
    with pytest.raises(IntegrityError):
        post(payer, *amounts)
    assert Entry.objects.count() == 0


@pytest.mark.parametrize("amounts", [(5, -5), (5,), (100, -100, 7, -7)])
def test_nothing_is_added_to_an_entry_afterwards(payer: BillableEntity, amounts: tuple[int, ...]) -> None:
    """Not even a pair that balances."""
    entry = post(payer, 100, -60, -40)
    with pytest.raises(IntegrityError):
        add(entry, payer, *amounts)
    assert entry.postings.count() == 3


def test_what_was_posted_before_sides_were_counted_is_counted(payer: BillableEntity) -> None:
    post(payer, 100, -60, -40)
    MigrationExecutor(connection).migrate([("ledger", "0006_posting_account_currency")])
    MigrationExecutor(connection).migrate([("ledger", "0007_entry_sides")])
    entry = Entry.objects.get()
    assert (entry.sides, entry.postings.count()) == (3, 3)
    with pytest.raises(IntegrityError):
        Entry.objects.update(description="x")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_posting SET amount_minor = amount_minor * 2",
        "DELETE FROM ledger_posting",
        "UPDATE ledger_entry SET description = 'x'",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_posting",
        "TRUNCATE ledger_entry CASCADE",
    ],
)
def test_nothing_posted_is_changed_or_deleted(payer: BillableEntity, statement: str) -> None:
    post(payer, 100, -100)
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Posting.objects.count() == 2
