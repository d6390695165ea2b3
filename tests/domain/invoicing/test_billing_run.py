"""The billing run: what is billed, to whom, when, and never twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from callbill.domain.invoicing.models import Adjustment, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import add_adjustment, run_billing
from callbill.domain.invoicing.queries import (
    books_differences,
    estimate_for,
    invoice_detail,
    verify_invoice,
)
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.usage.models import Call
from callbill.rules.money import Money
from tests.domain.world import PER_CALL, at, calls, company, organization, payer_of, person, terms, viewer

pytestmark = pytest.mark.django_db

FEBRUARY = at("2026-02-01T09:00")
MARCH = at("2026-03-01T09:00")


def the_invoice(**filters: object) -> Invoice:
    return Invoice.objects.get(**filters)


def lines(invoice: Invoice) -> list[tuple[str, str, int]]:
    found = InvoiceLine.objects.filter(section__invoice=invoice).order_by("section__position", "position")
    return [(line.kind, line.name, line.amount_minor) for line in found]


def test_calls_times_rate() -> None:
    acme = company()
    calls(acme, 761)
    report = run_billing(now=FEBRUARY)

    invoice = the_invoice()
    assert report.issued == [invoice.number] == ["CIC-000001"]
    assert lines(invoice) == [("usage", "Inbound calls", 1027_35)]
    assert (invoice.status, invoice.total_minor, invoice.due_minor) == ("open", 1027_35, 1027_35)
    assert (invoice.first_day, invoice.end_day) == (date(2026, 1, 1), date(2026, 2, 1))
    assert (invoice.issue_date, invoice.due_date) == (date(2026, 2, 1), date(2026, 2, 15))
    assert verify_invoice("CIC-000001") == []
    assert books_differences() == []


def test_a_period_is_closed_at_the_customers_own_midnight() -> None:
    company()
    assert run_billing(now=at("2026-02-01T04:59")).issued == []  # 23:59 in New York
    assert len(run_billing(now=at("2026-02-01T05:00")).issued) == 1


def test_running_again_issues_nothing_and_catches_up_when_late() -> None:
    calls(company(), 10)
    assert len(run_billing(now=at("2026-04-01T09:00")).issued) == 3
    assert run_billing(now=at("2026-04-01T09:00")).issued == []
    assert list(Invoice.objects.order_by("number").values_list("first_day__month", flat=True)) == [1, 2, 3]


def test_an_organization_gets_one_invoice_with_a_section_per_company() -> None:
    harbor = organization()
    taxed = PER_CALL + '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "8.875"\n'
    for key, name, count in (("n", "Harbor North", 7), ("s", "Harbor South", 11), ("w", "Harbor West", 13)):
        calls(company(key, name, terms(taxed, payer="organization"), of=harbor), count)
    run_billing(now=FEBRUARY)

    detail = invoice_detail(the_invoice().id)
    assert detail.summary.payer_name == "Harbor Group"
    assert [(s.company_name, s.subtotal.text) for s in detail.sections] == [
        ("Harbor North", "9.45"),
        ("Harbor South", "14.85"),
        ("Harbor West", "17.55"),
    ]
    # 8.875 % of 41.85 is 3.7141875: rounded once for the invoice (M4). Alone the sections would give
    # 0.84 + 1.32 + 1.56 = 3.72.
    assert detail.tax.text == "3.71"
    assert sum(s.tax.minor for s in detail.sections) == detail.tax.minor
    assert sum(s.total.minor for s in detail.sections) == detail.summary.total.minor
    assert verify_invoice(detail.summary.number) == []


def test_a_company_beside_the_organization_that_pays_itself_is_not_on_its_invoice() -> None:
    harbor = organization()
    company("n", "North", of=harbor)
    company("own", "Own Purse", terms(), of=harbor)
    run_billing(now=FEBRUARY)
    assert sorted(i.payer_snapshot["name"] for i in Invoice.objects.all()) == ["Harbor Group", "Own Purse"]


def test_fixed_fees_minimum_discount_and_tax_on_one_invoice() -> None:
    full = (
        PER_CALL
        + """
