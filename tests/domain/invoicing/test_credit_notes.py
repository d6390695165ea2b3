"""Credit notes against named lines: figures, numbers, where the credit goes, and what is refused."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callbill.domain.invoicing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import (
    CreditRefused,
    add_adjustment,
    credit_lines,
    fall_past_due,
    record_payment,
    run_billing,
    void_invoice,
    write_off,
)
from callbill.domain.invoicing.queries import books_differences, verify_invoice
from callbill.domain.ledger.models import Account, Posting
from callbill.domain.ledger.queries import balance
from callbill.domain.notifications.models import Notification
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.lifecycle import MoveRefused
from callbill.rules.money import Money
from tests.domain.world import PER_CALL, at, calls, company, organization, payer_of, person, terms

pytestmark = pytest.mark.django_db

FEBRUARY = at("2026-02-01T09:00")
TODAY = at("2026-02-10T15:00")

# M4: 68.33 + 68.33 + 57.50 + 85.00 = 279.16, 20 % of it is 55.832, so 55.83 and 334.99 in all.
FOUR = """
currency = "EUR"
time_zone = "Europe/Berlin"
effective_from = 2026-01-01
[tax]
[[tax.rate]]
name = "VAT"
percent = "20"
""" + "".join(
    f'[[fee]]\nid = "f{number}"\nname = "Fee {number}"\namount = "{amount}"\nwhen = "arrears"\n'
    for number, amount in enumerate(("68.33", "68.33", "57.50", "85.00"), start=1)
)


def billed(contract: str = FOUR) -> tuple[Invoice, UUID]:
    """Acme's invoice for January, and somebody of staff."""
    company(contract=terms(contract))
    run_billing(now=FEBRUARY)
    return Invoice.objects.get(), person("mia@cic.example", staff=True).id


def lines(invoice: Invoice) -> list[InvoiceLine]:
    return list(InvoiceLine.objects.filter(section__invoice=invoice).order_by("position"))


def credit(
    invoice: Invoice, by: UUID, amounts: dict[UUID, int | None] | None, reason: str = "Wrong"
) -> CreditNote:
    return credit_lines(invoice_id=invoice.id, amounts=amounts, reason=reason, actor_id=by, now=TODAY)


def test_four_credit_notes_for_four_lines_are_the_invoice() -> None:
    invoice, mia = billed()
    assert invoice.total_minor == 334_99
    notes = [credit(invoice, mia, {line.id: None}) for line in lines(invoice)]
    # Largest remainder: 20 % is 13.666, 13.666, 11.50 and 17.00; the missing cent goes to the first.
    assert [(n.subtotal_minor, n.tax_minor) for n in notes] == [
        (68_33, 13_67),
        (68_33, 13_66),
        (57_50, 11_50),
        (85_00, 17_00),
    ]
    assert sum(note.total_minor for note in notes) == 334_99
    assert [note.number for note in notes] == [f"CIC-CN-{n:06d}" for n in range(1, 5)]
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor, invoice.credited_minor) == ("paid", 0, 334_99)
    assert not Posting.objects.filter(account=Account.CUSTOMER_BALANCE).exists()
    assert balance(invoice.payer_id, Account.REVENUE, "EUR").minor == 0
    assert balance(invoice.payer_id, Account.TAX_PAYABLE, "EUR").minor == 0
    assert books_differences() == []
    assert verify_invoice(str(invoice.number)) == []


def test_a_part_of_a_line_lowers_what_is_owed_with_its_tax() -> None:
    invoice, mia = billed()
    first = lines(invoice)[0]
    note = credit(invoice, mia, {first.id: 10_00}, "Ten too much")
    # 13.67 x 10.00 / 68.33 = 2.0006
    assert (note.subtotal_minor, note.tax_minor, note.lowered_due_minor) == (10_00, 2_00, 12_00)
    assert note.issue_date == date(2026, 2, 10)
    row = CreditNoteLine.objects.get()
    assert row.taxes == [{"name": "VAT", "percent": "20", "minor": 2_00}]
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("open", 322_99)
    assert balance(invoice.payer_id, Account.RECEIVABLE, "EUR") == Money(322_99, "EUR")
    action = StaffAction.objects.get()
    assert (action.action, action.reason, action.details["credit_note"]) == (
        "credit_lines",
        "Ten too much",
        "CIC-CN-000001",
    )
    assert books_differences() == []


