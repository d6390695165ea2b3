"""Stripe clearing is Stripe's balance: what is on its way and what is not ours are counted, not assumed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.ledger.models import Account, Posting
from callbill.domain.ledger.operations import Side, post
from callbill.rules.money import Money
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter
from tests.domain.reconciliation.test_differences import tamper

DAY = timedelta(days=1)
STRAYS = (
    ("payout:po_none", "payout"),
    ("refund_made:none", "refund_made"),
    ("fee:txn_none", "fee"),
    ("chargeback_moved:txn_none", "chargeback_withdrawn"),
)


def stray(key: str, kind: str) -> None:
    amount = Money(50_00, "USD")
    post(
        key=key,
        kind=kind,
        at=PAID_AT,
        description="Dreamt",
        sides=[Side(Account.BANK, None, amount), Side(Account.STRIPE_CLEARING, None, -amount)],
    )


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def clearing() -> int:
    return sum(Posting.objects.filter(account=Account.STRIPE_CLEARING).values_list("amount_minor", flat=True))


def test_a_fee_posted_over_another_amount(shop: Counter) -> None:
    shop.paid()
    shop.reconcile()
    tamper(
        "UPDATE ledger_posting SET amount_minor = amount_minor + 100 * sign(amount_minor) "
        "WHERE entry_id = (SELECT id FROM ledger_entry WHERE kind = 'fee')"
    )
    shop.reconcile(NIGHT + DAY)
    assert shop.kinds() == ["clearing_named", "fee_amount"]
    named = shop.difference("fee_amount")
    assert "Stripe took a fee of $4.22 USD" in plain(named.what)
    assert "the books have $5.22 USD" in plain(named.what)
    assert shop.difference("clearing_named").amount_minor == 1_00


@pytest.mark.parametrize(("key", "kind"), STRAYS)
def test_a_posting_whose_object_is_not_there(shop: Counter, key: str, kind: str) -> None:
    shop.paid()
    stray(key, kind)
    shop.reconcile()
    assert shop.kinds() == ["clearing"]
    named = shop.difference("clearing")
    assert named.amount_minor == 50_00
    assert key in named.what, "which posting it is"


def test_what_is_not_ours_is_counted(shop: Counter) -> None:
    """Another program's charge is paid out together with ours, and its fee is taken from our balance."""
    shop.paid()
    shop.charge_by_hand(200_00, customer=shop.stranger())
    shop.at(NIGHT + 4 * DAY)
    shop.sandbox.close_payout()
    shop.reconcile(NIGHT + 6 * DAY)
    assert shop.kinds() == ["other_customers"]
    assert clearing() == -200_00
    stray("payout:po_none", "payout")
    shop.reconcile(NIGHT + 7 * DAY)
    assert shop.kinds() == ["clearing", "other_customers"]
    said = plain(shop.difference("clearing").what)
    assert "The books have -$250.00 USD on Stripe clearing, Stripe's balance is $0.00 USD." in said
    assert "$200.00 USD of the difference is not ours" in said
    assert "$50.00 USD is not explained" in said
