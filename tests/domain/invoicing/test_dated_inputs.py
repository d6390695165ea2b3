"""Seats, holidays, taxes and pools on invoices: what is frozen with them, and found when tampered with."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from callbill.domain.contracts.models import Holiday, HolidayCalendar
from callbill.domain.contracts.operations import add_version
from callbill.domain.customers.models import (
    BillableEntity,
    BillingContact,
    Company,
    Organization,
    PayerAssignment,
    QuantityHistory,
    TaxStatus,
)
from callbill.domain.invoicing.models import Invoice, Stretch
from callbill.domain.invoicing.queries import estimate_for, invoice_detail, verify_invoice
from tests.domain.invoicing.billed import PLATFORM, bill, lines
from tests.domain.world import PER_CALL, at, calls, company, organization, payer_of, terms, viewer

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
SEAT_HISTORY = ((date(2026, 1, 1), 10), (date(2026, 3, 11), 20), (date(2026, 3, 21), 12))


def seats(by: str) -> str:
    return (
        f'[[fee]]\nid = "seat"\nname = "Seats"\namount = "5.00"\nquantity = {{ by = "{by}", of = "seats" }}\n'
    )


@pytest.mark.parametrize(
    ("by", "amount"),
    [
        ("maximum", "100.00"),  # 20 × 5.00
        ("average", "69.68"),  # (10 × 10 + 20 × 10 + 12 × 11) ÷ 31 = 13.935…
        ("end", "60.00"),  # 12 × 5.00
        ("fixed", "50.00"),  # 10 × 5.00
    ],
)
def test_a_fee_counts_seats_over_the_month(by: str, amount: str) -> None:
    acme = company(contract=terms(PER_CALL + seats(by), effective_from=MARCH))
    for day, value in SEAT_HISTORY:
        QuantityHistory.objects.create(company=acme, key="seats", from_date=day, value=value)
    invoice = bill(4)
    assert lines(invoice)[-1] == ("Seats", "1 to 31 March", amount)
    QuantityHistory.objects.all().update(value=99)
    assert verify_invoice(str(invoice.number)) == []


HOLIDAYS = """
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
[[usage]]
id = "days"
name = "Working days"
unit = "call"
rate = "1.00"
scope = { holidays = "us" }
[[usage]]
id = "holidays"
name = "Holidays"
unit = "call"
rate = "2.00"
"""


def test_calls_on_holidays_have_another_rate_and_the_days_are_frozen() -> None:
    calendar = HolidayCalendar.objects.create(key="us", name="US")
    for day in (date(2026, 1, 1), date(2026, 7, 4)):
        Holiday.objects.create(calendar=calendar, day=day)
    acme = company(contract=terms(HOLIDAYS))
    calls(acme, 3, on=date(2026, 1, 1))
    calls(acme, 5, on=date(2026, 1, 2))
    estimate = estimate_for(viewer("mia@cic.example", staff=True), acme.id, now=at("2026-01-20T12:00"))
    assert estimate is not None
    assert estimate.subtotal.text == "11.00"
    invoice = bill(2)
    assert [(name, amount) for name, _, amount in lines(invoice)] == [
        ("Working days", "5.00"),
        ("Holidays", "6.00"),
    ]
    assert Stretch.objects.get().inputs["calendars"] == {"us": ["2026-01-01"]}
    Holiday.objects.all().delete()
    assert verify_invoice(str(invoice.number)) == []
    calls(acme, 1, on=date(2026, 1, 1))  # late: by the days of its own time
    assert ("Late calls, January 2026: Holidays", "1 to 31 January", "2.00") in lines(bill(3))


TAXED = '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "10"\n'


def test_an_exemption_holds_by_its_dates_and_its_reason_is_printed() -> None:
    acme = company(contract=terms(PER_CALL + PLATFORM + TAXED))
    TaxStatus.objects.create(
        payer=payer_of(acme), kind="exempt", certificate="NY-4711", reason="charity",
        from_date=date(2026, 1, 1), until_date=date(2026, 2, 28),
    )  # fmt: skip
    january = bill(2)
    assert january.tax_minor == 0
    detail = invoice_detail(january.id)
    line = detail.sections[0].groups[0].lines[0]
    assert line.how[-1] == "Sales tax, 10 %, is not charged. Exempt from tax, certificate NY-4711: charity"
    assert detail.tax_notes == ("Exempt from tax, certificate NY-4711: charity",)
    february = bill(3)
    assert february.tax_minor == 3_10  # of the fee for March, which the exemption does not cover
    assert bill(4).tax_minor == 3_10
    TaxStatus.objects.all().delete()
    for invoice in Invoice.objects.all():
        assert verify_invoice(str(invoice.number)) == []


def test_reverse_charge_names_the_payers_tax_id() -> None:
    acme = company(contract=terms(PER_CALL + TAXED))
    BillableEntity.objects.filter(company=acme).update(tax_id="DE136695976", country="DE")
    TaxStatus.objects.create(
        payer=payer_of(acme), kind="reverse_charge", reason="Article 196", from_date=date(2026, 1, 15)
    )
    calls(acme, 10)
    invoice = bill(2)
    assert (invoice.total_minor, invoice.tax_minor) == (13_50, 0)
    assert invoice_detail(invoice.id).tax_notes == ("Reverse charge, tax id DE136695976: Article 196",)


POOL = """
payer = "organization"
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
[[usage]]
id = "inbound"
name = "Inbound calls"
unit = "call"
rate = "1.10"
included = 450
pooled = true
"""


def pool(*used: int, text: str = POOL) -> list[Company]:
    """Companies of Harbor Group under its own contract, with so many calls in January."""
    harbor = organization()
    add_version(holder=harbor, terms=terms(text), now=at("2025-12-01T09:00"))
    payer = BillableEntity.objects.create(organization=harbor, currency="USD", legal_name="Harbor Group")
    BillingContact.objects.create(payer=payer, email="billing@harbor.example")
    return [member(harbor, number, count) for number, count in enumerate(used, start=1)]


def member(harbor: Organization, number: int, count: int, since: date = date(2026, 1, 1)) -> Company:
    made = Company.objects.create(key=f"c{number}", name=f"Company {number}", organization=harbor)
    payer = BillableEntity.objects.get(organization=harbor)
    PayerAssignment.objects.create(company=made, payer=payer, from_date=since)
    calls(made, count, on=since.replace(day=15))
    return made


def test_an_organization_pools_its_included_calls_and_shares_the_amount() -> None:
    companies = pool(120, 40, 310)
    mia = viewer("mia@cic.example", staff=True)
    shares = [estimate_for(mia, each.id, now=at("2026-01-20T12:00")) for each in companies]
    assert [each.subtotal.text for each in shares if each] == ["5.62", "1.87", "14.51"]
    invoice = bill(2)
    assert [amount for _, _, amount in lines(invoice)] == ["5.62", "1.87", "14.51"]  # of (470 − 450) × 1.10
    assert invoice.total_minor == 22_00
    calls(companies[1], 20, on=date(2026, 1, 20))
    late = [line for line in lines(bill(3)) if line[0].startswith("Late")]
    # 490 calls are 44.00, shared 10.77, 5.39 and 27.84.
    assert [amount for _, _, amount in late] == ["5.15", "3.52", "13.33"]
    assert verify_invoice("CIC-000001") == []


def test_a_company_that_joins_a_pool_pays_its_own_first_month_in_advance() -> None:
    pool(400, text=POOL + PLATFORM)
    harbor = Organization.objects.get()
    bill(2)
    member(harbor, 2, 100, since=date(2026, 2, 1))
    calls(Company.objects.get(key="c1"), 400, on=date(2026, 2, 10))
    assert [(name, amount) for name, _, amount in lines(bill(3))] == [
        ("Inbound calls", "44.00"),
        ("Platform", "31.00"),
        ("Inbound calls", "11.00"),  # 500 − 450 calls are 55.00, shared 400 to 100
        ("Platform", "31.00"),
        ("Platform", "31.00"),
    ]


@pytest.mark.parametrize(
    ("tamper", "where"),
    [
        ("jsonb_set(inputs, '{calendars,us}', '[]')", "amount"),
        ("jsonb_set(inputs, '{quantities,seats,0,1}', '\"9\"')", "amount"),
        ("jsonb_set(inputs, '{tax}', 'null')", "tax"),
        ("jsonb_set(inputs, '{closes_period}', 'false')", "number of lines"),
        ("jsonb_set(inputs, '{given_back}', 'null')", "number of lines"),
    ],
)
def test_tampering_with_frozen_inputs_is_found(tamper: str, where: str) -> None:
    text = HOLIDAYS + seats("end") + PLATFORM + '[minimum]\namount = "500.00"\n' + TAXED
    calendar = HolidayCalendar.objects.create(key="us", name="US")
    Holiday.objects.create(calendar=calendar, day=date(2026, 3, 20))
    acme = company(contract=terms(text))
    QuantityHistory.objects.create(company=acme, key="seats", from_date=date(2026, 1, 1), value=10)
    TaxStatus.objects.create(payer=payer_of(acme), kind="exempt", certificate="X", from_date=date(2026, 1, 1))
    bill(3)
    dearer = terms(text.replace("31.00", "62.00"), effective_from=date(2026, 3, 15))
    add_version(holder=acme, terms=dearer, now=at("2026-03-10T09:00"))
    calls(acme, 4, on=date(2026, 3, 20))
    invoice = bill(4)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f"UPDATE invoicing_stretch SET inputs = {tamper} "
            "WHERE section_id IN (SELECT id FROM invoicing_invoicesection WHERE invoice_id = %s)",
            [invoice.id],
        )
        cursor.execute("SET session_replication_role = DEFAULT")
    differences = verify_invoice(str(invoice.number))
    assert any(where in difference.where for difference in differences), differences
