"""A Stripe that takes its time: movements come days after their charges."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from callbill.domain.ledger.models import Account, Posting
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import GatewayEvent
from stripe_sandbox.handle import Handle
from stripe_sandbox.server import running
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter

DAY = 86400


@pytest.fixture(scope="module")
def one_sandbox() -> Iterator[Handle]:
    """One whose balance transactions come after ten days."""
    with running(webhook_retries=(0.05, 0.05), settle_after=10 * DAY) as handle:
        yield handle


def test_what_is_on_its_way_is_no_difference_until_it_takes_too_long(shop: Counter) -> None:
    shop.paid()
    run = shop.reconcile()
    assert (shop.kinds(), run.transactions) == ([], 0)
    shop.reconcile(NIGHT + timedelta(days=8))
    assert shop.kinds() == ["fee_missing"]
    assert "so its fee is not in the books" in shop.difference("fee_missing").what
    run = shop.reconcile(NIGHT + timedelta(days=10))
    assert (shop.kinds(), run.transactions) == ([], 1)
    assert Posting.objects.get(account=Account.STRIPE_FEES).amount_minor == 4_22


def test_the_message_that_the_movement_is_there_posts_the_fee(shop: Counter) -> None:
    shop.paid()
    shop.at(PAID_AT + timedelta(minutes=1))
    payments.backfill_events(now=PAID_AT)
    payments.handle_events(now=PAID_AT)
    assert not Posting.objects.filter(account=Account.STRIPE_FEES).exists()
    later = PAID_AT + timedelta(days=11)
    shop.at(later)
    payments.backfill_events(now=later)
    payments.handle_events(now=later)
    assert "charge.updated" in set(GatewayEvent.objects.values_list("kind", flat=True))
    assert Posting.objects.get(account=Account.STRIPE_FEES).amount_minor == 4_22
    shop.reconcile(later)
    assert Posting.objects.filter(account=Account.STRIPE_FEES).count() == 1
