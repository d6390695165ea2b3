"""At issue the default card is charged: paid with its receipt, or past due with its words (M26, M27)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import books_differences
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt, Receipt
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import ALWAYS_3DS, DECLINES, ISSUED, VISA, Shop, issued_row

MARCH = world.at("2026-03-01T09:00")


def test_a_new_invoice_is_charged_to_the_default_card(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    done = operations.collect_due(now=ISSUED)
    assert done.attempts == {"succeeded": 1}
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor, invoice.paid_at) == ("paid", 135_00, ISSUED)
    (charge,) = shop.charges()
    assert (charge.amount, charge.currency, charge.paid) == (135_00, "usd", True)
    assert charge.description == f"Invoice {invoice.number}"
    assert Entry.objects.filter(key=f"payment:{charge.id}").count() == 1
    receipt = queries.receipt_of(shop.admin, invoice.id)
    assert receipt is not None
    assert receipt.number == "CIC-R-000001"
    assert receipt.amount == Money(135_00, "USD")
    assert (receipt.card_brand, receipt.card_last4) == ("Visa", "4242")
    assert receipt.charge_reference == charge.id
    (mail,) = shop.told("payment_received")
    assert mail.attachment == f"receipt:{receipt.id}"
    assert "$135.00" in mail.body_text
    assert "Visa •••• 4242" in mail.body_text
    assert books_differences() == []
    assert queries.what_happens_next(invoice.id) == "Paid on 1 February 2026. There is nothing to do."


def test_the_receipt_is_the_same_file_for_people_and_mails(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    receipt = queries.receipt_of(shop.admin, invoice.id)
    assert receipt is not None
    pdf = operations.receipt_pdf(viewer=shop.admin, number=receipt.number, now=ISSUED)
    attached = operations.receipt_attachment(receipt_id=receipt.id, now=MARCH)
    assert pdf.startswith(b"%PDF")
    assert attached.content == pdf
    assert attached.filename == "receipt-CIC-R-000001.pdf"


def test_collecting_again_does_nothing(shop: Shop) -> None:
    shop.add_card()
    shop.bill()
    operations.collect_due(now=ISSUED)
    again = operations.collect_due(now=ISSUED + timedelta(hours=1))
    assert (again.attempts, again.past_due, again.problems) == ({}, 0, [])
    assert len(shop.charges()) == 1
    assert len(shop.told("payment_received")) == 1


@pytest.mark.parametrize(
    ("decline", "words", "next_at", "stopped"),
    [
        ("insufficient_funds", "There was not enough money available on the card.", MARCH, ""),
        ("processing_error", "The bank could not process the payment just then.", MARCH, ""),
        ("expired_card", "The card has expired.", MARCH, ""),
        ("incorrect_cvc", "The security code of the card is not right.", MARCH, ""),
        ("lost_card", "The bank declined the payment.", MARCH, "replace_card"),
        ("stolen_card", "The bank declined the payment.", MARCH, "replace_card"),
        ("a_code_from_next_year", "The bank declined the payment.", MARCH, ""),
    ],
)
def test_a_declined_charge_makes_past_due_and_says_why(
    shop: Shop, decline: str, words: str, next_at: object, stopped: str
) -> None:
    card = shop.add_card()
    invoice = shop.bill()
    shop.sandbox.decline_next(card.reference, decline)
    assert operations.collect_due(now=ISSUED).attempts == {"declined": 1}
    invoice.refresh_from_db()
    assert (invoice.status, invoice.past_due_at, invoice.paid_minor) == ("past_due", ISSUED, 0)
    attempt = shop.attempt(invoice)
    assert attempt.charge == shop.charges(paid=False)[0].id
    plan = CollectionPlan.objects.get(invoice=invoice)
    # Midnight of 1 March in New York, when the next billing cycle begins.
    assert plan.next_attempt_at == world.at("2026-03-01T05:00")
    assert (plan.automatic_attempts, plan.stopped_because) == (1, stopped)
    (mail,) = shop.told("payment_failed")
    assert words in mail.body_text
    assert queries.what_happens_next(invoice.id) in mail.body_text
    if stopped:
        assert "is not charged again for this invoice" in mail.body_text
        assert "1 March 2026" not in mail.body_text
    else:
        assert "1 March 2026" in mail.body_text
    (shown,) = queries.attempts(shop.admin, invoice.id)
    assert (shown.what_happened, shown.state_word, shown.staff_codes) == (words, "Declined", "")
    assert decline in queries.attempts(shop.staff, invoice.id)[0].staff_codes
    assert not Receipt.objects.exists()


def test_lost_and_stolen_are_never_named_to_the_customer(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, "lost_card")
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    (mail,) = shop.told("payment_failed")
    (shown,) = queries.attempts(shop.admin, invoice.id)
    for text in (mail.body_text, mail.body_html, str(shown), queries.what_happens_next(invoice.id)):
        assert "lost" not in text.lower()
        assert "stolen" not in text.lower()


def test_a_card_that_must_be_confirmed_waits_for_its_holder(shop: Shop) -> None:
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"action_required": 1}
    invoice.refresh_from_db()
    assert invoice.status == "past_due"
    (mail,) = shop.told("payment_failed")
    assert "The bank wants the cardholder to confirm this payment" in mail.body_text
    assert "add another card" in mail.body_text
    assert "/pay/confirm/" in mail.body_text
    # It stays as it is, quietly, however often it is looked at.
    for hours in (2, 4, 6):
        operations.sweep_attempts(now=ISSUED + timedelta(hours=hours))
    assert shop.attempt(invoice).state == "action_required"
    assert len(shop.told("payment_failed")) == 1
    with pytest.raises(operations.PaymentInProgress, match="waits for its holder"):
        operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    # Another card ends the waiting, on the same payment at Stripe.
    shop.add_card(VISA, default=True)
    paid = operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    assert paid.paid
    assert len({charge.payment_intent for charge in shop.charges()}) == 1
    assert len(shop.charges(paid=True)) == 1


def test_without_a_card_the_invoice_waits_for_its_due_date(shop: Shop) -> None:
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    operations.collect_due(now=ISSUED + timedelta(hours=1))
    invoice.refresh_from_db()
    assert invoice.status == "open"
    assert len(shop.told("card_missing")) == 1
    assert invoice.due_date is not None
    late = world.at(f"{invoice.due_date + timedelta(days=1)}T12:00")
    assert operations.collect_due(now=late - timedelta(days=1)).past_due == 0
    assert operations.collect_due(now=late).past_due == 1
    assert operations.collect_due(now=late).past_due == 0
    invoice.refresh_from_db()
    assert invoice.status == "past_due"
    (mail,) = shop.told("past_due")
    assert "Add a card" in mail.body_text
    assert PaymentAttempt.objects.count() == 0


def test_a_card_added_before_the_due_date_is_charged_by_itself(shop: Shop) -> None:
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    shop.add_card()
    assert operations.collect_due(now=ISSUED + timedelta(hours=1)).attempts == {"succeeded": 1}
    assert shop.attempt(invoice).trigger == "issue"


def test_an_amount_too_small_for_a_card_is_not_tried(shop: Shop) -> None:
    shop.add_card()
    small = issued_row(shop.payer, date(2026, 3, 1), date(2026, 4, 1), 49)
    operations.collect_due(now=MARCH)
    operations.collect_due(now=MARCH + timedelta(days=60))
    small.refresh_from_db()
    assert small.status == "open"
    assert "Less than $0.50 cannot be charged to a card" in queries.what_happens_next(small.id)
    assert shop.charges() == []
    with pytest.raises(operations.AmountTooSmall):
        operations.retry_now(
            invoice_id=small.id, actor_id=shop.staff.user_id, reason="asked on the phone", now=MARCH
        )


def test_an_amount_too_small_asks_for_no_card(shop: Shop) -> None:
    """No card could pay it, so nobody is asked for one and it does not fall past due for lack of one."""
    small = issued_row(shop.payer, date(2026, 3, 1), date(2026, 4, 1), 49)
    operations.collect_due(now=MARCH)
    operations.collect_due(now=MARCH + timedelta(days=60))
    small.refresh_from_db()
    assert small.status == "open"
    assert shop.told("card_missing") == shop.told("past_due") == []
    assert "It is brought forward to your next invoice" in queries.what_happens_next(small.id)


def test_one_refused_card_does_not_stop_the_others(shop: Shop) -> None:
    shop.add_card(DECLINES)
    first = shop.bill()
    borealis = world.company("borealis", "Borealis Legal")
    boss = world.viewer("bo@borealis.example", company=borealis, administrator=True)
    shop.add_card(VISA, viewer=boss, payer_id=world.payer_of(borealis).id)
    world.calls(borealis, 10)
    run_billing(now=ISSUED)
    done = operations.collect_due(now=ISSUED)
    assert done.attempts == {"declined": 1, "succeeded": 1}
    first.refresh_from_db()
    assert first.status == "past_due"
