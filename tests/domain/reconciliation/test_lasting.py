"""A difference is named until it is mended, however long ago it came about."""

from __future__ import annotations

from datetime import timedelta

from callbill.domain.reconciliation.models import BalanceTransaction
from tests.domain.payments.test_refunds import credit, refund
from tests.domain.reconciliation.conftest import NIGHT, Counter
from tests.domain.reconciliation.test_differences import tamper

DAY = timedelta(days=1)


def test_another_amount_in_the_books_is_named_for_good(shop: Counter) -> None:
    invoice = shop.paid()
    refund(shop, credit(shop, invoice, 35_00))
    shop.reconcile()
    tamper(
        "UPDATE ledger_posting SET amount_minor = amount_minor + 100 * sign(amount_minor) "
        "WHERE entry_id IN (SELECT id FROM ledger_entry WHERE kind = 'refund_made')"
    )
    for day in (1, 20, 40, 60):
        shop.reconcile(NIGHT + day * DAY)
        assert "movement_amount" in shop.kinds(), day


def test_what_stripe_exchanged_is_named_for_good(shop: Counter) -> None:
    shop.paid()
    shop.reconcile()
    BalanceTransaction.objects.update(currency="EUR")
    for day in (1, 20, 40, 60):
        shop.reconcile(NIGHT + day * DAY)
        assert "other_currency" in shop.kinds(), day
