"""Contracts that change inside a billing period, with figures to check by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from callbill.domain.contracts.operations import add_version
from callbill.domain.customers.models import (
    BillableEntity,
    BillingContact,
    Company,
    PayerAssignment,
)
from callbill.domain.invoicing._closing import VoidRefused, refuse_void
from callbill.domain.invoicing.models import CreditProposal, Invoice, Stretch
from callbill.domain.invoicing.operations import propose_corrections
from callbill.domain.invoicing.queries import estimate_for, invoice_detail, verify_invoice
from callbill.domain.usage.models import Call
from callbill.domain.usage.operations import correct_call
from tests.domain.invoicing.billed import PLATFORM, bill, lines
from tests.domain.world import PER_CALL, at, calls, company, organization, person, terms, viewer

pytestmark = pytest.mark.django_db

NEW_YORK = ZoneInfo("America/New_York")
MARCH = date(2026, 3, 1)
MINIMUM = '[minimum]\namount = "310.00"\nprorate = true\n'


def version(text: str, day: date, **changes: object) -> None:
    """Another version of Acme's contract."""
    agreed = terms(text, effective_from=day, **changes)
    add_version(holder=Company.objects.get(key="acme"), terms=agreed, now=at("2026-03-10T09:00"))


def test_a_change_in_mid_period_bills_each_part_under_its_own_version() -> None:
    acme = company(contract=terms(PER_CALL + MINIMUM, effective_from=MARCH))
    version(PER_CALL.replace("1.35", "1.50") + MINIMUM, date(2026, 3, 15))
    calls(acme, 10, on=date(2026, 3, 10))
    calls(acme, 20, on=date(2026, 3, 20))
    invoice = bill(4)
    assert lines(invoice) == [
        ("Inbound calls", "1 to 14 March", "13.50"),  # 10 × 1.35
        ("Monthly minimum", "1 to 14 March", "126.50"),  # 310.00 × 14/31 = 140.00
        ("Inbound calls", "15 to 31 March", "30.00"),  # 20 × 1.50
        ("Monthly minimum", "15 to 31 March", "140.00"),  # 310.00 × 17/31 = 170.00
    ]
    first, second = Stretch.objects.order_by("first_day")
    assert (first.received, second.received) == (10, 20)
    assert [s.inputs["closes_period"] for s in (first, second)] == [False, True]
    told = [
        how
        for group in invoice_detail(invoice.id).sections[0].groups
        for line in group.lines
        for how in line.how
    ]
    assert "1 to 14 March 2026 is 14 of 31 days: × 14/31 = 140" in told


def test_what_does_not_prorate_is_charged_once_in_the_part_that_closes_the_period() -> None:
    more = '[minimum]\namount = "100.00"\n[[fee]]\nid = "desk"\nname = "Desk"\namount = "40.00"\n'
    acme = company(contract=terms(PER_CALL + more, effective_from=MARCH))
    version(PER_CALL.replace("1.35", "1.50") + more.replace("40.00", "50.00"), date(2026, 3, 15))
    calls(acme, 10, on=date(2026, 3, 10))
    calls(acme, 20, on=date(2026, 3, 20))
    assert lines(bill(4)) == [
        ("Inbound calls", "1 to 14 March", "13.50"),
        ("Inbound calls", "15 to 31 March", "30.00"),
        ("Desk", "15 to 31 March", "50.00"),
        ("Monthly minimum", "15 to 31 March", "56.50"),  # 100.00 − 13.50 − 30.00
    ]


def test_the_hour_that_daylight_saving_skips_moves_no_call_into_the_other_part() -> None:
    acme = company(contract=terms(effective_from=MARCH))
    version(PER_CALL.replace("1.35", "1.50"), date(2026, 3, 9))  # the clocks go forward on 8 March
    for instant in ("2026-03-08T23:59:59", "2026-03-09T00:00:00"):
        local = datetime.fromisoformat(instant).replace(tzinfo=NEW_YORK)
        (call,) = calls(acme, 1)
        Call.objects.filter(id=call.id).update(started_at=local, ended_at=local + timedelta(minutes=1))
    assert lines(bill(4)) == [
        ("Inbound calls", "1 to 8 March", "1.35"),
        ("Inbound calls", "9 to 31 March", "1.50"),
    ]


def test_three_versions_in_one_period_and_one_set_up_fee() -> None:
    setup = '[[fee]]\nid = "setup"\nname = "Set-up"\namount = "250.00"\nevery = "once"\n'
    line = '[[fee]]\nid = "line"\nname = "New line"\namount = "20.00"\nevery = "once"\n'
    company(contract=terms(PER_CALL + setup, effective_from=MARCH))
    version(PER_CALL + setup, date(2026, 3, 11))
    version(PER_CALL + setup + line, date(2026, 3, 21))
    assert [(name, amount) for name, _, amount in lines(bill(4)) if amount != "0.00"] == [
        ("Set-up", "250.00"),
        ("New line", "20.00"),
    ]
    assert [amount for _, _, amount in lines(bill(5))] == ["0.00"]


def fees(invoice: Invoice) -> list[tuple[str, str, str]]:
    return [line for line in lines(invoice) if line[0].startswith("Platform")]


