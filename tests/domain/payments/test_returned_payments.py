"""A bank payment is taken back: a bounced cheque, a returned transfer, one typed on the wrong invoice.

Invoice 135.00, due on 15 February 2026; each row ends with one payment taken back, and the next line of the
table is what a pocket calculator says of the invoice and of the books.

| Before | Taken back | Paid | Due | State | Bank | Receivable | Bad debt | Credit balance |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| cheque 135 | 135 | 0 | 135 | open | 0 | 135 | 0 | 0 |
| cheque 135, due date gone | 135 | 0 | 135 | past due | 0 | 135 | 0 | 0 |
| declined, cheque 135 | 135 | 0 | 135 | past due | 0 | 135 | 0 | 0 |
| cheque 54 | 54 | 0 | 135 | open | 0 | 135 | 0 | 0 |
| cheque 54, cheque 81 | 54 | 81 | 54 | open | 81 | 54 | 0 | 0 |
| cheque 150 | 150 | 0 | 135 | open | 0 | 135 | 0 | 0 |
| cheque 135, cheque 20 | 20 | 135 | 0 | paid | 135 | 0 | 0 | 0 |
| written off, cheque 100 | 100 | 0 | 135 | uncollectible | 0 | 0 | 135 | 0 |
| written off, cheque 135 | 135 | 0 | 135 | past due | 0 | 135 | 0 | 0 |
| cheque 54, credit 35 | 54 | 0 | 100 | open | 0 | 100 | 0 | 0 |
| cheque 135, credit 35 | 135 | 0 | 135 | open | 0 | 135 | 0 | 35 |
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import (
    AlreadyRecorded,
    AlreadyReturned,
    BeingPaid,
    CreditUsed,
    fall_past_due,
    void_invoice,
    write_off,
)
from callbill.domain.ledger.models import Account, Entry, Posting
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations, queries
from callbill.domain.payments._preparing import prepare
from callbill.domain.payments.models import BankPayment, CollectionPlan, Receipt
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.disputes import credit
from tests.domain.payments.shop import DECLINES, ISSUED, Shop

CAME = world.at("2026-02-03T15:00")
BOUNCED = world.at("2026-02-06T15:00")
AFTER_DUE = world.at("2026-02-20T15:00")
CYCLE = world.at("2026-03-01T05:00")


def cheque(shop: Shop, invoice: Invoice, minor: int, now: datetime = CAME, **fields: Any) -> BankPayment:
    given = {
        "method": "cheque",
        "amount": Money(minor, "USD"),
        "reference": f"no. {BankPayment.objects.count() + 1}",
        "received_on": date(2026, 2, 2),
        "reason": "Came in the mail",
        "actor_id": shop.staff.user_id,
        **fields,
    }
    payment = operations.record_bank_payment(invoice_id=invoice.id, now=now, **given)
    invoice.refresh_from_db()
    return payment


def take_back(shop: Shop, payment: BankPayment, now: datetime = BOUNCED, **fields: Any) -> BankPayment:
    given = {
        "reason": "The bank did not pay it.",
        "returned_on": date(2026, 2, 5),
        "actor_id": shop.staff.user_id,
        **fields,
    }
    return operations.return_bank_payment(payment_id=payment.id, now=now, **given)


def figures(invoice: Invoice) -> tuple[int, ...]:
    """Paid, due, bank, receivable, bad debt, credit balance; and the books agree with everything."""
    invoice.refresh_from_db()
    of = [
        balance(invoice.payer_id, account, "USD").minor
        for account in (Account.BANK, Account.RECEIVABLE, Account.BAD_DEBT, Account.CUSTOMER_BALANCE)
    ]
    assert queries.books_differences() == []
    assert sum(posting.amount_minor for posting in Posting.objects.filter(currency="USD")) == 0
    return invoice.paid_minor, invoice.due_minor, *of[:3], -of[3]


def prepared(shop: Shop, before: str) -> tuple[Invoice, BankPayment]:
    """The invoice, and the payment that will be taken back: the first, or the one marked with *."""
    invoice = shop.bill()
    payments = []
    for deed in before.split(", "):
        what, _, amount = deed.partition(" ")
        if what == "declined":
            fall_past_due(invoice_id=invoice.id, now=ISSUED)
        elif what == "written":
            fall_past_due(invoice_id=invoice.id, now=ISSUED)
            write_off(invoice_id=invoice.id, reason="Gone", actor_id=shop.staff.user_id, now=ISSUED)
        elif what == "credit":
            credit(shop, invoice, int(amount) * 100)
        else:
            payments.append(cheque(shop, invoice, int(amount.rstrip("*")) * 100))
    marked = [n for n, deed in enumerate(d for d in before.split(", ") if d[:6] == "cheque") if "*" in deed]
    return invoice, payments[marked[0] if marked else 0]


@pytest.mark.parametrize(
    ("before", "now", "state", "expected"),
    [
        ("cheque 135", BOUNCED, "open", (0, 135_00, 0, 135_00, 0, 0)),
        ("cheque 135", AFTER_DUE, "past_due", (0, 135_00, 0, 135_00, 0, 0)),
        ("declined, cheque 135", BOUNCED, "past_due", (0, 135_00, 0, 135_00, 0, 0)),
        ("cheque 54", BOUNCED, "open", (0, 135_00, 0, 135_00, 0, 0)),
        ("cheque 54, cheque 81", BOUNCED, "open", (81_00, 54_00, 81_00, 54_00, 0, 0)),
        ("cheque 150", BOUNCED, "open", (0, 135_00, 0, 135_00, 0, 0)),
        ("cheque 135, cheque 20*", BOUNCED, "paid", (135_00, 0, 135_00, 0, 0, 0)),
        ("written off, cheque 100", BOUNCED, "uncollectible", (0, 135_00, 0, 0, 135_00, 0)),
        ("written off, cheque 135", BOUNCED, "past_due", (0, 135_00, 0, 135_00, 0, 0)),
        ("cheque 54, credit 35", BOUNCED, "open", (0, 100_00, 0, 100_00, 0, 0)),
        ("cheque 135, credit 35", BOUNCED, "open", (0, 135_00, 0, 135_00, 0, 35_00)),
    ],
)
def test_the_table(shop: Shop, before: str, now: datetime, state: str, expected: tuple[int, ...]) -> None:
    invoice, payment = prepared(shop, before)
    assert queries.why_not_returned(shop.staff, payment.id) == ""
    take_back(shop, payment, now)
    assert figures(invoice) == expected
    assert invoice.status == state
    assert (invoice.paid_at is None) == (state != "paid")
    entry = Entry.objects.get(kind="payment_returned")
    assert entry.key == f"payment_returned:{payment.id}"


def test_who_when_and_why_are_kept_and_said_everywhere(shop: Shop) -> None:
    """Row, history, audit log and mail; the receipt does not stand any more."""
    shop.add_card()
    invoice = shop.bill()
    payment = cheque(shop, invoice, 135_00, reference="cheque 77")
    receipt = Receipt.objects.get()
    take_back(shop, payment, reason="  The bank did not pay it. ")
    row = BankPayment.objects.get()
    assert (row.returned_on, row.returned_at) == (date(2026, 2, 5), BOUNCED)
    assert (row.returned_by_id, row.returned_because) == (shop.staff.user_id, "The bank did not pay it.")
    (shown,) = queries.bank_payments(shop.admin, invoice.id)
    assert shown.returned == "Returned 5 February 2026: The bank did not pay it."
    action = StaffAction.objects.latest("at")
    assert (action.action, action.reason) == ("return_bank_payment", "The bank did not pay it.")
    assert action.details["owed_again"] == "135.00 USD"
    (told,) = shop.told("payment_returned")
    assert told.subject == f"Payment returned: invoice {invoice.number} is owed again"
    for words in (
        f"Your cheque of $135.00 for invoice {invoice.number}, received 2 February 2026, was returned on "
        "5 February 2026: The bank did not pay it.",
        "$135.00 is owed again. Still to be paid: $135.00.",
        f"Receipt {receipt.number} named this payment and is no longer valid.",
        "What happens next: Your Visa •••• 4242 will be charged on 1 March 2026",
        "cheque 77",
    ):
        assert words in told.body_text
    (kept,) = queries.receipts_of(shop.admin, invoice.id)
    assert kept.taken_back == "Taken back on 6 February 2026."


def test_the_card_is_charged_with_the_next_cycle_and_the_new_receipt_is_over_all_of_it(shop: Shop) -> None:
    """Cheque 54 and card 81 paid it; the cheque bounces; the card pays 54 on 1 March, not before."""
    shop.add_card()
    invoice = shop.bill()
    payment = cheque(shop, invoice, 54_00)
    assert operations.collect_due(now=CAME + timedelta(hours=1)).attempts == {"succeeded": 1}
    take_back(shop, payment)
    assert figures(invoice)[:2] == (81_00, 54_00)
    assert operations.collect_due(now=BOUNCED).attempts == {}
    assert operations.charge_new_cards(now=BOUNCED).attempts == {}
    planned = queries.next_attempt(shop.admin, invoice.id)
    assert planned is not None
    assert (planned.at, planned.reason) == (
        CYCLE,
        "With the next billing cycle, because a payment was returned",
    )
    assert operations.collect_due(now=CYCLE).attempts == {"succeeded": 1}
    assert figures(invoice)[:2] == (135_00, 0)
    assert [charge.amount for charge in shop.charges()] == [54_00, 81_00]
    new, old = queries.receipts_of(shop.admin, invoice.id)
    assert (new.number, new.amount.minor, new.taken_back) == ("CIC-R-000002", 135_00, "")
    assert (old.number, old.amount.minor) == ("CIC-R-000001", 135_00)
    assert old.taken_back == "$54.00 of it was taken back on 6 February 2026."
    assert shop.told("payment_received")[-1].attachment == f"receipt:{new.id}"


def test_a_part_that_was_no_receipts_changes_no_receipt(shop: Shop) -> None:
    invoice = shop.bill()
    first = cheque(shop, invoice, 135_00)
    take_back(shop, first)
    second = cheque(shop, invoice, 35_00, BOUNCED + timedelta(days=1))
    take_back(shop, second, BOUNCED + timedelta(days=2))
    assert Receipt.objects.get().taken_back_minor == 135_00
    assert figures(invoice)[:2] == (0, 135_00)


def test_without_a_card_it_waits_for_one_until_the_due_date(shop: Shop) -> None:
    invoice = shop.bill()
    payment = cheque(shop, invoice, 135_00)
    take_back(shop, payment)
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert (plan.next_attempt_at, plan.stopped_because) == (None, "no_card")
    assert "Add a card by 15 February 2026" in shop.told("payment_returned")[0].body_text
    assert operations.collect_due(now=AFTER_DUE).past_due == 1
    shop.add_card(now=AFTER_DUE)
    invoice.refresh_from_db()
    assert invoice.status == "past_due"


def test_what_stands_in_the_way_of_the_next_try_is_said(shop: Shop) -> None:
    """After eight tries there is no other by itself; a few cents are not charged at all."""
    shop.add_card(DECLINES)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    CollectionPlan.objects.filter(invoice=invoice).update(automatic_attempts=8)
    take_back(shop, cheque(shop, invoice, 135_00))
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert (plan.next_attempt_at, plan.stopped_because) == (None, "too_many")
    cheque(shop, invoice, 134_70, BOUNCED)
    rest = cheque(shop, invoice, 30, BOUNCED)
    take_back(shop, rest, AFTER_DUE)
    plan.refresh_from_db()
    assert (plan.next_attempt_at, plan.stopped_because) == (None, "too_small")


def test_the_cheque_is_presented_again_under_its_number(shop: Shop) -> None:
    """A new payment, and taken back again if it bounces again; while one stands its number is taken."""
    invoice = shop.bill()
    for n in range(3):
        now = CAME + timedelta(days=3 * n)
        payment = cheque(shop, invoice, 135_00, now, reference="Cheque 77")
        with pytest.raises(AlreadyRecorded, match="“cheque 77” was recorded"):
            cheque(shop, invoice, 135_00, now, reference="cheque 77")
        assert figures(invoice) == (135_00, 0, 135_00, 0, 0, 0)
        take_back(shop, payment, now + timedelta(days=1), returned_on=date(2026, 2, 3))
        assert figures(invoice) == (0, 135_00, 0, 135_00, 0, 0)
    assert BankPayment.objects.count() == 3
    assert [each.number for each in queries.receipts_of(shop.admin, invoice.id)] == [
        f"CIC-R-{n:06d}" for n in (3, 2, 1)
    ]


def test_a_surplus_that_was_used_is_not_taken_twice(shop: Shop) -> None:
    """15.00 of 150.00 were credit, and February's invoice used them. First is said what to do."""
    invoice = shop.bill()
    payment = cheque(shop, invoice, 150_00)
    following = shop.bill(20, month=2)
    assert following.balance_applied_minor == 15_00
    words = (
        "$15.00 of this payment went into the credit balance, and $15.00 of that was used since, last by "
        f"invoice {following.number}. First void invoice {following.number}, which gives its credit back; or "
        "ask the customer for $15.00 and record that as a bank payment for this invoice. Then take this one "
        "back."
    )
    with pytest.raises(CreditUsed) as refused:
        take_back(shop, payment, world.at("2026-03-02T15:00"))
    assert str(refused.value) == queries.why_not_returned(shop.staff, payment.id) == words
    assert figures(invoice) == (135_00, 0, 150_00, 12_00, 0, 0)
    assert not Entry.objects.filter(kind="payment_returned").exists()
    void_invoice(invoice_id=following.id, reason="-", actor_id=shop.staff.user_id, now=BOUNCED)
    take_back(shop, payment, world.at("2026-03-02T15:00"))
    assert figures(invoice) == (0, 135_00, 0, 135_00, 0, 0)


