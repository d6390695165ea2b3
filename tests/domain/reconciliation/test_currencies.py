"""Amounts of two currencies are named side by side and never added up."""

from __future__ import annotations

from datetime import timedelta

from callbill.domain.payments.models import Refund
from callbill.domain.reconciliation.models import BalanceTransaction, Difference
from tests.domain.payments.test_refunds import credit, refund
from tests.domain.reconciliation.conftest import NIGHT, Counter
from tests.domain.reconciliation.test_differences import tamper


def test_two_currencies_are_never_added_up(shop: Counter) -> None:
    invoice = shop.paid()
    yen = shop.charge_by_hand(5_000, invoice=invoice, currency="jpy")
    shop.reconcile()
    (named,) = Difference.objects.filter(gone_at=None, kind__in=("two_charges", "charge_without_attempt"))
    assert yen in named.what
    assert "185" not in named.what
    assert "¥5,000" in named.what
    assert set(shop.kinds()) == {named.kind, "clearing_named"}


def test_a_refund_in_another_currency(shop: Counter) -> None:
    invoice = shop.paid()
    refund(shop, credit(shop, invoice, 35_00))
    Refund.objects.update(currency="JPY", amount_minor=5_000)
    shop.reconcile()
    said = shop.difference("refund_amount").what.replace("\N{NO-BREAK SPACE}", " ")
    assert "Stripe gave $35.00 USD back" in said
    assert "our refund says ¥5,000 JPY" in said


def test_what_was_posted_of_a_missing_charge_in_another_currency(shop: Counter) -> None:
    shop.paid()
    tamper(
        "UPDATE ledger_posting SET currency = 'JPY', amount_minor = 5000 * sign(amount_minor) "
        "WHERE entry_id = (SELECT id FROM ledger_entry WHERE kind = 'payment')"
    )
    shop.sandbox.reset()
    shop.reconcile()
    said = shop.difference("attempt_without_charge").what.replace("\N{NO-BREAK SPACE}", " ")
    assert "over $135.00 USD, and the books have ¥5,000 JPY of it" in said


def test_what_stripe_exchanges_is_named_and_not_guessed(shop: Counter) -> None:
    shop.paid()
    shop.reconcile()
    BalanceTransaction.objects.update(currency="EUR")
    shop.reconcile(NIGHT + timedelta(days=1))
    named = shop.difference("other_currency")
    assert named.what.startswith("Stripe credits 1 charge over $135.00")
    assert "in EUR." in named.what
    assert "Add a bank account in USD at Stripe" in named.what_to_do
