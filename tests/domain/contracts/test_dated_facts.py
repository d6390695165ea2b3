"""Holiday calendars, quantities, tax statuses and tax ids in a customers file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from callbill.domain.contracts.models import Holiday, HolidayCalendar
from callbill.domain.contracts.operations import FileRefused, load_customers, read_customers_file
from callbill.domain.customers.models import BillableEntity, Company, QuantityHistory, TaxStatus
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


def test_calendars_quantities_and_tax_statuses_are_loaded_and_twice_is_like_once(load: Load) -> None:
    assert load() > 0
    assert load() == 0
    calendar = HolidayCalendar.objects.get()
    assert (calendar.key, calendar.name) == ("us-federal", "US federal holidays")
    assert [day.day for day in calendar.holidays.all()] == [
        date(2026, 1, 1),
        date(2026, 7, 4),
        date(2026, 12, 25),
    ]
    acme = BillableEntity.objects.get(company__key="acme")
    assert (acme.tax_id, acme.country) == ("12-3456789", "US")
    status = acme.tax_statuses.get()
    assert (status.kind, status.certificate, status.reason) == ("exempt", "NY-ST-119-4711", "charity")
    assert (status.from_date, status.until_date) == (date(2026, 1, 1), date(2026, 6, 30))
    assert BillableEntity.objects.get(organization__key="harbor").tax_statuses.get().kind == "reverse_charge"
    seats = QuantityHistory.objects.filter(company__key="acme", key="seats").order_by("from_date")
    assert [(row.from_date.isoformat(), row.value) for row in seats] == [
        ("2026-01-01", Decimal(12)),
        ("2026-03-10", Decimal("14.5")),
    ]


def test_what_is_not_billed_yet_changes_with_the_file(load: Load) -> None:
    load()
    changed = (
        FILE.replace('value = "14.5"', "value = 20")
        .replace("2026-07-04", "2026-07-03")
        .replace("until = 2026-06-30", "until = 2026-07-31")
    )
    assert load(changed) == 3
    assert QuantityHistory.objects.get(from_date=date(2026, 3, 10)).value == 20
    assert Holiday.objects.filter(day=date(2026, 7, 3)).exists()
    assert not Holiday.objects.filter(day=date(2026, 7, 4)).exists()
    assert TaxStatus.objects.get(kind="exempt").until_date == date(2026, 7, 31)


MISTAKES = [
    ("days = [2026-01-01,", 'days = ["2026-01-01",', "calendar[0].days", "without quotes"),
    ("2026-07-04, ", "2026-07-04, 2026-07-04, ", "calendar[0].days", "2026-07-04 is there twice"),
    ('key = "us-federal"', 'key = "us federal"', "calendar[0].key", "letters, digits"),
    ('name = "US federal holidays"', "", "calendar[0].name", "is missing"),
    ('key = "us-federal"', 'key = "us"', "company[1].contract.usage[0].scope.holidays", "staff keep us"),
    ("value = 12", "value = 1.5", "company[1].quantity[0].value", "in quotes"),
    ("value = 12", 'value = "many"', "company[1].quantity[0].value", "in quotes"),
    ("value = 12", 'value = "NaN"', "company[1].quantity[0].value", "in quotes"),
    ("value = 12", "value = true", "company[1].quantity[0].value", "whole number"),
    ("value = 12", "value = -1", "company[1].quantity[0].value", "not be negative"),
    ("value = 12", 'value = "1.1234567890123"', "company[1].quantity[0].value", "12 decimals"),
    ("value = 12", "", "company[1].quantity[0].value", "is missing"),
    ("from = 2026-03-10", "from = 2026-01-01", "company[1].quantity", "two values from 2026-01-01"),
    ("from = 2026-03-10", "from = 2026-03-10T10:00:00", "company[1].quantity[1].from", "2026-01-31"),
    (
        'of = "seats"\nfrom = 2026-01-01',
        'of = "seats"\nfrom = 2026-01-02',
        "company[1].quantity",
        "value = 0",
    ),
    ('of = "seats" }', 'of = "seat" }', "company[1].quantity", "how many Acme has is not told"),
    ('kind = "exempt"', 'kind = "exemt"', "company[1].tax_status[0].kind", "exempt or reverse_charge"),
    ('certificate = "NY-ST-119-4711"', "", "company[1].tax_status[0].certificate", "is missing"),
    ("until = 2026-06-30", "until = 2025-12-31", "company[1].tax_status[0].until", "before its first day"),
    ('tax_id = "DE136695976"', "", "organization[0].tax_id", "under its tax id"),
    ("DE136695976", "DE136695975", "organization[0].tax_id", "check digit"),
    ("12-3456789", "12-34567", "company[1].tax_id", "not a tax id of United States"),
    ('country = "DE"', 'country = "UK"', "organization[0].country", "did you mean GB?"),
    ('country = "US"', 'county = "US"', "company[1].county", "did you mean 'country'"),
    (
        'organization = "harbor"\n',
        'organization = "harbor"\ntax_id = "x"\n[[company.tax_status]]\nkind = "reverse_charge"\n'
        "from = 2026-01-01\n",
        "company[0].tax_status",
        "write it where the payer stands",
    ),
    (
        "until = 2026-06-30\n",
        'until = 2026-06-30\n[[company.tax_status]]\nkind = "exempt"\ncertificate = "X"\nfrom = 2026-06-30\n',
        "company[1].tax_status",
        "two tax statuses of Acme hold on 2026-06-30",
    ),
]


@pytest.mark.parametrize(("before", "after", "path", "words"), MISTAKES)
def test_mistakes_are_named_with_their_place_and_nothing_is_loaded(
    load: Load, before: str, after: str, path: str, words: str
) -> None:
    assert before in FILE
    with pytest.raises(FileRefused) as refused:
        load(FILE.replace(before, after, 1))
    assert any(p.path == path and words in p.message for p in refused.value.problems), refused.value
    assert not Company.objects.exists()
    assert not HolidayCalendar.objects.exists()


def test_all_mistakes_come_at_once(load: Load) -> None:
    with pytest.raises(FileRefused) as refused:
        load(
            FILE.replace("value = 12", "value = -1")
            .replace("DE136695976", "DE136695975")
            .replace("2026-07-04, ", "2026-07-04, 2026-07-04, ")
            .replace('kind = "exempt"', 'kind = "exemt"')
        )
    assert {p.path for p in refused.value.problems} == {
        "calendar[0].days",
        "organization[0].tax_id",
        "company[1].tax_status[0].kind",
        "company[1].quantity[0].value",
    }
