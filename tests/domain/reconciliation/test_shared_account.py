"""A Stripe account that had a life before Callbill, or has one beside it."""

from __future__ import annotations

from datetime import timedelta

from callbill.domain.ledger.models import Account, Entry, Posting
from tests.domain import world
from tests.domain.reconciliation.conftest import NIGHT, Counter

DAY = timedelta(days=1)
LONG_AGO = world.at("2025-06-01T12:00")


def clearing() -> int:
    return sum(Posting.objects.filter(account=Account.STRIPE_CLEARING).values_list("amount_minor", flat=True))


def test_what_was_before_the_first_payment_is_read_and_not_posted(shop: Counter) -> None:
    shop.at(LONG_AGO)
    stranger = shop.stranger()
    shop.charge_by_hand(100_00, customer=stranger)
    shop.at(LONG_AGO + 4 * DAY)
    shop.sandbox.close_payout()
    shop.at(LONG_AGO + 10 * DAY)
    shop.charge_by_hand(200_00, customer=stranger)
    shop.paid()
    run = shop.reconcile()
    assert shop.kinds() == []
    assert run.transactions == 4, "two charges, a payout, and ours"
    assert Entry.objects.filter(kind="payout").count() == 0
    assert Entry.objects.filter(kind="fee").count() == 1, "ours"
    assert clearing() == 130_78
    # What is paid out from now on leaves the balance for our bank, whosever it was.
    shop.at(NIGHT + 5 * DAY)
    shop.sandbox.close_payout()
    shop.reconcile(NIGHT + 8 * DAY)
    assert shop.kinds() == []
    assert Entry.objects.filter(kind="payout").count() == 1


def test_the_note_about_another_program_says_what_the_books_have(shop: Counter) -> None:
    shop.paid()
    shop.charge_by_hand(20_00, customer=shop.stranger())
    shop.reconcile()
    said = shop.difference("other_customers").what.replace("\N{NO-BREAK SPACE}", " ")
    assert "1 charge over $20.00 USD" in said
    assert "since 10 February 2026" in said
    assert "The books do not have them" in said
    assert "They do have Stripe's fees for them, and the payouts that they were part of" in said
    assert "Nothing of it is in the books" not in said
