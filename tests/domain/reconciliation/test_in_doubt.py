"""A charge whose answer was lost is not a charge that nobody here made, whatever Stripe answers at night."""

from __future__ import annotations

from datetime import timedelta

from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import CollectionStop, PaymentAttempt
from callbill.domain.reconciliation.operations import reconcile
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter


def test_a_charge_in_doubt_about_which_stripe_does_not_answer_stops_nobody(shop: Counter) -> None:
    shop.at(PAID_AT)
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path="/confirm$", method="POST", times=3)
    shop.sandbox.fault("503", path="^/v1/payment_intents/", method="GET", times=1000)
    payments.collect_due(now=PAID_AT)
    assert PaymentAttempt.objects.get().state == "submitted"
    assert len(shop.charges(paid=True)) == 1
    shop.at(NIGHT)
    run = reconcile(now=NIGHT)
    assert not CollectionStop.objects.exists()
    assert run.problem
    assert shop.kinds() == []
    shop.sandbox.clear_faults()
    shop.reconcile(NIGHT + timedelta(hours=1))
    assert shop.kinds() == []
    invoice.refresh_from_db()
    assert invoice.status == "paid"