def test_a_fee_in_advance_is_corrected_when_a_change_was_not_known() -> None:
    company(contract=terms(PER_CALL + PLATFORM))
    bill(3)
    version(PER_CALL + PLATFORM.replace("31.00", "62.00"), date(2026, 3, 15))
    assert fees(bill(4)) == [
        ("Platform", "15 to 31 March", "34.00"),  # 62.00 × 17/31
        ("Platform", "1 to 30 April", "62.00"),
        ("Platform, paid in advance for 15 to 31 March 2026", "15 to 31 March", "-17.00"),  # of the 31.00
    ]
    february = Invoice.objects.get(first_day=date(2026, 2, 1))
    with pytest.raises(VoidRefused, match="given back on invoice CIC-000003"):
        refuse_void(february)
    assert fees(bill(5)) == [("Platform", "1 to 31 May", "62.00")]


def test_a_fee_in_advance_is_billed_part_by_part_when_the_change_is_known() -> None:
    company(contract=terms(PER_CALL + PLATFORM))
    version(PER_CALL + PLATFORM.replace("31.00", "62.00"), date(2026, 3, 15))
    assert fees(bill(3)) == [("Platform", "1 to 14 March", "14.00")]
    assert fees(bill(4)) == [("Platform", "15 to 31 March", "34.00"), ("Platform", "1 to 30 April", "62.00")]


def test_a_fee_in_advance_that_does_not_prorate_is_charged_once_a_month() -> None:
    whole = PLATFORM.replace("prorate = true\n", "")
    company(contract=terms(PER_CALL + whole))
    assert fees(bill(2)) == [
        ("Platform", "1 to 31 January", "31.00"),
        ("Platform", "1 to 28 February", "31.00"),
    ]
    bill(3)
    version(PER_CALL + whole.replace("31.00", "62.00"), date(2026, 3, 15))
    assert fees(bill(4)) == [
        ("Platform", "15 to 31 March", "62.00"),
        ("Platform", "1 to 30 April", "62.00"),
        ("Platform, paid in advance for 15 to 31 March 2026", "15 to 31 March", "-31.00"),
    ]


def test_late_calls_of_a_part_are_priced_with_their_whole_period() -> None:
    least = '[minimum]\namount = "100.00"\n'
    acme = company(contract=terms(PER_CALL + least, effective_from=MARCH))
    version(PER_CALL.replace("1.35", "1.50") + least, date(2026, 3, 15))
    calls(acme, 10, on=date(2026, 3, 20))
    bill(4)
    calls(acme, 2, on=date(2026, 3, 10))
    april = bill(5)
    assert [line for line in lines(april) if line[0].startswith("Late")] == [
        ("Late calls, March 2026: Inbound calls", "1 to 14 March", "2.70"),
        ("Late calls, March 2026: Monthly minimum", "15 to 31 March", "-2.70"),
    ]
    assert verify_invoice("CIC-000001") == []


def test_an_invoice_from_before_inputs_had_all_keys_verifies() -> None:
    acme = company(contract=terms(PER_CALL + PLATFORM + MINIMUM))
    calls(acme, 10)
    invoice = bill(2)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE invoicing_stretch SET inputs = inputs - "
            "ARRAY['closes_period', 'calendars', 'quantities', 'tax', 'given_back']"
        )
        cursor.execute("SET session_replication_role = DEFAULT")
    assert set(Stretch.objects.get().inputs) == {"period", "advance_for", "advance_document", "once_fees"}
    assert verify_invoice(str(invoice.number)) == []
    calls(acme, 2, on=date(2026, 1, 20))
    late = [line for line in lines(bill(3)) if line[0].startswith("Late")]
    assert [amount for _, _, amount in late] == ["2.70", "-2.70"]


def test_an_estimate_prices_every_part() -> None:
    acme = company(contract=terms(PER_CALL, effective_from=MARCH))
    version(PER_CALL.replace("1.35", "1.50"), date(2026, 3, 15))
    calls(acme, 10, on=date(2026, 3, 10))
    calls(acme, 20, on=date(2026, 3, 20))
    found = estimate_for(
        viewer("mia@cic.example", staff=True), acme.id, now=datetime(2026, 3, 25, tzinfo=UTC)
    )
    assert found is not None
    assert (found.subtotal.text, found.received) == ("43.50", 30)


def test_a_corrected_call_of_a_part_is_credited_with_its_whole_period() -> None:
    least = '[minimum]\namount = "40.00"\n'
    acme = company(contract=terms(PER_CALL + least, effective_from=MARCH))
    version(PER_CALL.replace("1.35", "1.50") + least, date(2026, 3, 15))
    early = calls(acme, 10, on=date(2026, 3, 10))
    late = calls(acme, 20, on=date(2026, 3, 20))
    bill(4)  # 13.50 and 30.00, so nothing to the minimum
    mia = person("mia@cic.example", staff=True)
    for call in (*early[:2], *late[:1]):
        correct_call(
            call_id=call.id, says="spam", reason="A robot", actor_id=mia.id, now=at("2026-04-10T09:00")
        )
    assert propose_corrections(now=at("2026-04-10T09:00")).problems == []
    # Without them 39.30, filled up to 40.00: of the 43.50 that were billed, 3.50 come back.
    proposal = CreditProposal.objects.get()
    assert proposal.amount_minor == 3_50


def test_a_new_payer_bills_the_fee_in_advance_that_nobody_billed() -> None:
    harbor = organization()
    acme = company(contract=terms(PER_CALL + PLATFORM), of=harbor)
    payer = BillableEntity.objects.create(organization=harbor, currency="USD", legal_name="Harbor Group")
    BillingContact.objects.create(payer=payer, email="billing@harbor.example")
    PayerAssignment.objects.create(company=acme, payer=payer, from_date=date(2026, 3, 1))
    assert fees(bill(3)) == []  # Acme pays for February last; March is not its to pay
    assert fees(bill(4)) == [("Platform", "1 to 31 March", "31.00"), ("Platform", "1 to 30 April", "31.00")]
