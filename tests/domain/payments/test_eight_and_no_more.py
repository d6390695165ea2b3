"""After eight automatic attempts there is no ninth, whichever way leads back to collecting (M28)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from callbill.domain.customers import operations as customers
from callbill.domain.disputes.operations import place_hold
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import gateway, operations
from callbill.domain.payments._attempt import drive
from callbill.domain.payments._preparing import prepare
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop

LATER = ISSUED + timedelta(hours=2)


@pytest.fixture
def invoice(shop: Shop) -> Invoice:
    """January's, after its eighth automatic attempt."""
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    made = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"declined": 1}
    CollectionPlan.objects.update(automatic_attempts=8, next_attempt_at=None, stopped_because="too_many")
    return made


def retry(shop: Shop, invoice: Invoice) -> Any:
    return operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="They called", now=LATER
    )


def our_mistake(shop: Shop, invoice: Invoice) -> None:
    def wrong(self: Any, **given: Any) -> Any:
        raise gateway.OurMistake("A wrong request")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(gateway.gateway()), "confirm", wrong)
        assert retry(shop, invoice).state == "error"
    plan = CollectionPlan.objects.get()
    assert (plan.next_attempt_at, plan.stopped_because) == (None, "too_many"), "no try is announced"


def what_is_owed_changes(shop: Shop, invoice: Invoice) -> None:
    attempt = prepare(invoice_id=invoice.id, trigger="staff", now=LATER)
    invoicing.record_payment(invoice_id=invoice.id, amount_minor=35_00, reference="elsewhere", now=LATER)
    drive(attempt_id=attempt.id, now=LATER)


def canceled_at_the_gateway(shop: Shop, invoice: Invoice) -> None:
    attempt = prepare(invoice_id=invoice.id, trigger="staff", now=LATER)
    shop.stripe.v1.payment_intents.cancel(str(attempt.intent.reference))
    drive(attempt_id=attempt.id, now=LATER)


def given_up(shop: Shop, invoice: Invoice) -> None:
    shop.add_card(ALWAYS_3DS, default=True)
    assert retry(shop, invoice).state == "action_required"
    operations.stop_waiting(invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="-", now=LATER)


def a_hold_is_lifted(shop: Shop, invoice: Invoice) -> None:
    by = {"actor_id": shop.staff.user_id, "reason": "-", "now": LATER}
    place_hold(invoice_id=invoice.id, kind="question", cause="1", amount=None, **by)
    CollectionPlan.objects.update(stopped_because="on_hold")
    operations.lift_hold(hold_id=invoice.holds.get().id, **by)


def a_stop_is_lifted(shop: Shop, invoice: Invoice) -> None:
    operations.stop_collection(payer_id=shop.payer.id, key="x", reason="-", now=LATER)
    CollectionPlan.objects.update(stopped_because="stopped")
    stop = shop.payer.collection_stops.get()
    operations.lift_collection_stop(stop_id=stop.id, actor_id=shop.staff.user_id, reason="-", now=LATER)


DOORS = (
    *(our_mistake, what_is_owed_changes, canceled_at_the_gateway),
    *(given_up, a_hold_is_lifted, a_stop_is_lifted),
)


@pytest.mark.parametrize("door", DOORS)
def test_no_ninth(shop: Shop, invoice: Invoice, door: Callable[[Shop, Invoice], None]) -> None:
    door(shop, invoice)
    made = PaymentAttempt.objects.count()
    for days in (0, 2, 40, 80):
        operations.collect_due(now=LATER + timedelta(days=days, hours=1))
    assert PaymentAttempt.objects.count() == made
    plan = CollectionPlan.objects.get()
    assert (plan.next_attempt_at, plan.stopped_because) == (None, "too_many")
    assert plan.automatic_attempts == 8
    shop.add_card("pm_card_mastercard", default=True)
    assert operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="They called", now=LATER
    ).paid, "people still can"


def test_a_new_card_stays_planned_when_the_old_ones_try_ends_without_a_charge(
    shop: Shop, invoice: Invoice
) -> None:
    """The page has said that the new card is charged within a few minutes."""
    customers.set_pay_on_new_card(viewer=shop.admin, payer_id=shop.payer.id, choice=True)
    shop.sandbox.fault("reset_before", path="/confirm$", method="POST", times=3)
    assert retry(shop, invoice).state == "submitted"
    shop.add_card("pm_card_mastercard", default=True)
    assert CollectionPlan.objects.get().new_card
    shop.hold_some(invoice)
    operations.sweep_attempts(now=LATER + timedelta(minutes=20))
    assert PaymentAttempt.objects.latest("created_at", "id").state == "canceled"
    done = operations.charge_new_cards(now=LATER + timedelta(minutes=21))
    assert done.attempts == {"succeeded": 1}
