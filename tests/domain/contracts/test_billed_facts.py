"""What priced days that have been billed never changes; what comes after them does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from callbill.domain.contracts.models import Holiday
from callbill.domain.contracts.operations import FileRefused, load_customers, read_customers_file
from callbill.domain.customers.models import Company, QuantityHistory
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import billed_until
from tests.domain.contracts.dated import FILE
from tests.domain.world import at

Load = Callable[..., int]

pytestmark = pytest.mark.django_db

NOW = at("2026-01-01T12:00")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def _load(text: str = FILE) -> int:
        (tmp_path / "customers.toml").write_text(text)
        file = read_customers_file(tmp_path / "customers.toml")
        return load_customers(file=file, now=NOW, billed_until=billed_until).changes

    return _load


@pytest.mark.parametrize(
    ("before", "after", "path", "words"),
    [
        ("value = 12", "value = 13", "company[1].quantity", "give the new value a date from 2026-04-01 on"),
        ("from = 2026-03-10", "from = 2026-03-11", "company[1].quantity", "was not told"),
        (
            "2026-01-01, 2026-07-04",
            "2026-07-04",
            "calendar[0].days",
            "2026-01-01 cannot be added or taken out",
        ),
        ("2026-07-04", "2026-03-31", "calendar[0].days", "until 2026-03-31 have been billed"),
        ("NY-ST-119-4711", "NY-ST-119-4712", "company[1].tax_status", "it stays"),
        (
            "until = 2026-06-30",
            "until = 2026-03-15",
            "company[1].tax_status",
            "end it on 2026-03-31 or later",
        ),
        (
            'rate = "2.00"\n',
            'rate = "2.00"\n[[company.contracts]]\ncurrency = "USD"\ntime_zone = "America/New_York"\n'
            'effective_from = 2026-03-15\nusage = [{ id = "a", name = "A", unit = "call", rate = "1" }]\n',
            "company[1].contract.effective_from",
            "the days before 2026-04-01 have been billed",
        ),
    ],
)
def test_what_priced_billed_days_never_changes(
    load: Load, before: str, after: str, path: str, words: str
) -> None:
    load()
    run_billing(now=at("2026-04-02T12:00"))
    assert billed_until(Company.objects.get(key="acme").id) == date(2026, 4, 1)
    assert load() == 0
    assert before in FILE
    with pytest.raises(FileRefused) as refused:
        load(FILE.replace(before, after))
    assert [(p.path, words in p.message) for p in refused.value.problems] == [(path, True)], refused.value
    assert QuantityHistory.objects.get(from_date=date(2026, 1, 1)).value == 12
    assert Holiday.objects.count() == 3


def test_days_after_the_billed_ones_go_on_changing(load: Load) -> None:
    load()
    run_billing(now=at("2026-04-02T12:00"))
    later = (
        FILE.replace("2026-12-25", "2026-12-24")
        .replace("until = 2026-06-30", "until = 2026-03-31")
        .replace(
            'value = "14.5"',
            'value = "14.5"\n[[company.quantity]]\nof = "seats"\nfrom = 2026-04-01\nvalue = 0',
        )
    )
    assert load(later) == 3
