"""A difference is named until it is mended, however long ago it came about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.payments.models import CollectionStop
from callbill.domain.reconciliation import _balance_words, _found
from callbill.domain.reconciliation.models import BalanceTransaction, Difference
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


def test_what_is_open_is_asked_for_by_id_and_the_lists_are_no_longer_than_else(shop: Counter) -> None:
    invoice = shop.paid()
    made = shop.refund_by_hand(shop.charge_of(invoice), 35_00)
    by_hand = shop.charge_by_hand(50_00)
    twice = shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile()
    kinds = ["charge_without_attempt", "clearing_named", "refund_not_ours", "two_charges"]
    assert shop.kinds() == kinds
    for day in (1, 364, 365):
        run = shop.reconcile(NIGHT + day * DAY)
        assert shop.kinds() == kinds, day
    assert run.since == NIGHT + 335 * DAY, "thirty days, whatever is open"
    assert (run.charges, run.refunds) == (0, 0), "what is asked for by id is not counted as listed"
    for charge in (by_hand, twice):
        shop.refund_by_hand(charge)
    shop.reconcile(NIGHT + 366 * DAY)
    assert shop.kinds() == ["clearing_named", "refund_not_ours"], made


def test_what_stripe_knows_nothing_of_is_named_after_a_year(shop: Counter) -> None:
    shop.paid()
    shop.sandbox.reset()
    shop.reconcile()
    for day in (1, 200, 365):
        run = shop.reconcile(NIGHT + day * DAY)
        assert "attempt_without_charge" in shop.kinds(), day
    assert run.since == NIGHT + 335 * DAY or run.since > NIGHT + 150 * DAY


def test_differences_that_were_kept_without_ids_are_listed_once_more(shop: Counter) -> None:
    """As they were before ids were kept."""
    shop.paid()
    by_hand = shop.charge_by_hand(50_00)
    first = shop.reconcile()
    Difference.objects.update(objects_at_stripe=[])
    assert shop.reconcile(NIGHT + 60 * DAY).since == first.since
    assert "charge_without_attempt" in shop.kinds()
    assert shop.difference("charge_without_attempt").objects_at_stripe == [by_hand]


def test_too_many_of_a_kind_are_one(shop: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the key of another account; every payer is stopped all the same."""
    monkeypatch.setattr(_found, "MOST_OF_A_KIND", 2)
    monkeypatch.setattr(_balance_words, "_MOST_NAMED", 2)
    shop.paid()
    charges = [shop.charge_by_hand(minor) for minor in (10_00, 20_00, 30_00)]
    first = shop.reconcile()
    named = shop.difference("charge_without_attempt")
    assert first.differences == 1
    assert "3 times, together $60.00\N{NO-BREAK SPACE}USD: " in named.what
    assert "and 1 more. The first: Stripe has charge " in named.what
    assert named.amount_minor == 60_00
    assert {stop.key.partition(":")[2] for stop in CollectionStop.objects.all()} == set(charges)
    # No list of ids is kept of so many, so Stripe's lists go back to them.
    assert shop.reconcile(NIGHT + 60 * DAY).since == first.since
    shop.refund_by_hand(charges[0])
    shop.reconcile(NIGHT + 61 * DAY)
    assert [kind for kind in shop.kinds() if kind != "clearing_named"] == ["charge_without_attempt"] * 2
