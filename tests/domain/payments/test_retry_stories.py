"""The retry policy in time: the next cycle, a ladder, eight and no more, new cards, unknown codes (M28)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from callbill.domain.customers.models import Seller
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt
from tests.domain import world
from tests.domain.payments.shop import ISSUED, Shop

FOREVER = 60  # declines, more than any story has attempts


def ladder(*days: int) -> None:
    Seller.objects.update_or_create(
        key="default", defaults={"name": "CIC", "legal_name": "CIC Inc.", "retry_ladder_days": list(days)}
    )


def live_through(shop: Shop, until: str, since: datetime = ISSUED) -> None:
    """The hourly run, once a day at nine."""
    now, end = since, world.at(until)
    while now <= end:
        operations.collect_due(now=now)
        now += timedelta(days=1)


def tried(invoice: Invoice, *triggers: str) -> list[date]:
    """The days on which it was tried, for these reasons."""
    made = PaymentAttempt.objects.filter(invoice=invoice, trigger__in=triggers or ("issue", "cycle"))
    return [moment.date() for moment in made.order_by("created_at").values_list("created_at", flat=True)]


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(f"2026-{text}") for text in texts]


def retry(shop: Shop, invoice: Invoice, now: datetime) -> str:
    return operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="They called", now=now
    ).state


def test_without_a_ladder_each_cycle_tries_once_until_eight(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=FOREVER)
    invoice = shop.bill()
    live_through(shop, "2026-12-15T09:00")
    months = ("02", "03", "04", "05", "06", "07", "08", "09")
    assert tried(invoice) == days(*(f"{month}-01" for month in months))
    assert len(shop.told("payment_failed")) == 8
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert (plan.automatic_attempts, plan.next_attempt_at, plan.stopped_because) == (8, None, "too_many")


def test_a_ladder_then_the_cycles_and_people_in_between(shop: Shop) -> None:
    """3 and 5 days after a decline, then each cycle; what people try neither counts nor moves the plan."""
    ladder(3, 5)
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=FOREVER)
    invoice = shop.bill()
    live_through(shop, "2026-02-05T09:00")
    assert retry(shop, invoice, world.at("2026-02-06T15:00")) == "declined"
    assert (
        operations.pay_now(
            viewer=shop.admin, number=str(invoice.number), now=world.at("2026-02-06T16:00")
        ).state
        == "declined"
    )
    live_through(shop, "2026-12-15T09:00", since=world.at("2026-02-07T09:00"))
    assert tried(invoice) == days("02-01", "02-04", "02-09", "03-01", "04-01", "05-01", "06-01", "07-01")
    assert tried(invoice, "staff", "customer") == days("02-06", "02-06")
    assert CollectionPlan.objects.get(invoice=invoice).automatic_attempts == 8
    # After the eighth people still can, and it is not the ninth of the machine's.
    assert retry(shop, invoice, world.at("2026-12-16T09:00")) == "declined"
    live_through(shop, "2027-03-02T09:00", since=world.at("2026-12-17T09:00"))
    assert len(tried(invoice)) == 8


def test_a_ladder_never_goes_past_the_cycle(shop: Shop) -> None:
    ladder(20, 30)
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=FOREVER)
    invoice = shop.bill()
    live_through(shop, "2026-04-02T09:00")
    assert tried(invoice) == days("02-01", "02-21", "03-01", "04-01")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("lost_card", "do_not_try_again"),
        ("insufficient_funds", "do_not_try_again"),
        ("transaction_not_allowed", None),
        ("do_not_try_again", None),
    ],
)
def test_a_hard_decline_is_never_tried_again_on_that_card(shop: Shop, code: str, advice: str | None) -> None:
    ladder(3, 5)
    card = shop.add_card()
    refusal = {"code": "card_declined", "decline_code": code, "advice_code": advice, "times": FOREVER}
    shop.sandbox.card(card.reference, outcomes=[refusal])
    invoice = shop.bill()
    live_through(shop, "2026-04-02T09:00")
    assert tried(invoice) == days("02-01")
    assert len(shop.told("card_must_be_replaced")) == 2, "told again each cycle"
    with pytest.raises(operations.CardMustBeReplaced):
        retry(shop, invoice, world.at("2026-04-03T09:00"))
    # Another card is tried on the next cycle; declined softly, it goes on from there.
    other = shop.add_card("pm_card_mastercard", default=True, now=world.at("2026-04-04T09:00"))
    shop.sandbox.decline_next(other.reference)
    live_through(shop, "2026-05-20T09:00", since=world.at("2026-04-05T09:00"))
    assert tried(invoice) == days("02-01", "05-01", "05-06")
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_the_first_card_again_after_another_is_still_not_tried(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, "stolen_card", times=FOREVER)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    other = shop.add_card("pm_card_mastercard", default=True)
    shop.sandbox.decline_next(other.reference, times=FOREVER)
    assert retry(shop, invoice, ISSUED + timedelta(days=1)) == "declined"
    operations.make_default(viewer=shop.admin, card_id=card.id, now=ISSUED + timedelta(days=2))
    live_through(shop, "2026-04-02T09:00", since=ISSUED + timedelta(days=3))
    assert len(shop.charges()) == 2
    assert not queries.can_pay_now(invoice.id)


def test_a_code_that_nobody_knows_is_soft_and_capped(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, "brand_new_reason", times=FOREVER)
    invoice = shop.bill()
    live_through(shop, "2026-12-15T09:00")
    assert len(tried(invoice)) == 8
    shown = queries.attempts(shop.admin, invoice.id)[0]
    assert shown.what_happened == "The bank declined the payment."
    assert "brand_new_reason" not in shown.what_happened + shown.what_to_do + shown.staff_codes
    assert "brand_new_reason" in queries.attempts(shop.staff, invoice.id)[0].staff_codes


def test_a_retry_by_staff_that_fails_by_our_mistake_keeps_the_planned_day(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, "insufficient_funds")
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    planned = CollectionPlan.objects.get(invoice=invoice).next_attempt_at
    assert planned is not None
    shop.stripe.v1.payment_methods.detach(card.reference)
    assert retry(shop, invoice, ISSUED + timedelta(days=1)) == "error"
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert (plan.next_attempt_at, plan.stopped_because) == (planned, "")


def test_our_own_mistakes_use_up_nothing(shop: Shop) -> None:
    card = shop.add_card()
    invoice = shop.bill()
    shop.stripe.v1.payment_methods.detach(card.reference)  # somebody did so at Stripe: a bad request of ours
    for day in range(10):
        operations.collect_due(now=ISSUED + timedelta(days=day))
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert (plan.automatic_attempts, plan.stopped_because) == (0, "our_mistake")
    invoice.refresh_from_db()
    assert invoice.status == "open"


def with_a_ladder(*days: int) -> None:
    Seller.objects.update_or_create(
        key="default", defaults={"name": "CIC", "legal_name": "CIC Inc.", "retry_ladder_days": list(days)}
    )


def test_a_person_who_is_quicker_than_the_hourly_run_uses_up_no_step(shop: Shop) -> None:
    with_a_ladder(3, 10)
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=9)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    paid = ISSUED + timedelta(days=3, minutes=5)
    assert operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=paid).state == "declined"
    assert CollectionPlan.objects.get().next_attempt_at == paid + timedelta(days=1)
    step = paid + timedelta(days=1)
    assert operations.collect_due(now=step).attempts == {"declined": 1}
    assert CollectionPlan.objects.get().next_attempt_at == step + timedelta(days=10)


def test_a_new_card_on_the_day_of_the_decline_uses_up_no_step(shop: Shop) -> None:
    with_a_ladder(3)
    Seller.objects.update(pay_on_new_card=True)
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    shop.bill()
    operations.collect_due(now=ISSUED)
    other = shop.add_card("pm_card_mastercard")
    shop.sandbox.decline_next(other.reference)
    operations.make_default(viewer=shop.admin, card_id=other.id, now=ISSUED)
    assert operations.charge_new_cards(now=ISSUED).attempts == {"declined": 1}
    assert CollectionPlan.objects.get().next_attempt_at == ISSUED + timedelta(days=3)
