"""Loading customers from a file: all or nothing, every mistake at once, twice is like once."""

from __future__ import annotations

from pathlib import Path

import pytest

from callbill.domain.contracts.models import ContractVersion
from callbill.domain.contracts.operations import FileRefused, load_customers, read_customers_file
from callbill.domain.customers.models import BillableEntity, BillingContact, Company, PayerAssignment
from callbill.domain.customers.queries import payer_for
from callbill.domain.invoicing.queries import billed_until
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.users.models import User
from callbill.rules.money import Money
from tests.domain.world import at

pytestmark = pytest.mark.django_db

NOW = at("2026-01-01T12:00")

CONTRACT = """
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
[[usage]]
id = "inbound"
name = "Inbound calls"
unit = "call"
rate = "1.35"
"""

FILE = """
[seller]
name = "CIC"
[[staff]]
email = "mia@cic.example"
name = "Mia"
[[organization]]
key = "harbor"
name = "Harbor Group"
contacts = ["billing@harbor.example"]
contract = "harbor.toml"
[[organization.people]]
email = "olga@harbor.example"
role = "billing_administrator"
password = "correct horse battery"
[[company]]
key = "north"
name = "Harbor North"
organization = "harbor"
account_manager = "mia@cic.example"
[[company]]
key = "acme"
name = "Acme"
contacts = ["Billing@Acme.example"]
contract = "acme.toml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "acme.toml").write_text(CONTRACT)
    (tmp_path / "harbor.toml").write_text('payer = "organization"\n' + CONTRACT)
    (tmp_path / "customers.toml").write_text(FILE)
    return tmp_path


def load(folder: Path, text: str | None = None) -> int:
    if text is not None:
        (folder / "customers.toml").write_text(text)
    file = read_customers_file(folder / "customers.toml")
    return load_customers(file=file, now=NOW, billed_until=billed_until).changes


def test_a_file_is_loaded_with_contracts_people_and_payers(folder: Path) -> None:
    assert load(folder) > 0

    north = Company.objects.get(key="north")
    acme = Company.objects.get(key="acme")
    north_payer = payer_for(north.id, NOW.date())
    acme_payer = payer_for(acme.id, NOW.date())
    assert north_payer is not None
    assert north_payer.name == "Harbor Group"
    assert acme_payer is not None
    assert acme_payer.name == "Acme"
    assert north.account_manager is not None
    assert north.account_manager.email == "mia@cic.example"
    olga = User.objects.get(email="olga@harbor.example")
    assert olga.check_password("correct horse battery")
    assert "correct horse" not in olga.password
    assert BillingContact.objects.filter(email="billing@acme.example").exists()


def test_loading_twice_changes_nothing(folder: Path) -> None:
    load(folder)
    assert load(folder) == 0
    assert ContractVersion.objects.count() == 2


def test_a_later_version_is_added_and_a_billed_one_is_never_edited(folder: Path) -> None:
    load(folder)
    later = CONTRACT.replace("2026-01-01", "2026-03-01").replace("1.35", "1.50")
    (folder / "later.toml").write_text(later)
    assert (
        load(
            folder,
            FILE.replace('"acme.toml"', '"acme.toml"\n').replace(
                'contract = "acme.toml"', 'contracts = ["acme.toml", "later.toml"]'
            ),
        )
        == 1
    )
    ContractVersion.objects.filter(contract__company__key="acme").update(first_billed_at=NOW)
    (folder / "acme.toml").write_text(CONTRACT.replace("1.35", "9.99"))
    with pytest.raises(FileRefused, match="has been billed and is never edited"):
        load(folder, FILE)


def test_a_currency_changes_only_when_nothing_is_open(folder: Path) -> None:
    load(folder)
    payer = BillableEntity.objects.get(company__key="acme")
    owed = Money(100_00, "USD")
    post(
        key="t",
        kind="t",
        at=NOW,
        description="t",
        sides=[Side(Account.RECEIVABLE, payer.id, owed), Side(Account.REVENUE, payer.id, -owed)],
    )
    (folder / "acme.toml").write_text(CONTRACT.replace("USD", "EUR"))
    with pytest.raises(FileRefused, match=r"has (USD 100\.00|100\.00 USD) open"):
        load(folder)
    payer.refresh_from_db()
    assert payer.currency == "USD"
    post(
        key="u",
        kind="t",
        at=NOW,
        description="t",
        sides=[Side(Account.RECEIVABLE, payer.id, -owed), Side(Account.STRIPE_CLEARING, payer.id, owed)],
    )
    assert load(folder) > 0
    payer.refresh_from_db()
    assert payer.currency == "EUR"


def test_a_mistaken_currency_is_one_mistake(folder: Path) -> None:
    load(folder)
    payer = BillableEntity.objects.get(company__key="acme")
    owed = Money(100_00, "USD")
    post(
        key="t",
        kind="t",
        at=NOW,
        description="t",
        sides=[Side(Account.RECEIVABLE, payer.id, owed), Side(Account.REVENUE, payer.id, -owed)],
    )
    (folder / "acme.toml").write_text(CONTRACT.replace("USD", "EUR"))
    with pytest.raises(FileRefused) as refused:
        load(folder)
    assert len(refused.value.problems) == 1


def test_a_later_version_may_bring_another_currency_when_nothing_is_open(folder: Path) -> None:
    load(folder)
    (folder / "euro.toml").write_text(CONTRACT.replace("USD", "EUR").replace("2026-01-01", "2026-03-01"))
    text = FILE.replace('contract = "acme.toml"', 'contracts = ["acme.toml", "euro.toml"]')
    load(folder, text)
    assert BillableEntity.objects.get(company__key="acme").currency == "EUR"
    assert load(folder, text) == 0


@pytest.mark.parametrize(
    ("before", "after", "path", "phrase"),
    [
        ('key = "acme"', 'kee = "acme"', "company[1].kee", "did you mean 'key'"),
        ('organization = "harbor"', 'organization = "habor"', "company[0].organization", "no organization"),
        ('"acme.toml"', '"gone.toml"', "company[1].contract", "cannot be read"),
        ('role = "billing_administrator"', 'role = "boss"', "organization[0].people[0].role", "not a role"),
        ('"correct horse battery"', '"short"', "organization[0].people[0].password", "10 characters"),
        ('"Billing@Acme.example"', '"nobody"', "company[1].contacts", "e-mail addresses"),
        ('key = "acme"', 'key = "north"', "company", "there twice"),
        (
            'account_manager = "mia@cic.example"',
            'account_manager = "x@y.example"',
            "account_manager",
            "staff",
        ),
        ('contract = "acme.toml"', "", "company[1]", "no contract"),
        ('name = "Acme"', "", "company[1].name", "is missing"),
    ],
)
def test_mistakes_are_named_with_their_place_and_nothing_is_loaded(
    folder: Path, before: str, after: str, path: str, phrase: str
) -> None:
    assert before in FILE
    with pytest.raises(FileRefused) as refused:
        load(folder, FILE.replace(before, after))
    assert any(path in p.path and phrase in p.message for p in refused.value.problems), refused.value
    assert Company.objects.count() == 0


def test_all_mistakes_come_at_once_contracts_included(folder: Path) -> None:
    (folder / "acme.toml").write_text(CONTRACT.replace('"1.35"', "1.35") + "surprise = 1\n")
    with pytest.raises(FileRefused) as refused:
        load(folder, FILE.replace('role = "billing_administrator"', 'role = "boss"'))
    text = str(refused.value)
    assert "company[1].contract.usage[0].rate" in text
    assert "role" in text


def test_an_organizations_companies_share_one_cycle(folder: Path) -> None:
    (folder / "west.toml").write_text('payer = "organization"\nbilling_day = 15\n' + CONTRACT)
    text = (
        FILE + '\n[[company]]\nkey = "west"\nname = "West"\norganization = "harbor"\ncontract = "west.toml"\n'
    )
    with pytest.raises(FileRefused, match="share currency, time zone and billing day"):
        load(folder, text)


def test_who_pays_and_the_currency_change_only_where_a_period_begins(folder: Path) -> None:
    load(folder)
    mid = 'payer = "organization"\n' + CONTRACT.replace("2026-01-01", "2026-03-10").replace("USD", "EUR")
    (folder / "mid.toml").write_text(mid)
    text = FILE.replace('name = "Acme"', 'name = "Acme"\norganization = "harbor"')
    with pytest.raises(FileRefused) as refused:
        load(folder, text.replace('contract = "acme.toml"', 'contracts = ["acme.toml", "mid.toml"]'))
    said = str(refused.value)
    assert "who pays changes from company to organization only where a billing period begins" in said
    assert "the currency changes from USD to EUR" in said
    assert "begin on 2026-03-01 or 2026-04-01" in said
    assert PayerAssignment.objects.count() == 2


def test_a_version_that_would_lose_calls_in_progress_is_refused(folder: Path) -> None:
    ended = '[billable]\nanchor = "ended_at"\n'
    (folder / "acme.toml").write_text(CONTRACT + ended)
    (folder / "next.toml").write_text(CONTRACT.replace("2026-01-01", "2026-03-01"))
    text = FILE.replace('contract = "acme.toml"', 'contracts = ["acme.toml", "next.toml"]')
    with pytest.raises(FileRefused, match="calls in progress"):
        load(folder, text)
    (folder / "acme.toml").write_text(CONTRACT)
    (folder / "next.toml").write_text(CONTRACT.replace("2026-01-01", "2026-03-01") + ended)
    assert load(folder, text) > 0


def test_a_payer_without_a_billing_contact_is_refused(folder: Path) -> None:
    with pytest.raises(FileRefused, match="Acme has no billing contact"):
        load(folder, FILE.replace('contacts = ["Billing@Acme.example"]', ""))