def test_a_surplus_alone_leaves_the_invoice_paid_and_its_receipt(shop: Shop) -> None:
    invoice = shop.bill()
    cheque(shop, invoice, 135_00)
    take_back(shop, cheque(shop, invoice, 20_00))
    assert Receipt.objects.get().taken_back_at is None
    told = shop.told("payment_returned")[0]
    assert told.subject == f"Payment returned: invoice {invoice.number}"
    assert f"Nothing is owed again on invoice {invoice.number}." in told.body_text
    assert "$20.00 of it was in your credit balance and was taken out of it." in told.body_text
    assert "What happens next: Paid on 3 February 2026." in told.body_text


def test_written_off_recovered_bounced_and_written_off_again_and_again(shop: Shop) -> None:
    """Every time is in the books under a name of its own."""
    invoice = shop.bill()
    fall_past_due(invoice_id=invoice.id, now=ISSUED)
    for n in range(3):
        write_off(invoice_id=invoice.id, reason="Gone", actor_id=shop.staff.user_id, now=ISSUED)
        assert figures(invoice) == (0, 135_00, 0, 0, 135_00, 0)
        now = CAME + timedelta(days=n)
        take_back(shop, cheque(shop, invoice, 135_00, now), BOUNCED + timedelta(days=n))
        assert figures(invoice) == (0, 135_00, 0, 135_00, 0, 0)


