"""A charge too many stops its payer, however often an invoice was charged too often before."""

from __future__ import annotations

from datetime import datetime, timedelta

from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import CollectionStop, StaffAlert
from tests.domain.reconciliation.conftest import NIGHT, Counter

NEXT_NIGHT = NIGHT + timedelta(days=1)


def lift(shop: Counter, now: datetime) -> None:
    stop = CollectionStop.objects.get(lifted_at=None)
    payments.lift_collection_stop(
        stop_id=stop.id, actor_id=shop.staff.user_id, reason="Mia did it by hand", now=now
    )


def standing() -> list[str]:
    return list(CollectionStop.objects.filter(lifted_at=None).values_list("key", flat=True))


def test_an_invoice_charged_twice_a_second_time_stops_again(shop: Counter) -> None:
    invoice = shop.paid()
    second = shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile()
    assert standing() == [f"two_charges:{second}"]
    shop.refund_by_hand(second)
    shop.reconcile(NIGHT + timedelta(hours=1))
    assert shop.kinds() == []
    lift(shop, NIGHT + timedelta(hours=1))
    third = shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile(NEXT_NIGHT)
    assert shop.kinds() == ["clearing_named", "two_charges"]
    assert standing() == [f"two_charges:{third}"]


def test_a_third_charge_stops_while_the_second_is_explained(shop: Counter) -> None:
    invoice = shop.paid()
    shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile()
    lift(shop, NIGHT)
    shop.reconcile(NIGHT + timedelta(hours=1))
    assert standing() == [], "what was explained does not stop again"
    third = shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile(NEXT_NIGHT)
    assert standing() == [f"two_charges:{third}"]
    (told,) = StaffAlert.objects.filter(kind="collection_stopped", settled_at=None)
    assert third in told.message
