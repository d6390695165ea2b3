"""One payment, two cards: what the gateway says of one card is not taken for an answer about the other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments._attempt import prepare
from callbill.domain.payments.models import PaymentAttempt
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop

LATER = ISSUED + timedelta(hours=2)


class Tab:
    """The cardholder of the first card has the bank's question open in a browser."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        first = PaymentAttempt.objects.get()
        self.card = first.payment_method.reference
        self.reference = str(first.intent.reference)

    def open(self) -> None:
        there = self.shop.stripe.v1.payment_intents.confirm(self.reference, {"payment_method": self.card})
        assert there.status == "requires_action"
        self.secret = str(there.client_secret)

    def answer(self) -> None:
        self.shop.sandbox.authenticate(self.reference, self.secret)


@pytest.fixture
def invoice(shop: Shop) -> Invoice:
    """January's; the first card waits for its cardholder, another is the default now."""
    shop.add_card(ALWAYS_3DS)
    made = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"action_required": 1}
    return made


def no_answer(shop: Shop) -> None:
    shop.sandbox.fault("reset_before", path="/confirm$", method="POST", times=3)


def pay(shop: Shop, invoice: Invoice) -> PaymentAttempt:
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    return PaymentAttempt.objects.latest("created_at", "id")


def assert_paid_by_the_second(invoice: Invoice) -> None:
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    paid = PaymentAttempt.objects.get(state="succeeded")
    assert paid.payment_method.last4 == "4242"
    assert queries.books_differences() == []


def test_a_question_left_open_for_the_first_card_is_not_the_second_cards(
    shop: Shop, invoice: Invoice
) -> None:
    tab = Tab(shop)
    tab.open()
    shop.add_card(default=True)
    no_answer(shop)
    second = pay(shop, invoice)
    assert second.state == "submitted", "the second card was never tried"
    operations.sweep_attempts(now=LATER + timedelta(minutes=20))
    assert_paid_by_the_second(invoice)
    assert len(shop.charges(paid=True)) == 1


def test_the_message_about_the_first_card_comes_before_the_second_is_tried(
    shop: Shop, invoice: Invoice
) -> None:
    tab = Tab(shop)
    tab.open()
    shop.add_card(default=True)
    second = prepare(invoice_id=invoice.id, trigger="customer", now=LATER)
    for kind in ("requires_action", "payment_failed"):
        operations.look_at(kind=f"payment_intent.{kind}", reference=tab.reference, now=LATER)
    second.refresh_from_db()
    assert (second.state, second.charge) == ("prepared", None)
    operations.sweep_attempts(now=LATER + timedelta(minutes=20))
    assert_paid_by_the_second(invoice)


def test_a_decline_of_the_first_card_is_not_the_second_cards(shop: Shop, invoice: Invoice) -> None:
    tab = Tab(shop)
    tab.open()
    shop.add_card(default=True)
    no_answer(shop)
    second = pay(shop, invoice)
    shop.sandbox.decline_next(tab.card, "stolen_card")
    tab.answer()
    operations.look_at(kind="payment_intent.payment_failed", reference=tab.reference, now=LATER)
    second.refresh_from_db()
    assert (second.state, second.decline_code) == ("submitted", "")
    operations.sweep_attempts(now=LATER + timedelta(minutes=20))
    assert_paid_by_the_second(invoice)


def test_an_answer_about_the_second_card_is_the_second_cards(shop: Shop, invoice: Invoice) -> None:
    shop.add_card("pm_card_chargeCustomerFail", default=True)
    shop.sandbox.fault("reset_after", path="/confirm$", method="POST", times=3)
    assert pay(shop, invoice).state == "declined"