def test_what_was_paid_becomes_balance_and_pays_the_next_invoice() -> None:
    invoice, mia = billed()
    record_payment(invoice_id=invoice.id, amount_minor=334_99, reference="ch_1", now=FEBRUARY)
    note = credit(invoice, mia, {lines(invoice)[3].id: None})
    assert (note.lowered_due_minor, note.to_balance_minor) == (0, 102_00)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.credited_minor) == ("paid", 0)
    assert balance(invoice.payer_id, Account.CUSTOMER_BALANCE, "EUR") == Money(-102_00, "EUR")
    run_billing(now=at("2026-03-01T09:00"))
    following = Invoice.objects.latest("number")
    assert (following.total_minor, following.balance_applied_minor, following.due_minor) == (
        334_99,
        102_00,
        232_99,
    )
    assert books_differences() == []


def test_a_part_lowers_what_is_owed_and_the_rest_is_balance() -> None:
    invoice, mia = billed()
    record_payment(invoice_id=invoice.id, amount_minor=300_00, reference="ch_1", now=FEBRUARY)
    fall_past_due(invoice_id=invoice.id, now=FEBRUARY)
    note = credit(invoice, mia, {lines(invoice)[3].id: None})
    assert (note.lowered_due_minor, note.to_balance_minor) == (34_99, 67_01)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_at) == ("paid", TODAY)
    assert books_differences() == []


def test_everything_at_once_takes_discounts_and_reductions_with_it() -> None:
    full = PER_CALL + (
        '[[discount]]\nname = "Launch"\npercent = "10"\napplies_to = ["inbound"]\n'
        '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "8.875"\napplies_to = ["inbound"]\n'
    )
    acme = company(contract=terms(full))
    mia = person("mia@cic.example", staff=True).id
    calls(acme, 100)
    add_adjustment(
        company_id=acme.id, kind="promotion", name="Welcome", amount=Money(-5_00, "USD"), reason="New here",
        actor_id=mia, now=at("2026-01-20T09:00"),
    )  # fmt: skip
    run_billing(now=FEBRUARY)
    invoice = Invoice.objects.get()
    assert invoice.total_minor == 127_28  # 135.00 - 13.50 + 10.78 - 5.00
    discount = next(line for line in lines(invoice) if line.kind == "discount")
    with pytest.raises(CreditRefused, match="cannot be credited"):
        credit(invoice, mia, {discount.id: None})
    usage = lines(invoice)[0]
    with pytest.raises(CreditRefused, match=r"not part of the 121\.50 USD"):
        credit(invoice, mia, {usage.id: 135_00})
    note = credit(invoice, mia, None)
    assert note.total_minor == 127_28
    assert sorted(row.amount_minor for row in CreditNoteLine.objects.all()) == [-5_00, 121_50]
    assert books_differences() == []


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "not part of"),
        (-1, "not part of"),
        (68_34, "68.34 EUR is not part of the 68.33 EUR that are left"),
    ],
)
def test_an_amount_that_is_no_part_of_the_line(amount: int, words: str) -> None:
    invoice, mia = billed()
    with pytest.raises(CreditRefused, match=words):
        credit(invoice, mia, {lines(invoice)[0].id: amount})
    assert not CreditNote.objects.exists()


def test_every_mistake_is_said_at_once() -> None:
    invoice, mia = billed()
    first, second, *_ = lines(invoice)
    credit(invoice, mia, {first.id: None})
    with pytest.raises(CreditRefused) as refusal:
        credit(invoice, mia, {first.id: 1, second.id: 99_99, uuid4(): 5})
    assert len(refusal.value.problems) == 3
    with pytest.raises(CreditRefused, match="nothing to give back"):
        credit(invoice, mia, {})
    with pytest.raises(ReasonMissing):
        credit(invoice, mia, {second.id: 1}, reason="  ")
    assert CreditNote.objects.count() == 1, "and nothing was kept of them, not even a number"
    assert credit(invoice, mia, {second.id: 1}).number == "CIC-CN-000002"


