"""A billing run that is doubled or killed anywhere ends with the same invoices."""

from __future__ import annotations

import pytest

from callbill.domain.invoicing.models import Invoice, NumberSeries
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import books_differences, verify_invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.notifications.models import Notification
from callbill.domain.usage.models import Call
from tests import killing
from tests.domain.world import at, calls, company, organization

pytestmark = pytest.mark.django_db(transaction=True)

NOW = at("2026-02-01T09:00")
RUN = """
from datetime import datetime, UTC
from callbill.domain.invoicing.operations import run_billing
report = run_billing(now=datetime(2026, 2, 1, 9, tzinfo=UTC))
assert not report.problems, report.problems
print(len(report.issued))
"""


def a_small_world() -> None:
    calls(company("acme", "Acme"), 10)
    harbor = organization()
    calls(company("n", "North", of=harbor), 3)
    calls(company("s", "South", of=harbor), 4)


def assert_everything_once() -> None:
    assert sorted(Invoice.objects.values_list("total_minor", flat=True)) == [9_45, 13_50]
    assert sorted(Invoice.objects.values_list("number", flat=True)) == ["CIC-000001", "CIC-000002"]
    assert NumberSeries.objects.get(key="invoice").next_number == 3
    assert Entry.objects.count() == 2
    assert Notification.objects.filter(kind="invoice_issued").count() == 2
    assert Call.objects.filter(settlement_id__isnull=True).count() == 0
    assert books_differences() == []
    for number in ("CIC-000001", "CIC-000002"):
        assert verify_invoice(number) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 4))
def test_killed_at_a_commit_and_run_again(when: str, number: int) -> None:
    a_small_world()
    code, _, errors = killing.run(RUN, when=when, number=number)
    assert code in (0, killing.DIED), errors
    if number <= 2:
        assert code == killing.DIED, "the run has a commit for each of its two invoices"
    run_billing(now=NOW)
    assert_everything_once()


def test_two_processes_at_once() -> None:
    a_small_world()
    both = [killing.start(RUN) for _ in range(2)]
    results = [child.communicate(timeout=120) for child in both]
    assert [child.returncode for child in both] == [0, 0], results
    assert sum(int(out) for out, _ in results) == 2
    assert_everything_once()
