"""One payment, two cards: what the gateway says of one card is not taken for an answer about the other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments._apply import apply
from callbill.domain.payments._preparing import prepare
from callbill.domain.payments.models import PaymentAttempt, PaymentIntent
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


@pytest.fixture
def changed(shop: Shop, invoice: Invoice) -> Tab:
    """The bank's question is open, another card is the default, and another amount is owed."""
    tab = Tab(shop)
    tab.open()
    shop.add_card(default=True)
    shop.hold_some(invoice)
    return tab


def refuse_other_amounts(patched: pytest.MonkeyPatch) -> list[str]:
    """The sandbox changes a payment with an open question; Stripe may refuse. Returns the keys."""
    keys: list[str] = []

    def refused(self: Any, *, key: str, **given: Any) -> Any:
        keys.append(key)
        raise gateway.MovedOn("unexpected state")

    patched.setattr(type(gateway.gateway()), "change_amount", refused)
    return keys


def test_a_payment_that_cannot_be_changed_is_canceled_and_made_anew(
    shop: Shop, invoice: Invoice, changed: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = refuse_other_amounts(monkeypatch)
    shop.sandbox.fault("503", path="/cancel$", method="POST", times=3)
    second = pay(shop, invoice)
    assert second.state == "prepared", "not canceled yet, so nothing else is made"
    assert PaymentIntent.objects.count() == 1
    operations.sweep_attempts(now=LATER + timedelta(minutes=20))
    second.refresh_from_db()
    assert (second.state, second.amount_minor) == ("succeeded", 100_00)
    assert [(each.generation, each.state) for each in PaymentIntent.objects.order_by("generation")] == [
        (1, "canceled"),
        (2, "succeeded"),
    ]
    there = {each.status for each in shop.stripe.v1.payment_intents.list({}).data}
    assert there == {"canceled", "succeeded"}
    assert [charge.amount for charge in shop.charges(paid=True)] == [100_00]
    assert len(set(keys)) == len(keys) == 2
    assert queries.books_differences() == []


def test_what_was_confirmed_before_it_could_be_canceled_is_the_payment(
    shop: Shop, invoice: Invoice, changed: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(self: Any, **given: Any) -> Any:
        changed.answer()
        raise gateway.MovedOn("unexpected state")

    monkeypatch.setattr(type(gateway.gateway()), "change_amount", meanwhile)
    pay(shop, invoice)
    paid = PaymentAttempt.objects.get(state="succeeded")
    assert paid.payment_method.last4 == "3184"
    assert len(shop.charges(paid=True)) == 1
    assert PaymentIntent.objects.count() == 1
    assert queries.books_differences() == []


def test_who_slept_does_not_end_what_was_made_anew_meanwhile(
    shop: Shop, invoice: Invoice, changed: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer about the payment before is none about this one, which may be charged already."""
    refuse_other_amounts(monkeypatch)
    shop.sandbox.fault("reset_after", path="/confirm$", method="POST", times=3)
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_[^/]+$", method="GET", times=3, after=1)
    second = pay(shop, invoice)
    shop.sandbox.clear_faults()
    assert second.state == "submitted"
    assert second.intent.reference != changed.reference
    stale = gateway.gateway().fetch_intent(reference=changed.reference)
    assert apply(attempt_id=second.id, view=stale, now=LATER).state == "submitted"
    operations.sweep_attempts(now=LATER + timedelta(minutes=20))
    operations.collect_due(now=LATER + timedelta(hours=1))
    assert len(shop.charges(paid=True)) == 1
