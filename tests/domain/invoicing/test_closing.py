"""Void and bill again, write off and recover: what moves, what stays, and what is refused."""

from __future__ import annotations

from argparse import Namespace
from datetime import date
from uuid import UUID

import pytest

from callbill.config.commands import verify_invoice as verify
from callbill.domain.invoicing.models import Adjustment, CreditNote, Invoice, InvoiceLine, Stretch
from callbill.domain.invoicing.operations import (
    AlreadyRecorded,
    VoidRefused,
    add_adjustment,
    credit_lines,
    fall_past_due,
    record_bank_money,
    record_payment,
    run_billing,
    void_invoice,
    write_off,
)
from callbill.domain.invoicing.queries import books_differences, verify_invoice
from callbill.domain.ledger.models import Account, Entry
from callbill.domain.ledger.queries import balance
from callbill.domain.notifications.models import Notification
from callbill.domain.usage.models import Call
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.lifecycle import MoveRefused
from callbill.rules.money import Money
from tests.domain.world import PER_CALL, at, calls, company, person, terms

pytestmark = pytest.mark.django_db

FEBRUARY = at("2026-02-01T09:00")
TODAY = at("2026-02-10T15:00")
MARCH = at("2026-03-01T09:00")


@pytest.fixture
def mia() -> UUID:
    return person("mia@cic.example", staff=True).id


def billed(count: int = 10, contract: str = PER_CALL) -> Invoice:
    acme = company(contract=terms(contract))
    calls(acme, count)
    run_billing(now=FEBRUARY)
    return Invoice.objects.get()


def void(invoice: Invoice, by: UUID, **how: bool) -> Invoice | None:
    """Void it; answers what replaces it."""
    return void_invoice(invoice_id=invoice.id, reason="Wrong rate", actor_id=by, now=TODAY, **how).replacement


def assert_everything_agrees() -> None:
    assert books_differences() == []
    for number in Invoice.objects.exclude(status="draft").values_list("number", flat=True):
        assert verify_invoice(number) == []


def test_a_voided_invoice_is_answered_by_a_credit_note_and_its_calls_wait_again(mia: UUID) -> None:
    invoice = billed()
    assert void(invoice, mia) is None
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor, invoice.closed_at) == ("void", 0, TODAY)
    note = CreditNote.objects.get()
    assert (note.number, note.total_minor, note.lowered_due_minor) == ("CIC-CN-000001", 13_50, 13_50)
    assert Call.objects.filter(settlement_id__isnull=True).count() == 10
    assert balance(invoice.payer_id, Account.RECEIVABLE, "USD").minor == 0
    assert balance(invoice.payer_id, Account.REVENUE, "USD").minor == 0
    action = StaffAction.objects.get()
    assert (action.action, action.reason) == ("void_invoice", "Wrong rate")
    assert action.details == {"credit_note": "CIC-CN-000001", "calls_released": 10}
    told = Notification.objects.get(kind="invoice_withdrawn")
    assert "The period will be billed again" in told.body_text
    assert_everything_agrees()


def test_the_next_run_bills_the_period_again_also_when_later_ones_are_billed(mia: UUID) -> None:
    invoice = billed()
    run_billing(now=MARCH)
    assert Invoice.objects.count() == 2
    void(invoice, mia)
    calls(invoice.payer.company, 2)  # January's, that would have been late
    report = run_billing(now=MARCH)
    assert report.issued == ["CIC-000003"]
    again = Invoice.objects.get(number="CIC-000003")
    assert (again.first_day, again.end_day, again.total_minor) == (date(2026, 1, 1), date(2026, 2, 1), 16_20)
    assert again.replaces == invoice
    assert again.issue_date == date(2026, 3, 1)
    assert run_billing(now=MARCH).issued == []
    assert_everything_agrees()


def test_at_once_and_more_than_once(mia: UUID) -> None:
    invoice = billed()
    second = void(invoice, mia, bill_again=True)
    assert second is not None
    assert (second.number, second.total_minor, second.replaces) == ("CIC-000002", 13_50, invoice)
    assert (
        "Invoice CIC-000002 takes its place." in Notification.objects.get(kind="invoice_withdrawn").body_text
    )
    third = void(second, mia, bill_again=True)
    assert third is not None
    assert (third.number, third.replaces) == ("CIC-000003", second)
    assert Call.objects.filter(settlement_id__isnull=True).count() == 0
    assert_everything_agrees()