[[fee]]
id = "platform"
name = "Platform fee"
amount = "49.00"
when = "advance"
[[fee]]
id = "setup"
name = "Set-up"
amount = "250.00"
every = "once"
[minimum]
amount = "200.00"
[[discount]]
name = "Launch promotion"
percent = "10"
applies_to = ["inbound"]
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "8.875"
applies_to = ["inbound"]
"""
    )
    acme = company(contract=terms(full))
    calls(acme, 100)
    run_billing(now=FEBRUARY)
    first = the_invoice()
    # The platform fee is paid in advance: January's with the first invoice, and February's.
    assert lines(first) == [
        ("usage", "Inbound calls", 135_00),
        ("fee", "Platform fee", 49_00),
        ("fee", "Platform fee", 49_00),
        ("fee", "Set-up", 250_00),
        ("minimum", "Monthly minimum", 78_50),  # 200.00 less 135.00 less 13.50
        ("discount", "Launch promotion", -13_50),
    ]
    assert first.tax_minor == 10_78  # 8.875 % of 121.50 = 10.783125
    run_billing(now=MARCH)
    second = Invoice.objects.latest("number")
    assert [name for _, name, _ in lines(second)] == ["Inbound calls", "Platform fee", "Monthly minimum"]
    for invoice in (first, second):
        assert verify_invoice(str(invoice.number)) == []


def test_a_zero_invoice_is_paid_at_issue() -> None:
    company()
    run_billing(now=FEBRUARY)
    assert (the_invoice().status, the_invoice().total_minor) == ("paid", 0)
    assert books_differences() == []


def test_a_credit_larger_than_the_invoice_becomes_balance_and_pays_the_next() -> None:
    acme = company()
    mia = person("mia@cic.example", staff=True)
    calls(acme, 10)
    add_adjustment(
        company_id=acme.id, kind="outage_credit", name="Outage of 12 January", amount=Money(-20_00, "USD"),
        reason="Phones down for 3 hours", actor_id=mia.id, now=at("2026-01-20T09:00"), period="2026-01",
    )  # fmt: skip
    run_billing(now=FEBRUARY)
    first = the_invoice()
    assert (first.total_minor, first.status, first.due_minor) == (-6_50, "paid", 0)
    assert balance(payer_of(acme).id, Account.CUSTOMER_BALANCE, "USD") == Money(-6_50, "USD")

    calls(acme, 10, on=date(2026, 2, 10))
    run_billing(now=MARCH)
    second = Invoice.objects.latest("number")
    assert (second.total_minor, second.balance_applied_minor, second.due_minor) == (13_50, 6_50, 7_00)
    assert balance(payer_of(acme).id, Account.CUSTOMER_BALANCE, "USD").minor == 0
    assert balance(payer_of(acme).id, Account.RECEIVABLE, "USD") == Money(7_00, "USD")
    assert books_differences() == []
    assert Adjustment.objects.get().line is not None
    assert verify_invoice(str(first.number)) == verify_invoice(str(second.number)) == []


def test_late_calls_come_on_the_next_invoice_as_the_difference_at_old_terms() -> None:
    acme = company(contract=terms(PER_CALL + '[minimum]\namount = "20.00"\n'))
    calls(acme, 10)
    run_billing(now=FEBRUARY)  # 13.50 and 6.50 to the minimum
    calls(acme, 8)  # January's, too late
    run_billing(now=MARCH)
    second = Invoice.objects.latest("number")
    assert lines(second) == [
        ("usage", "Inbound calls", 0),
        ("minimum", "Monthly minimum", 20_00),
        ("late", "Late calls, January 2026: Inbound calls", 10_80),
        ("late", "Late calls, January 2026: Monthly minimum", -6_50),
    ]
    late = InvoiceLine.objects.filter(kind="late").first()
    assert late is not None
    assert late.stretch is not None
    assert late.stretch.received == 8
    section = invoice_detail(second.id).sections[0]
    assert (section.calls_received, section.calls_billable) == (0, 0)
    notes = {line.note for group in section.groups for line in group.lines if line.kind == "late"}
    assert notes == {"8 calls came in after the invoice for their period; 8 are billed."}
    calls(acme, 1)  # and one still later
    run_billing(now=at("2026-04-01T09:00"))
    third = Invoice.objects.latest("number")
    assert ("late", "Late calls, January 2026: Inbound calls", 1_35) in lines(third)
    assert Call.objects.filter(settlement_id__isnull=True).count() == 0
    for invoice in Invoice.objects.all():
        assert verify_invoice(str(invoice.number)) == []


def test_calls_older_than_the_window_are_kept_and_not_billed() -> None:
    acme = company(contract=terms(late_window_days=30))
    run_billing(now=at("2026-04-01T09:00"))
    calls(acme, 5)
    run_billing(now=at("2026-05-01T09:00"))
    assert Call.objects.filter(settlement_id__isnull=True).count() == 5
    assert not InvoiceLine.objects.filter(kind="late").exists()


def test_a_new_version_prices_the_periods_from_its_date() -> None:
    from callbill.domain.contracts.operations import add_version

    acme = company()
    dearer = terms(PER_CALL.replace("1.35", "1.50"), effective_from=date(2026, 2, 1))
    add_version(holder=acme, terms=dearer, now=at("2026-01-10T09:00"))
    calls(acme, 10)
    calls(acme, 10, on=date(2026, 2, 10))
    run_billing(now=MARCH)
    totals = list(Invoice.objects.order_by("number").values_list("total_minor", flat=True))
    assert totals == [13_50, 15_00]


def test_one_payer_that_cannot_be_billed_does_not_stop_the_others() -> None:
    broken = company("broken", "Broken")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE contracts_contractversion SET document = document || '{\"usage\": 7}'")
    good = company("good", "Good")
    calls(good, 1)
    report = run_billing(now=FEBRUARY)
    assert len(report.issued) == 1
    assert len(report.problems) == 1
    assert broken.name in report.problems[0]
    assert Invoice.objects.get().payer == payer_of(good)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoicing_invoice SET total_minor = 1, subtotal_minor = 1",
        "UPDATE invoicing_invoice SET payer_snapshot = '{}'",
        "DELETE FROM invoicing_invoice",
        "UPDATE invoicing_invoiceline SET amount_minor = 1",
        "DELETE FROM invoicing_invoiceline",
        "UPDATE invoicing_invoicesection SET company_name = 'x'",
        "UPDATE invoicing_stretch SET digest = 'x'",
        "UPDATE contracts_contractversion SET document = '{}'",
        "DELETE FROM contracts_contractversion",
    ],
)
def test_an_issued_invoice_is_frozen_in_the_database(statement: str) -> None:
    calls(company(), 3)
    run_billing(now=FEBRUARY)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("tamper", "where"),
    [
        ("UPDATE usage_call SET talk_ms = talk_ms + 1000 WHERE source_call_id = 'probe'", "digest"),
        ("UPDATE usage_call SET disposition = 'busy' WHERE source_call_id = 'probe'", "calls billed"),
        ("UPDATE usage_call SET settlement_id = NULL WHERE source_call_id = 'probe'", "calls received"),
        ("UPDATE invoicing_invoiceline SET amount_minor = amount_minor + 1", "amount"),
        ("UPDATE invoicing_invoice SET total_minor = total_minor + 1, tax_minor = tax_minor + 1", "total"),
        ("UPDATE invoicing_stretch SET terms = jsonb_set(terms, '{usage,0,rate}', '\"1.36\"')", "terms"),
    ],
)
def test_tampering_is_found(tamper: str, where: str) -> None:
    acme = company()
    calls(acme, 20)
    calls(acme, 1, source_call_id="probe")
    run_billing(now=FEBRUARY)
    assert verify_invoice("CIC-000001") == []
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(tamper)
        cursor.execute("SET session_replication_role = DEFAULT")
    differences = verify_invoice("CIC-000001")
    assert any(where in difference.where for difference in differences), differences


def test_a_rate_keeps_all_its_decimals() -> None:
    acme = company(contract=terms(PER_CALL.replace("1.35", "0.008512345678")))
    calls(acme, 1000)
    run_billing(now=FEBRUARY)
    line = InvoiceLine.objects.get()
    assert (line.rate, line.amount_minor) == (Decimal("0.008512345678"), 8_51)


def test_the_estimate_at_the_end_of_a_period_is_its_invoice() -> None:
    full = (
        PER_CALL
        + """
[[fee]]
id = "platform"
name = "Platform fee"
amount = "49.00"
when = "advance"
[[fee]]
id = "setup"
name = "Set-up"
amount = "250.00"
every = "once"
[tax]
[[tax.rate]]
name = "Sales tax"
percent = "8.875"
"""
    )
    acme = company(contract=terms(full))
    staff = viewer("mia@cic.example", staff=True)
    for month in (1, 2):
        calls(acme, 10 * month, on=date(2026, month, 10))
        end = at(f"2026-{month + 1:02d}-01T04:59")
        estimate = estimate_for(staff, acme.id, now=end)
        run_billing(now=at(f"2026-{month + 1:02d}-01T05:00"))
        assert estimate is not None
        assert estimate.total.minor == Invoice.objects.latest("number").total_minor
