"""A Stripe that gives no answer: what was not begun waits for the next run, and nothing stands behind it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt
from callbill.rules.dunning import Stop
from tests.domain import world
from tests.domain.payments.shop import ISSUED, Shop, issued_row
from tests.domain.payments.test_collection_runs import LATER, customers


def test_a_silent_stripe_ends_the_run_and_the_next_one_charges_the_rest(shop: Shop) -> None:
    """Else an outage of an hour would leave as many payments in doubt as there are invoices."""
    customers(shop, 5, invoices=2)
    without = world.payer_of(world.company("none", "No Card Inc."))
    unpaid = issued_row(without, date(2025, 1, 1), date(2025, 2, 1), 50_00)
    CollectionPlan.objects.create(invoice=unpaid, stopped_because=Stop.NO_CARD.value)
    shop.sandbox.fault("503", path="/confirm$", method="POST", times=1000)
    assert operations.collect_due(now=ISSUED).attempts == {"submitted": 5}
    first = queries.collection_runs(shop.staff)[0]
    # The first customer's second invoice is not another customer's silence.
    assert (first.charged, first.to_charge, first.state_word) == (5, 10, "Ended early")
    assert "the next run charges the rest" in first.what_next
    assert first.problems == (
        "Stripe did not answer for several customers in a row, so no more cards were charged.",
    )
    assert operations.collect_due(now=LATER).attempts == {"submitted": 4}
    shop.sandbox.clear_faults()
    operations.sweep_attempts(now=LATER + timedelta(hours=1))
    operations.collect_due(now=LATER + timedelta(hours=1))
    statuses = Invoice.objects.exclude(id=unpaid.id).values_list("status", flat=True)
    assert set(statuses) == {"paid"}
    assert len(shop.charges(paid=True)) == 10


def test_one_customers_silence_does_not_stop_the_others(shop: Shop, monkeypatch: Any) -> None:
    silent, *_ = customers(shop, 3, invoices=4)
    real = operations._collecting.drive

    def drive(*, attempt_id: Any, now: Any) -> bool:
        if PaymentAttempt.objects.get(id=attempt_id).invoice.payer_id == silent.id:
            return False
        return real(attempt_id=attempt_id, now=now)

    monkeypatch.setattr(operations._collecting, "drive", drive)
    assert operations.collect_due(now=ISSUED).attempts == {"prepared": 4, "succeeded": 8}
    assert queries.collection_runs(shop.staff)[0].state_word == "Finished"