def test_first_invoices_have_their_set_up_fee_and_their_fees_in_advance_again(mia: UUID) -> None:
    contract = PER_CALL + (
        '[[fee]]\nid = "desk"\nname = "Desk"\namount = "49.00"\nwhen = "advance"\n'
        '[[fee]]\nid = "setup"\nname = "Set-up"\namount = "250.00"\nevery = "once"\n'
    )
    invoice = billed(contract=contract)
    run_billing(now=MARCH)
    assert invoice.total_minor == 13_50 + 49_00 + 49_00 + 250_00
    again = void(invoice, mia, bill_again=True)
    assert again is not None
    assert again.total_minor == invoice.total_minor
    assert_everything_agrees()


def test_adjustments_move_on(mia: UUID) -> None:
    acme = company()
    calls(acme, 10)
    add_adjustment(
        company_id=acme.id, kind="promotion", name="Welcome", amount=Money(-5_00, "USD"), reason="New here",
        actor_id=mia, now=at("2026-01-20T09:00"),
    )  # fmt: skip
    run_billing(now=FEBRUARY)
    invoice = Invoice.objects.get()
    void(invoice, mia)
    assert Adjustment.objects.get().line is None
    assert CreditNote.objects.get().total_minor == invoice.total_minor == 8_50
    run_billing(now=TODAY)
    line = Adjustment.objects.get().line
    assert line is not None
    assert line.section.invoice.number == "CIC-000002"
    assert_everything_agrees()


def test_balance_that_was_used_is_balance_again(mia: UUID) -> None:
    first = billed()
    payer = first.payer_id
    record_payment(invoice_id=first.id, amount_minor=13_50, reference="ch_1", now=FEBRUARY)
    credit_lines(
        invoice_id=first.id, amounts={InvoiceLine.objects.get().id: 5_00}, reason="-", actor_id=mia, now=TODAY
    )
    calls(first.payer.company, 10, on=date(2026, 2, 10))
    run_billing(now=MARCH)
    second = Invoice.objects.latest("number")
    assert (second.balance_applied_minor, second.due_minor) == (5_00, 8_50)
    third = void(second, mia)
    note = CreditNote.objects.latest("number")
    assert (note.lowered_due_minor, note.to_balance_minor) == (8_50, 5_00)
    assert balance(payer, Account.CUSTOMER_BALANCE, "USD") == Money(-5_00, "USD")
    told = Notification.objects.get(kind="invoice_withdrawn")
    assert "$5.00 that it had used of your credit balance is there again." in told.body_text
    assert third is None
    run_billing(now=MARCH)
    assert Invoice.objects.latest("number").balance_applied_minor == 5_00
    assert_everything_agrees()


def test_what_was_credited_before_is_not_credited_twice(mia: UUID) -> None:
    invoice = billed()
    line = InvoiceLine.objects.get()
    credit_lines(invoice_id=invoice.id, amounts={line.id: 5_00}, reason="-", actor_id=mia, now=TODAY)
    void(invoice, mia)
    assert [note.total_minor for note in CreditNote.objects.order_by("number")] == [5_00, 8_50]
    assert_everything_agrees()


def test_paid_invoices_are_credited_not_voided(mia: UUID) -> None:
    invoice = billed()
    record_payment(invoice_id=invoice.id, amount_minor=5_00, reference="ch_1", now=FEBRUARY)
    with pytest.raises(VoidRefused, match=r"5\.00 USD of CIC-000001 was paid. Credit its lines instead\."):
        void(invoice, mia)
    record_payment(invoice_id=invoice.id, amount_minor=8_50, reference="ch_2", now=FEBRUARY)
    with pytest.raises(MoveRefused, match="that is paid cannot be voided"):
        void(invoice, mia)
    assert CreditNote.objects.count() == StaffAction.objects.count() == 0
    assert Call.objects.filter(settlement_id__isnull=True).count() == 0


def test_an_invoice_on_which_a_later_one_builds_goes_after_it(mia: UUID) -> None:
    invoice = billed()
    calls(invoice.payer.company, 3)
    run_billing(now=MARCH)
    second = Invoice.objects.latest("number")
    assert second.total_minor == 4_05
    with pytest.raises(VoidRefused, match="Late calls of its period are on invoice CIC-000002"):
        void(invoice, mia)
    void(second, mia)
    void(invoice, mia)
    assert run_billing(now=MARCH).issued == ["CIC-000003", "CIC-000004"]
    totals = Invoice.objects.exclude(status="void").order_by("number").values_list("total_minor", flat=True)
    assert list(totals) == [17_55, 0], "all thirteen calls are January's now, none is late"
    assert Stretch.objects.filter(kind="late", section__invoice__status="open").count() == 0
    assert_everything_agrees()


