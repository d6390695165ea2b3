"""Refunds on which Stripe and we did not agree: what reconciliation makes of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.ledger.models import Account, Posting
from callbill.domain.payments import _refunding, gateway
from callbill.domain.payments.models import EventCursor, Refund, StaffAlert
from tests.domain.payments.test_refunds import credit, refund
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter


@pytest.fixture
def made_there(shop: Counter) -> Refund:
    """A refund of 35.00 that failed here although Stripe made it, and of which no message comes."""
    invoice = shop.paid()
    note = credit(shop, invoice, 35_00)
    shop.sandbox.fault("reset_after", path="/v1/refunds$", method="POST", times=3)
    refund(shop, note)
    _refunding._fail(Refund.objects.get().id, "It was said not to be possible.", PAID_AT)
    EventCursor.objects.create(name="events", read_until=NIGHT + timedelta(days=30))
    return Refund.objects.get()


def clearing() -> int:
    return sum(Posting.objects.filter(account=Account.STRIPE_CLEARING).values_list("amount_minor", flat=True))


def test_one_that_failed_here_and_was_made_there_is_booked(shop: Counter, made_there: Refund) -> None:
    shop.reconcile()
    assert Refund.objects.get().state == "succeeded"
    assert shop.kinds() == []
    assert clearing() == gateway.gateway().balance()[0].minor
    # It is sent back by the bank, and made again: other postings, the same object at Stripe.
    view = gateway.gateway().fetch_refund(reference=str(Refund.objects.get().reference))
    for status in (gateway.RefundStatus.FAILED, gateway.RefundStatus.SUCCEEDED):
        seen = gateway.RefundView(view.reference, status, view.amount, view.refund_id, "", view.charge)
        known = Refund.objects.get().state
        _refunding.apply_refund(refund_id=made_there.id, view=seen, known=known, now=NIGHT)
    shop.reconcile(NIGHT + timedelta(hours=1))
    assert shop.kinds() == []


def test_one_whose_credit_was_used_meanwhile_is_named(shop: Counter, made_there: Refund) -> None:
    shop.bill(10, month=2)
    shop.reconcile()
    assert Refund.objects.get().state == "failed"
    assert StaffAlert.objects.filter(kind="refund_late", settled_at=None).exists()
    assert shop.kinds() == ["clearing_named", "movement_amount"]
    named = shop.difference("movement_amount")
    assert named.payer_id == shop.payer.id
