"""Tax statuses, quantities and calendars on a customer's page, and why no tax is charged on invoices."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client

from callbill.domain.contracts.models import Holiday, HolidayCalendar
from callbill.domain.contracts.operations import add_version
from callbill.domain.customers.models import QuantityHistory, TaxStatus
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import issued_pdf, run_billing
from tests.domain.documents.reading import text_of
from tests.domain.world import PER_CALL, at, calls, company, payer_of, person, terms

pytestmark = pytest.mark.django_db

WHY = "Exempt from tax, certificate NY-4711: charity"
TAXED = PER_CALL + '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "10"\n'


def page(client: Client, path: str) -> str:
    return " ".join(client.get(path, follow=True).content.decode().split())


def test_a_company_page_shows_what_staff_keep_beside_the_contract(client: Client) -> None:
    calendar = HolidayCalendar.objects.create(key="us", name="US federal holidays")
    Holiday.objects.create(calendar=calendar, day=date(2026, 7, 4))
    acme = company(contract=terms(PER_CALL + 'scope = { holidays = "us" }\n'))
    QuantityHistory.objects.create(company=acme, key="seats", from_date=date(2026, 3, 10), value="14.5")
    TaxStatus.objects.create(
        payer=payer_of(acme), kind="exempt", certificate="NY-4711", from_date=date(2026, 1, 1)
    )
    client.force_login(person("mia@cic.example", staff=True))
    shown = page(client, "/console/companies/acme/")
    for words in ("Exempt, certificate NY-4711", "14.5 seats", "US federal holidays", "4 July 2026"):
        assert words in shown


def test_why_no_tax_is_charged_stands_on_page_and_pdf_and_each_part_says_its_days(client: Client) -> None:
    acme = company(contract=terms(TAXED))
    dearer = terms(TAXED.replace("1.35", "1.50"), effective_from=date(2026, 1, 20))
    add_version(holder=acme, terms=dearer, now=at("2026-01-10T09:00"))
    TaxStatus.objects.create(
        payer=payer_of(acme),
        kind="exempt",
        certificate="NY-4711",
        reason="charity",
        from_date=date(2026, 1, 1),
    )
    calls(acme, 10)
    run_billing(now=at("2026-02-01T09:00"))
    invoice = Invoice.objects.get()
    paper = text_of(issued_pdf(invoice.id, now=at("2026-02-01T10:00")))
    client.force_login(person("ann@acme.example", company=acme, administrator=True))
    portal = page(client, f"/invoices/{invoice.number}/")
    client.force_login(person("mia@cic.example", staff=True))
    console = page(client, f"/console/invoices/{invoice.number}/")
    for shown in (paper, portal, console):
        for words in (WHY, "Sales tax 10 %, not charged", "1 to 19 January 2026", "20 to 31 January 2026"):
            assert words in shown