def test_late_calls_of_a_voided_invoice_are_late_again(mia: UUID) -> None:
    invoice = billed()
    calls(invoice.payer.company, 3)
    run_billing(now=MARCH)
    again = void(Invoice.objects.latest("number"), mia, bill_again=True)
    assert again is not None
    assert again.total_minor == 4_05
    assert_everything_agrees()


def test_nothing_without_a_reason(mia: UUID) -> None:
    invoice = billed()
    with pytest.raises(ReasonMissing):
        void_invoice(invoice_id=invoice.id, reason=" ", actor_id=mia, now=TODAY)
    with pytest.raises(ReasonMissing):
        write_off(invoice_id=invoice.id, reason="", actor_id=mia, now=TODAY)
    invoice.refresh_from_db()
    assert invoice.status == "open"
    assert CreditNote.objects.count() == 0
    assert Entry.objects.count() == 1
    assert Call.objects.filter(settlement_id__isnull=True).count() == 0


def recover(invoice: Invoice, minor: int, reference: str = "wire 7") -> Invoice:
    money = Money(minor, "USD")
    return record_bank_money(invoice_id=invoice.id, amount=money, reference=reference, now=MARCH).invoice


def test_written_off_and_recovered_in_parts(mia: UUID) -> None:
    invoice = billed()
    fall_past_due(invoice_id=invoice.id, now=FEBRUARY)
    record_payment(invoice_id=invoice.id, amount_minor=3_50, reference="ch_1", now=FEBRUARY)
    write_off(invoice_id=invoice.id, reason="Out of business", actor_id=mia, now=TODAY)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.closed_at) == ("uncollectible", TODAY)
    assert balance(invoice.payer_id, Account.BAD_DEBT, "USD") == Money(10_00, "USD")
    assert balance(invoice.payer_id, Account.RECEIVABLE, "USD").minor == 0
    assert_everything_agrees()

    assert recover(invoice, 4_00).status == "uncollectible"
    assert balance(invoice.payer_id, Account.BAD_DEBT, "USD") == Money(6_00, "USD")
    with pytest.raises(AlreadyRecorded, match="“wire 7” was recorded"):
        recover(invoice, 6_00)
    done = recover(invoice, 6_00, "wire 9")
    assert (done.status, done.due_minor, done.paid_at) == ("paid", 0, MARCH)
    assert balance(invoice.payer_id, Account.BAD_DEBT, "USD").minor == 0
    assert balance(invoice.payer_id, Account.BANK, "USD") == Money(10_00, "USD")
    assert balance(invoice.payer_id, Account.RECEIVABLE, "USD").minor == 0
    assert_everything_agrees()


def test_a_charge_that_comes_in_after_the_write_off_recovers_too(mia: UUID) -> None:
    invoice = billed()
    write_off(invoice_id=invoice.id, reason="Gone", actor_id=mia, now=TODAY)
    record_payment(invoice_id=invoice.id, amount_minor=13_50, reference="ch_1", now=MARCH)
    record_payment(invoice_id=invoice.id, amount_minor=13_50, reference="ch_1", now=MARCH)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor) == ("paid", 13_50)
    assert balance(invoice.payer_id, Account.STRIPE_CLEARING, "USD") == Money(13_50, "USD")
    assert_everything_agrees()


def test_only_what_is_owed_is_written_off(mia: UUID) -> None:
    invoice = billed()
    record_payment(invoice_id=invoice.id, amount_minor=13_50, reference="ch_1", now=FEBRUARY)
    with pytest.raises(MoveRefused, match="that is paid cannot be written off"):
        write_off(invoice_id=invoice.id, reason="-", actor_id=mia, now=TODAY)


def test_verifying_a_void_invoice_says_that_it_is_void(mia: UUID, capsys: pytest.CaptureFixture[str]) -> None:
    invoice = billed()
    again = void(invoice, mia, bill_again=True)
    assert again is not None
    assert verify.run(Namespace(number=invoice.number, all=False)) == 0
    assert "CIC-000001 is void" in capsys.readouterr().out
    assert verify.run(Namespace(number=again.number, all=False)) == 0
    assert "1 checked, 0 with differences." in capsys.readouterr().out