def test_the_same_request_twice_is_one_credit_note() -> None:
    invoice, mia = billed()
    wanted = {lines(invoice)[0].id: 10_00}
    note_id = uuid4()
    both = [
        credit_lines(
            invoice_id=invoice.id,
            amounts=wanted,
            reason="Double click",
            actor_id=mia,
            now=TODAY,
            note_id=note_id,
        )
        for _ in range(2)
    ]
    assert both[0].id == both[1].id == note_id
    assert CreditNote.objects.count() == StaffAction.objects.count() == 1


def test_what_is_void_cannot_be_credited_and_what_is_written_off_can() -> None:
    invoice, mia = billed()
    write_off(invoice_id=invoice.id, reason="Out of business", actor_id=mia, now=TODAY)
    credit(invoice, mia, {lines(invoice)[0].id: None})
    invoice.refresh_from_db()
    assert (invoice.status, invoice.due_minor) == ("uncollectible", 252_99)
    assert balance(invoice.payer_id, Account.BAD_DEBT, "EUR") == Money(252_99, "EUR")
    assert books_differences() == []
    credit(invoice, mia, None)
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert books_differences() == []

    other = company("other", "Other", terms(FOUR))
    run_billing(now=FEBRUARY)
    void = Invoice.objects.get(payer=payer_of(other))
    void_invoice(invoice_id=void.id, reason="Test", actor_id=mia, now=TODAY)
    with pytest.raises(MoveRefused, match="that is void cannot be credited"):
        credit(void, mia, None)


def test_the_customer_is_told_what_was_credited_and_what_happens_with_it() -> None:
    invoice, mia = billed()
    record_payment(invoice_id=invoice.id, amount_minor=300_00, reference="ch_1", now=FEBRUARY)
    credit(invoice, mia, {lines(invoice)[3].id: None}, "The line was down")
    told = Notification.objects.get(kind="credit_note_issued")
    note = CreditNote.objects.get()
    assert told.attachment == f"credit_note:{note.id}"
    for words in (
        "Reason: The line was down",
        "€34.99 was taken off what was to be paid. There is nothing left to pay on it.",
        "€67.01 was added to your credit balance; your next invoice uses it.",
    ):
        assert words in told.body_text


def test_a_section_of_an_organization_is_credited_like_any_line() -> None:
    harbor = organization()
    for key, count in (("n", 7), ("s", 11)):
        calls(company(key, key, terms(payer="organization"), of=harbor), count)
    run_billing(now=FEBRUARY)
    invoice, mia = Invoice.objects.get(), person("mia@cic.example", staff=True).id
    south = InvoiceLine.objects.get(section__company__key="s")
    assert credit(invoice, mia, {south.id: None}).total_minor == 14_85
    invoice.refresh_from_db()
    assert invoice.due_minor == 9_45


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoicing_creditnote SET reason = 'x'",
        "DELETE FROM invoicing_creditnoteline",
        "UPDATE invoicing_creditnoteline SET amount_minor = 1",
    ],
)
def test_a_credit_note_is_frozen_in_the_database(statement: str) -> None:
    invoice, mia = billed()
    credit(invoice, mia, None)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_parts_in_any_order_and_then_the_rest_are_the_invoice(data: st.DataObject) -> None:
    with transaction.atomic():
        invoice, mia = billed()
        if paid := data.draw(st.integers(0, 334_99), "paid"):
            record_payment(invoice_id=invoice.id, amount_minor=paid, reference="ch_1", now=FEBRUARY)
        left = {line.id: line.amount_minor for line in lines(invoice)}
        for _ in range(data.draw(st.integers(0, 6), "notes")):
            some = data.draw(
                st.lists(st.sampled_from([k for k, v in left.items() if v]), unique=True, min_size=1)
            )
            amounts = {line_id: data.draw(st.integers(1, left[line_id])) for line_id in some}
            credit(invoice, mia, {**amounts})
            left = {line_id: rest - amounts.get(line_id, 0) for line_id, rest in left.items()}
            if not any(left.values()):
                break
            assert books_differences() == []
        if any(left.values()):
            credit(invoice, mia, None)
        invoice.refresh_from_db()
        notes = CreditNote.objects.all()
        assert sum(n.total_minor for n in notes) == 334_99
        assert sum(n.tax_minor for n in notes) == 55_83
        assert sum(n.to_balance_minor for n in notes) == paid
        assert (invoice.status, invoice.due_minor) == ("paid", 0)
        assert books_differences() == []
        transaction.set_rollback(True)
