"""A charge too many stops its payer, however often an invoice was charged too often before."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from callbill.domain.disputes.operations import place_hold
from callbill.domain.payments import operations as payments
from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import Chargeback, CollectionStop, StaffAlert
from callbill.rules.money import Money
from tests.domain.payments.disputes import given_back, lift, lose
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter

NEXT_NIGHT = NIGHT + timedelta(days=1)


def lift_stop(shop: Counter, now: datetime) -> None:
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
    lift_stop(shop, NIGHT + timedelta(hours=1))
    third = shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile(NEXT_NIGHT)
    assert shop.kinds() == ["clearing_named", "two_charges"]
    assert standing() == [f"two_charges:{third}"]


def test_a_third_charge_stops_while_the_second_is_explained(shop: Counter) -> None:
    invoice = shop.paid()
    shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile()
    lift_stop(shop, NIGHT)
    shop.reconcile(NIGHT + timedelta(hours=1))
    assert standing() == [], "what was explained does not stop again"
    third = shop.charge_by_hand(135_00, invoice=invoice)
    shop.reconcile(NEXT_NIGHT)
    assert standing() == [f"two_charges:{third}"]
    (told,) = StaffAlert.objects.filter(kind="collection_stopped", settled_at=None)
    assert third in told.message


def test_an_invoice_charged_in_two_parts_is_not_charged_twice(shop: Counter) -> None:
    """A part of it was held and charged later: two charges, both asked for."""
    shop.at(PAID_AT)
    shop.add_card(default=True)
    invoice = shop.bill()
    hold = place_hold(
        invoice_id=invoice.id,
        kind="staff",
        cause="",
        amount=Money(35_00, "USD"),
        reason="They ask about calls",
        actor_id=shop.staff.user_id,
        now=PAID_AT,
    )
    payments.collect_due(now=PAID_AT)
    payments.lift_hold(
        hold_id=hold.id, actor_id=shop.staff.user_id, reason="It was right", now=PAID_AT + timedelta(hours=1)
    )
    payments.collect_due(now=PAID_AT + timedelta(hours=2))
    assert sorted(charge.amount for charge in shop.charges(paid=True)) == [35_00, 100_00]
    shop.reconcile()
    assert shop.kinds() == []


def test_what_a_bank_gives_back_after_it_was_paid_again_is_credit_and_no_second_charge(
    shop: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two charges stand, and one of them is the customer's credit: crediting it once more would be twice."""
    invoice = shop.paid()
    reference = lose(shop, invoice)
    lift(shop, reference, PAID_AT)
    assert payments.collect_due(now=PAID_AT).attempts == {"succeeded": 1}
    changed = given_back(gateway().fetch_chargeback(reference=reference), "txn_back")
    stripe = type(gateway())
    monkeypatch.setattr(stripe, "fetch_chargeback", lambda _, *, reference: changed)
    monkeypatch.setattr(stripe, "chargebacks", lambda _, *, since: iter([changed]))
    payments.ask_about_chargebacks(now=PAID_AT)
    shop.reconcile()
    assert Chargeback.objects.get().surplus_minor == 135_00
    assert "two_charges" not in shop.kinds()
    assert standing() == []
