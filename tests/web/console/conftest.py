"""Signed-in browsers and a customer with an issued invoice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pytest
from django.db import connection
from django.test import Client

from callbill.domain.customers.models import Company, Organization
from callbill.domain.invoicing.models import Invoice, InvoiceLine
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.usage.models import Call, CallImport
from callbill.domain.users.models import User
from tests.domain import world
from tests.domain.payments.conftest import one_sandbox, sandbox, shop
from tests.domain.usage import files

__all__ = ["one_sandbox", "sandbox", "shop"]

CONTRACT = (
    world.PER_CALL
    + """
[billable]
min_talk_seconds = 5
[[fee]]
id = "desk"
name = "Front desk"
amount = "49.00"
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "8.875"
"""
)
FORMULA = '=HYPERLINK("http://evil.example")'
FEBRUARY = world.at("2026-02-01T09:00")


@dataclass(frozen=True)
class Cast:
    """Acme with 60 billed calls, three that were too short and one marked as spam; Harbor Group with two."""

    acme: Company
    harbor: Organization
    north: Company
    invoice: Invoice
    line: InvoiceLine
    call: Call
    staff: User
    customer: User


@pytest.fixture
def cast(db: None) -> Cast:
    """January billed on 1 February."""
    acme = world.company(contract=world.terms(CONTRACT))
    harbor = world.organization()
    north = world.company("north", "Harbor North", of=harbor)
    south = world.company("south", "Harbor South", of=harbor)
    world.calls(acme, 60, from_number="+12125550100")
    world.calls(acme, 3, on=date(2026, 1, 20), talk_seconds=2)
    world.calls(acme, 1, on=date(2026, 1, 21), flags=["spam"], service=FORMULA, queue="-1+1")
    world.calls(north, 2)
    world.calls(south, 4)
    run_billing(now=FEBRUARY)
    invoice = Invoice.objects.get(payer__company=acme)
    line = InvoiceLine.objects.get(section__invoice=invoice, kind="usage")
    return Cast(
        acme=acme,
        harbor=harbor,
        north=north,
        invoice=invoice,
        line=line,
        call=Call.objects.filter(settlement_id=line.stretch_id, talk_ms=60_000, flags=[]).earliest(
            "started_at"
        ),
        staff=world.person("sam@cic.example", staff=True),
        customer=world.person("ann@acme.example", company=acme, administrator=True),
    )


@pytest.fixture
def staff(cast: Cast) -> Client:
    """A browser in which Sam of the staff is signed in."""
    browser = Client()
    browser.force_login(cast.staff)
    return browser


@pytest.fixture
def customer(cast: Cast) -> Client:
    """A browser in which Ann, billing administrator of Acme, is signed in."""
    browser = Client()
    browser.force_login(cast.customer)
    return browser


@pytest.fixture
def tamper(db: None) -> Callable[[str], None]:
    """Change what is frozen, as nobody could without owning the database."""

    def run(statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(statement)
            cursor.execute("SET session_replication_role = DEFAULT")

    return run


@pytest.fixture
def call_import(cast: Cast) -> CallImport:
    """A real import of three good rows and sixty bad ones: a day that is not there, a company that is not."""
    bad = [
        files.row(id=f"bad-{number}", company="zebra")
        if number % 2
        else files.row(id=f"bad-{number}", started="2026-02-31 10:00:00")
        for number in range(60)
    ]
    good = [files.row(id=f"good-{number}") for number in range(3)]
    report = files.take_in(files.text_of([*good, *bad]), file_name="march.csv")
    return CallImport.objects.get(id=report.import_id)
