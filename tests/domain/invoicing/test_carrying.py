"""Balances too small for a card go on the next invoice: what moves, what stays, what a void gives back."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing._document import invoice_pdf
from callbill.domain.invoicing.models import Invoice, InvoiceLine
from callbill.domain.invoicing.operations import (
    VoidRefused,
    add_adjustment,
    credit_lines,
    fall_past_due,
    record_payment,
    run_billing,
    void_invoice,
    write_off,
)
from callbill.domain.invoicing.queries import books_differences, invoice_detail, verify_invoice
from callbill.domain.ledger.models import Account, Entry
from callbill.domain.ledger.queries import balance
from callbill.domain.notifications.models import Notification
from callbill.domain.payments.queries import what_happens_next
from callbill.rules.lifecycle import MoveRefused
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.documents.reading import text_of

pytestmark = pytest.mark.django_db

CENTS = world.PER_CALL.replace('"1.35"', '"0.10"')
STAFF_REASON = "Wrong rate"


class Months:
    """Acme at 0.10 a call, billed month by month."""

    def __init__(self) -> None:
        self.company = world.company(contract=world.terms(CENTS))
        self.staff: UUID = world.person("mia@cic.example", staff=True).id

    def bill(self, month: int, calls: int) -> Invoice:
        """The invoice of that month of 2026."""
        if calls:
            world.calls(self.company, calls, on=date(2026, month, 15))
        run_billing(now=world.at(f"2026-{month + 1:02d}-01T09:00"))
        mine = Invoice.objects.filter(payer=world.payer_of(self.company)).exclude(status="void")
        return mine.get(first_day=date(2026, month, 1))

    def void(self, invoice: Invoice, **how: bool) -> Invoice | None:
        """Void it; answers what replaces it."""
        return void_invoice(
            invoice_id=invoice.id,
            reason=STAFF_REASON,
            actor_id=self.staff,
            now=world.at("2026-03-10T12:00"),
            **how,
        ).replacement


@pytest.fixture
def months() -> Months:
    return Months()


def assert_all_agrees(months: Months, *, owed: int) -> None:
    """The books say what invoices say, and every invoice comes out the same when recomputed."""
    assert books_differences() == []
    payer = world.payer_of(months.company)
    assert balance(payer.id, Account.RECEIVABLE, "USD") == Money(owed, "USD")
    for number in Invoice.objects.values_list("number", flat=True):
        assert verify_invoice(str(number)) == []


def state(invoice: Invoice) -> tuple[Any, ...]:
    invoice.refresh_from_db()
    number = invoice.carried_to.number if invoice.carried_to else ""
    return invoice.status, invoice.due_minor, invoice.brought_minor, invoice.carried_minor, number


def test_thirty_cents_go_on_the_next_invoice(months: Months) -> None:
    small = months.bill(1, 3)
    assert state(small) == ("open", 30, 0, 0, "")
    entries = Entry.objects.count()
    following = months.bill(2, 100)
    assert state(following) == ("open", 10_30, 30, 0, "")
    assert state(small) == ("paid", 0, 0, 30, following.number)
    assert small.paid_at == following.issued_at
    assert Entry.objects.count() == entries + 1, "nothing is posted for it: the payer owes the same"
    assert_all_agrees(months, owed=10_30)
    record_payment(
        invoice_id=following.id, amount_minor=10_30, reference="ch_1", now=world.at("2026-03-01T10:00")
    )
    assert state(following) == ("paid", 0, 30, 0, "")
    assert_all_agrees(months, owed=0)


def test_both_invoices_their_papers_and_the_mail_say_so_in_the_same_words(months: Months) -> None:
    small = months.bill(1, 3)
    text = text_of(invoice_pdf(invoice_detail(small.id)))
    assert "Too small to be charged to a card. It is brought forward to your next invoice." in text
    first = Notification.objects.get(subject_id=small.id)
    assert "It is brought forward to your next invoice" in first.body_text
    following = months.bill(2, 100)
    detail = invoice_detail(following.id)
    assert detail.brought == ((small.number, Money(30, "USD")),)
    row = f"Brought forward from {small.number}"
    text = text_of(invoice_pdf(detail))
    assert row in text
    assert "$10.30 USD" in text
    mail = Notification.objects.get(subject_id=following.id, kind="invoice_issued")
    assert row in mail.body_text
    assert "$10.30" in mail.body_text
    words = f"$0.30 was carried forward to invoice {following.number}. There is nothing to do."
    assert what_happens_next(small.id) == words
    assert invoice_detail(small.id).carried_to == following.number


def test_what_is_too_small_again_is_carried_on_with_what_it_brought(months: Months) -> None:
    first = months.bill(1, 1)
    second = months.bill(2, 2)
    assert state(second) == ("open", 30, 10, 0, "")
    third = months.bill(3, 100)
    assert state(third) == ("open", 10_30, 30, 0, "")
    assert state(second) == ("paid", 0, 10, 30, third.number)
    assert state(first) == ("paid", 0, 0, 10, second.number)
    assert_all_agrees(months, owed=10_30)


def test_several_small_ones_come_together_and_what_is_not_small_stays(months: Months) -> None:
    first, second = months.bill(1, 4), None
    Hold.objects.create(invoice=first, kind="staff", cause="x", reason="?", placed_at=first.issued_at)
    second = months.bill(2, 3)
    assert state(first) == ("open", 40, 0, 0, ""), "held, so it stays where it is (M30)"
    Hold.objects.update(lifted_at=first.issued_at)
    third = months.bill(3, 60)
    assert state(third) == ("open", 6_70, 70, 0, "")
    fourth = months.bill(4, 60)
    assert state(fourth) == ("open", 6_00, 0, 0, "")
    assert {state(first)[4], state(second)[4]} == {third.number}
    assert_all_agrees(months, owed=12_70)


def test_a_small_rest_that_is_past_due_comes_too(months: Months) -> None:
    first = months.bill(1, 100)
    fall_past_due(invoice_id=first.id, now=world.at("2026-02-20T09:00"))
    record_payment(invoice_id=first.id, amount_minor=9_80, reference="bank", now=world.at("2026-02-21T09:00"))
    following = months.bill(2, 100)
    assert state(first) == ("paid", 0, 0, 20, following.number)
    assert state(following) == ("open", 10_20, 20, 0, "")
    months.void(following)
    assert state(first) == ("past_due", 20, 0, 0, "")
    assert_all_agrees(months, owed=20)


def test_nothing_is_brought_onto_an_invoice_with_nothing_to_pay(months: Months) -> None:
    small = months.bill(1, 3)
    nothing = months.bill(2, 0)
    assert state(nothing) == ("paid", 0, 0, 0, "")
    add_adjustment(
        company_id=months.company.id,
        kind="promotion",
        name="Thanks",
        amount=Money(-20_00, "USD"),
        reason="A year with us",
        actor_id=months.staff,
        now=world.at("2026-03-20T09:00"),
    )
    assert state(months.bill(3, 100))[0] == "paid"
    covered = months.bill(4, 50)  # by the 10.00 of credit
    assert state(covered) == ("paid", 0, 0, 0, "")
    assert state(small) == ("open", 30, 0, 0, "")
    partly = months.bill(5, 100)
    assert partly.balance_applied_minor == 5_00
    assert state(partly) == ("open", 5_30, 30, 0, "")
    assert_all_agrees(months, owed=5_30)


def test_a_void_gives_back_and_the_bill_in_its_place_takes_again(months: Months) -> None:
    small = months.bill(1, 3)
    wrong = months.bill(2, 100)
    replacement = months.void(wrong, bill_again=True)
    assert replacement is not None
    assert state(wrong) == ("void", 0, 30, 0, "")
    assert state(replacement) == ("open", 10_30, 30, 0, "")
    assert state(small) == ("paid", 0, 0, 30, replacement.number)
    assert_all_agrees(months, owed=10_30)
    assert invoice_detail(wrong.id).brought == (("earlier invoices", Money(30, "USD")),)


def test_a_void_without_a_new_bill_leaves_the_small_one_open(months: Months) -> None:
    small = months.bill(1, 3)
    wrong = months.bill(2, 100)
    months.void(wrong)
    assert state(small) == ("open", 30, 0, 0, "")
    assert small.paid_at is None
    assert_all_agrees(months, owed=30)


def test_a_void_with_credit_balance_in_between(months: Months) -> None:
    """Credit pays what is new, never what was brought; so the void gives each back what was its own."""
    small = months.bill(1, 3)
    payer = world.payer_of(months.company)
    add_adjustment(
        company_id=months.company.id,
        kind="promotion",
        name="Thanks",
        amount=Money(-4_00, "USD"),
        reason="A year with us",
        actor_id=months.staff,
        now=world.at("2026-02-20T09:00"),
    )
    months.bill(2, 0)
    following = months.bill(3, 100)
    assert (following.balance_applied_minor, following.brought_minor, following.due_minor) == (4_00, 30, 6_30)
    months.void(following)
    assert state(small) == ("open", 30, 0, 0, "")
    assert balance(payer.id, Account.CUSTOMER_BALANCE, "USD") == Money(-4_00, "USD")
    assert_all_agrees(months, owed=30)


def credit(months: Months, invoice: Invoice, minor: int) -> None:
    line = InvoiceLine.objects.get(section__invoice=invoice)
    credit_lines(
        invoice_id=invoice.id,
        amounts={line.id: minor},
        reason="Kind",
        actor_id=months.staff,
        now=world.at("2026-03-05T09:00"),
    )
    invoice.refresh_from_db()


def test_credit_takes_off_lines_and_not_what_was_brought(months: Months) -> None:
    small = months.bill(1, 3)
    following = months.bill(2, 100)
    credit(months, following, 9_95)
    assert state(following) == ("open", 35, 30, 0, "")
    credit(months, following, 5)
    assert state(following) == ("open", 30, 30, 0, ""), "the thirty cents are still owed"
    assert_all_agrees(months, owed=30)
    with pytest.raises(VoidRefused, match="All of its lines were credited"):
        months.void(following)
    third = months.bill(3, 10)
    assert state(third) == ("open", 1_30, 30, 0, "")
    assert state(following) == ("paid", 0, 30, 30, third.number)
    # The small one's own line was for nothing after all: its credit is balance, for it owes nothing any more.
    credit(months, small, 30)
    assert state(small)[:2] == ("paid", 0)
    payer = world.payer_of(months.company)
    assert balance(payer.id, Account.CUSTOMER_BALANCE, "USD") == Money(-30, "USD")
    assert_all_agrees(months, owed=1_30)


def test_credit_after_a_part_was_paid_takes_off_all_that_is_due(months: Months) -> None:
    months.bill(1, 3)
    following = months.bill(2, 100)
    record_payment(
        invoice_id=following.id, amount_minor=10_10, reference="b", now=world.at("2026-03-02T09:00")
    )
    credit(months, following, 20)
    assert state(following) == ("paid", 0, 30, 0, "")
    assert_all_agrees(months, owed=0)


def test_written_off_with_what_it_brought(months: Months) -> None:
    small = months.bill(1, 3)
    following = months.bill(2, 100)
    write_off(invoice_id=following.id, reason="Gone", actor_id=months.staff, now=world.at("2026-03-10T09:00"))
    payer = world.payer_of(months.company)
    assert balance(payer.id, Account.BAD_DEBT, "USD") == Money(10_30, "USD")
    assert_all_agrees(months, owed=0)
    with pytest.raises(MoveRefused, match="paid cannot be voided"):
        months.void(small)
    with pytest.raises(MoveRefused, match="paid cannot be written off"):
        write_off(invoice_id=small.id, reason="-", actor_id=months.staff, now=world.at("2026-03-10T09:00"))


def test_verification_sees_what_was_tampered_with(months: Months) -> None:
    small = months.bill(1, 3)
    following = months.bill(2, 100)
    Invoice.objects.filter(id=small.id).update(carried_minor=20)
    (difference,) = verify_invoice(str(following.number))
    assert difference.where == "brought forward"
    assert (difference.stored, difference.recomputed) == ("0.30", "0.20")


def test_another_payer_s_stays(months: Months) -> None:
    other = world.company("borealis", "Borealis", contract=world.terms(CENTS))
    world.calls(other, 3)
    small = months.bill(1, 3)
    theirs = Invoice.objects.get(payer=world.payer_of(other), first_day=date(2026, 1, 1))
    following = months.bill(2, 100)
    assert state(small)[4] == following.number
    assert following.brought_minor == 30
    assert state(theirs)[0] == "open"
