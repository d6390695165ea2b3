"""Money that came by bank transfer or cheque: a part, all of it, more than is due; the card for the rest."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import (
    AlreadyRecorded,
    BeingPaid,
    fall_past_due,
    void_invoice,
    write_off,
)
from callbill.domain.ledger.models import Account, Entry
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import (
    BankPayment,
    CollectionPlan,
    PaymentAttempt,
    PaymentIntent,
    Receipt,
)
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.rules.lifecycle import MoveRefused
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.documents.reading import text_of
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop

TODAY = world.at("2026-02-03T15:00")
MARCH = world.at("2026-03-01T05:00")


def record(shop: Shop, invoice: Invoice, minor: int, **fields: Any) -> BankPayment:
    """A clerk records that so much came on 2 February."""
    given = {
        "method": "cheque",
        "amount": Money(minor, "USD"),
        "reference": "cheque 77",
        "received_on": date(2026, 2, 2),
        "reason": "Came in the mail",
        "actor_id": shop.staff.user_id,
        "now": TODAY,
        **fields,
    }
    payment = operations.record_bank_payment(invoice_id=invoice.id, **given)
    invoice.refresh_from_db()
    return payment


def assert_books(invoice: Invoice, *, bank: int, card: int, held: int = 0) -> None:
    """The ledger says so, and nothing else."""
    assert balance(invoice.payer_id, Account.BANK, "USD").minor == bank
    assert balance(invoice.payer_id, Account.STRIPE_CLEARING, "USD").minor == card
    assert balance(invoice.payer_id, Account.CUSTOMER_BALANCE, "USD").minor == -held
    assert queries.books_differences() == []


def test_a_cheque_for_a_part_and_the_card_for_the_rest(shop: Shop) -> None:
    """Invoice 135.00, cheque 54.00, card 81.00: one receipt that names both."""
    invoice = shop.bill()
    shop.add_card()
    record(shop, invoice, 54_00)
    assert (invoice.status, invoice.paid_minor, invoice.due_minor) == ("open", 54_00, 81_00)
    (told,) = shop.told("payment_received")
    assert told.subject == f"Payment received: a part of invoice {invoice.number}"
    assert "We received your cheque of $54.00" in told.body_text
    assert (
        "Still to be paid: $81.00. What happens next: Your Visa •••• 4242 will be charged" in told.body_text
    )
    assert "cheque 77" in told.body_text

    assert operations.collect_due(now=TODAY).attempts == {"succeeded": 1}
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor) == ("paid", 135_00)
    (charge,) = shop.charges()
    assert charge.amount == 81_00
    receipt = Receipt.objects.get()
    assert receipt.amount_minor == 135_00
    assert_books(invoice, bank=54_00, card=81_00)
    text = text_of(operations.receipt_pdf(viewer=shop.admin, number=receipt.number, now=TODAY))
    assert "Cheque, received 2 February 2026, reference cheque 77" in text
    assert "$54.00" in text
    assert "Visa •••• 4242, 3 February 2026" in text
    assert "$81.00" in text
    assert "$135.00 USD" in text
    (shown,) = queries.bank_payments(shop.admin, invoice.id)
    assert shown.what == "Cheque, received 2 February 2026, reference cheque 77"
    assert shown.amount == Money(54_00, "USD")


def test_after_a_decline_the_same_payment_goes_on_with_what_is_left(shop: Shop) -> None:
    """The PaymentIntent of 135.00 that was declined is changed to 95.00 and charged on the next cycle."""
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    planned = CollectionPlan.objects.get(invoice=invoice).next_attempt_at
    record(shop, invoice, 40_00, method="bank_transfer", reference="SEPA 1")
    assert (invoice.status, invoice.due_minor) == ("past_due", 95_00)
    assert CollectionPlan.objects.get(invoice=invoice).next_attempt_at == planned
    assert operations.collect_due(now=MARCH).attempts == {"succeeded": 1}
    intent = PaymentIntent.objects.get()
    assert intent.amount_minor == 95_00
    there = shop.stripe.v1.payment_intents.retrieve(str(intent.reference))
    assert (there.amount, there.amount_received, there.status) == (95_00, 95_00, "succeeded")
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert Receipt.objects.get().amount_minor == 135_00
    assert_books(invoice, bank=40_00, card=95_00)


def test_all_of_it_pays_the_invoice_and_gives_the_receipt(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    record(shop, invoice, 135_00, method="bank_transfer", reference="  SEPA   2 ")
    assert (invoice.status, invoice.paid_at, invoice.due_minor) == ("paid", TODAY, 0)
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert (plan.next_attempt_at, plan.stopped_because) == (None, "")
    receipt = Receipt.objects.get()
    assert (receipt.attempt, receipt.amount_minor) == (None, 135_00)
    told = shop.told("payment_received")[-1]
    assert told.attachment == f"receipt:{receipt.id}"
    assert "The invoice is paid. Your receipt is attached." in told.body_text
    text = text_of(operations.receipt_pdf(viewer=shop.admin, number=receipt.number, now=TODAY))
    assert "Bank transfer" in text
    assert "SEPA 2" in text
    assert operations.collect_due(now=MARCH).attempts == {}
    assert shop.charges(paid=True) == []
    assert_books(invoice, bank=135_00, card=0)


def test_what_is_too_much_is_credit_and_the_next_invoice_uses_it(shop: Shop) -> None:
    invoice = shop.bill()
    payment = record(shop, invoice, 150_00)
    assert (payment.amount_minor, payment.surplus_minor) == (150_00, 15_00)
    assert (invoice.status, invoice.paid_minor) == ("paid", 135_00)
    assert (
        Entry.objects.get(kind="surplus").description
        == f"More than was due on {invoice.number}, kept as credit"
    )
    assert_books(invoice, bank=150_00, card=0, held=15_00)
    (told,) = shop.told("payment_received")
    assert "$15.00 of it was more than was due. It is in your credit balance" in told.body_text
    assert Receipt.objects.get().amount_minor == 135_00
    following = shop.bill(20, month=2)
    assert (following.balance_applied_minor, following.due_minor) == (15_00, 12_00)
    assert_books(invoice, bank=150_00, card=0)


def test_money_for_a_paid_invoice_is_all_credit(shop: Shop) -> None:
    """The cheque came although the card was charged: nothing is lost and nobody pays twice."""
    shop.add_card()
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    payment = record(shop, invoice, 135_00)
    assert (payment.surplus_minor, invoice.paid_minor) == (135_00, 135_00)
    assert Receipt.objects.count() == 1
    assert_books(invoice, bank=135_00, card=135_00, held=135_00)
    with pytest.raises(AlreadyRecorded, match="“cheque 77” was recorded"):
        record(shop, invoice, 135_00)


def test_a_rest_too_small_for_a_card_is_not_planned_to_be_charged(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    record(shop, invoice, 134_80)
    assert CollectionPlan.objects.get(invoice=invoice).stopped_because == "too_small"
    assert operations.collect_due(now=TODAY).attempts == {}
    assert "Less than $0.50 cannot be charged to a card" in queries.what_happens_next(invoice.id)


def test_what_was_written_off_is_recovered_by_the_same_door(shop: Shop) -> None:
    invoice = shop.bill()
    fall_past_due(invoice_id=invoice.id, now=ISSUED)
    write_off(invoice_id=invoice.id, reason="Gone", actor_id=shop.staff.user_id, now=ISSUED)
    record(shop, invoice, 100_00)
    assert (invoice.status, invoice.due_minor) == ("uncollectible", 35_00)
    assert balance(invoice.payer_id, Account.BAD_DEBT, "USD").minor == 35_00
    assert not CollectionPlan.objects.filter(next_attempt_at__isnull=False).exists()
    record(shop, invoice, 40_00, reference="cheque 78")
    assert invoice.status == "paid"
    assert Receipt.objects.get().amount_minor == 135_00
    assert_books(invoice, bank=140_00, card=0, held=5_00)


def test_the_same_reference_is_recorded_once(shop: Shop) -> None:
    invoice = shop.bill()
    record(shop, invoice, 40_00)
    before = (Entry.objects.count(), len(shop.told("payment_received")), StaffAction.objects.count())
    with pytest.raises(AlreadyRecorded, match=f"“cheque 77” was recorded for {invoice.number} before"):
        record(shop, invoice, 40_00)
    with pytest.raises(AlreadyRecorded, match="“CHEQUE 77” was recorded"):
        record(shop, invoice, 40_00, reference=" CHEQUE  77 ")
    assert (Entry.objects.count(), len(shop.told("payment_received")), StaffAction.objects.count()) == before
    row = BankPayment.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        BankPayment.objects.bulk_create([BankPayment(**{f: getattr(row, f) for f in _FIELDS})])
    record(shop, invoice, 95_00, reference="cheque 78")
    assert invoice.status == "paid"


_FIELDS = (
    *("invoice_id", "method", "amount_minor", "currency", "reference"),
    *("received_on", "recorded_at", "recorded_by_id"),
)


def test_while_a_card_is_being_charged_it_waits(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    attempt = operations._asked.prepare(invoice_id=invoice.id, trigger="staff", now=ISSUED)
    with pytest.raises(BeingPaid, match="we wait for the bank's answer"):
        record(shop, invoice, 40_00)
    assert "we wait for the bank's answer" in queries.why_no_bank_payment(shop.staff, invoice.id)
    assert BankPayment.objects.count() == 0
    assert PaymentAttempt.objects.get(id=attempt.id).state == "prepared"


def test_while_a_payment_waits_for_its_cardholder_the_words_say_what_to_do(shop: Shop) -> None:
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    with pytest.raises(BeingPaid, match="Give the waiting up first"):
        record(shop, invoice, 40_00)
    operations.stop_waiting(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="A cheque came", now=TODAY
    )
    record(shop, invoice, 40_00)
    assert invoice.due_minor == 95_00
    assert queries.why_no_bank_payment(shop.staff, invoice.id) == ""


def test_what_cannot_be_is_said_all_at_once_and_nothing_is_written(shop: Shop) -> None:
    invoice = shop.bill()
    with pytest.raises(operations.CannotRecord) as refused:
        record(
            shop,
            invoice,
            0,
            method="shells",
            reference=" ",
            amount=Money(-5, "EUR"),
            received_on=TODAY.date() + timedelta(days=1),
        )
    assert refused.value.problems == (
        "“shells” is not a way of paying: choose bank transfer or cheque.",
        "The invoice is in USD, the money in EUR.",
        "The amount must be above zero.",
        "The reference must have 1 to 60 characters.",
        "The day on which it was received has not come yet.",
    )
    with pytest.raises(ReasonMissing):
        record(shop, invoice, 40_00, reason=" ")
    assert (BankPayment.objects.count(), Entry.objects.filter(kind="payment").count()) == (0, 0)
    assert shop.told("payment_received") == []
    void_invoice(invoice_id=invoice.id, reason="Wrong", actor_id=shop.staff.user_id, now=TODAY)
    with pytest.raises(MoveRefused, match="void cannot be paid"):
        record(shop, invoice, 40_00)
    assert queries.why_no_bank_payment(shop.staff, invoice.id) == "An invoice that is void cannot be paid."


def test_who_sees_it(shop: Shop) -> None:
    invoice = shop.bill()
    record(shop, invoice, 40_00)
    other = world.company("eve", "Eve Ltd.")
    eve = world.viewer("eve@evil.example", company=other, administrator=True)
    assert len(queries.bank_payments(shop.staff, invoice.id)) == 1
    assert queries.bank_payments(eve, invoice.id) == []
    with pytest.raises(queries.NotFound):
        queries.why_no_bank_payment(shop.admin, invoice.id)
    (action,) = StaffAction.objects.all()
    assert (action.action, action.reason) == ("record_bank_payment", "Came in the mail")
    assert action.details["amount"] == "40.00 USD"