def test_a_small_rest_that_was_brought_forward_stays_there_and_can_come_back(shop: Shop) -> None:
    """134.80 by cheque, 0.20 on February's invoice; the cheque bounces; February is voided: 135.00 is due."""
    invoice = shop.bill()
    payment = cheque(shop, invoice, 134_80)
    following = shop.bill(20, month=2)
    assert following.brought_minor == 20
    now = world.at("2026-02-06T16:00")
    take_back(shop, payment, now)
    assert figures(invoice)[:2] == (0, 134_80)
    assert invoice.status == "open"
    void_invoice(invoice_id=following.id, reason="-", actor_id=shop.staff.user_id, now=now)
    assert figures(invoice)[:2] == (0, 135_00)
    assert invoice.status == "open"


def test_never_twice_and_not_while_a_card_is_being_charged(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    payment = cheque(shop, invoice, 54_00)
    attempt = prepare(invoice_id=invoice.id, trigger="staff", now=CAME)
    with pytest.raises(BeingPaid, match="we wait for the bank's answer"):
        take_back(shop, payment)
    assert "we wait for the bank's answer" in queries.why_not_returned(shop.staff, payment.id)
    operations.sweep_attempts(now=CAME + timedelta(hours=1))
    attempt.refresh_from_db()
    assert attempt.state == "succeeded"
    take_back(shop, payment)
    before = (figures(invoice), Entry.objects.count(), StaffAction.objects.count())
    with pytest.raises(AlreadyReturned, match="taken back already"):
        take_back(shop, payment)
    assert (figures(invoice), Entry.objects.count(), StaffAction.objects.count()) == before
    assert queries.why_not_returned(shop.staff, payment.id) == (
        "This payment was taken back already. Returned 5 February 2026: The bank did not pay it."
    )
    assert len(shop.told("payment_returned")) == 1


@pytest.mark.parametrize(
    ("returned_on", "words"),
    [
        (date(2026, 2, 7), "The day on which it was returned has not come yet."),
        (date(2026, 2, 1), "It was received on 2 February 2026; it cannot have been returned before."),
    ],
)
def test_a_day_that_cannot_be(shop: Shop, returned_on: date, words: str) -> None:
    invoice = shop.bill()
    payment = cheque(shop, invoice, 54_00)
    with pytest.raises(operations.CannotRecord) as refused:
        take_back(shop, payment, returned_on=returned_on)
    assert refused.value.problems == (words,)
    assert figures(invoice)[:2] == (54_00, 81_00)


def test_without_a_reason_nothing_is_done(shop: Shop) -> None:
    invoice = shop.bill()
    payment = cheque(shop, invoice, 54_00)
    with pytest.raises(ReasonMissing):
        take_back(shop, payment, reason=" ")
    assert figures(invoice)[:2] == (54_00, 81_00)
    assert shop.told("payment_returned") == []
    with pytest.raises(IntegrityError, match="bank_payment_returned_whole"):
        BankPayment.objects.update(returned_on=date(2026, 2, 5))


def test_only_staff_see_the_page_of_it(shop: Shop) -> None:
    payment = cheque(shop, shop.bill(), 54_00)
    for ask in (queries.bank_payment, queries.why_not_returned):
        with pytest.raises(queries.NotFound):
            ask(shop.admin, payment.id)


@pytest.mark.django_db(transaction=True)
def test_two_clerks_at_once_take_it_back_once(shop: Shop) -> None:
    invoice = shop.bill()
    payment = cheque(shop, invoice, 150_00)

    def clerk(_: int) -> str:
        try:
            take_back(shop, payment)
        except AlreadyReturned:
            return "already"
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(4) as clerks:
        assert sorted(clerks.map(clerk, range(4))) == ["already", "already", "already", "done"]
    assert figures(invoice) == (0, 135_00, 0, 135_00, 0, 0)
    assert len(shop.told("payment_returned")) == 1
    assert StaffAction.objects.filter(action="return_bank_payment").count() == 1
