"""A new default card while something is past due: charged by itself if payer or seller want it so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.customers import operations as customers
from callbill.domain.customers.models import BillableEntity, Seller
from callbill.domain.customers.queries import NotAllowed
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt, PaymentMethod
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from tests.domain import world
from tests.domain.payments.shop import DECLINES, ISSUED, Shop

LATER = ISSUED + timedelta(hours=5)
MARCH = world.at("2026-03-01T05:00")


@pytest.fixture
def invoice(shop: Shop) -> Invoice:
    """January's, past due because the first card was declined."""
    shop.add_card(DECLINES)
    made = shop.bill()
    assert operations.collect_due(now=ISSUED).attempts == {"declined": 1}
    return made


def seller_says(choice: bool) -> None:
    Seller.objects.update_or_create(
        key="default", defaults={"name": "CIC", "legal_name": "CIC Inc.", "pay_on_new_card": choice}
    )


@pytest.mark.parametrize(
    ("seller", "payer", "by_itself"),
    [
        (False, None, False),
        (True, None, True),
        (False, True, True),
        (True, False, False),
    ],
)
def test_the_payer_decides_and_else_the_seller(
    shop: Shop, invoice: Invoice, seller: bool, payer: bool | None, by_itself: bool
) -> None:
    seller_says(seller)
    customers.set_pay_on_new_card(viewer=shop.admin, payer_id=shop.payer.id, choice=payer)
    shop.add_card("pm_card_mastercard", default=True, now=LATER)
    done = operations.charge_new_cards(now=LATER)
    assert done.attempts == ({"succeeded": 1} if by_itself else {})
    invoice.refresh_from_db()
    assert invoice.status == ("paid" if by_itself else "past_due")
    plan = CollectionPlan.objects.get()
    assert plan.new_card is False
    assert plan.next_attempt_at == (None if by_itself else MARCH)
    if by_itself:
        attempt = shop.attempt(invoice)
        assert (attempt.trigger, attempt.payment_method.last4) == ("new_card", "4444")
        assert len(shop.charges(paid=True)) == 1


def test_the_words_say_so_until_it_is_charged_and_it_is_charged_once(shop: Shop, invoice: Invoice) -> None:
    seller_says(True)
    shop.add_card("pm_card_mastercard", default=True, now=LATER)
    said = queries.what_happens_next(invoice.id)
    assert said == "Your Mastercard •••• 4444 will be charged within a few minutes."
    for _ in range(2):
        operations.charge_new_cards(now=LATER)
        operations.collect_due(now=LATER)
    assert len(shop.charges(paid=True)) == 1
    assert len(shop.told("payment_received")) == 1


def test_the_hourly_run_takes_it_too(shop: Shop, invoice: Invoice) -> None:
    seller_says(True)
    shop.add_card("pm_card_mastercard", default=True, now=LATER)
    assert operations.collect_due(now=LATER).attempts == {"succeeded": 1}
    assert shop.attempt(invoice).trigger == "new_card"


def test_a_first_card_is_a_new_default_card(shop: Shop) -> None:
    seller_says(True)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    overdue = world.at("2026-02-17T12:00")
    operations.collect_due(now=overdue)
    invoice.refresh_from_db()
    assert invoice.status == "past_due"
    shop.add_card(now=overdue)
    assert operations.charge_new_cards(now=overdue).attempts == {"succeeded": 1}


def test_it_uses_up_no_automatic_attempt_and_the_cycle_goes_on(shop: Shop, invoice: Invoice) -> None:
    seller_says(True)
    card = shop.add_card("pm_card_mastercard", now=LATER)
    shop.sandbox.decline_next(card.reference)
    operations.make_default(viewer=shop.admin, card_id=card.id, now=LATER)
    assert operations.charge_new_cards(now=LATER).attempts == {"declined": 1}
    assert operations.charge_new_cards(now=LATER + timedelta(minutes=1)).attempts == {}
    plan = CollectionPlan.objects.get()
    assert (plan.automatic_attempts, plan.next_attempt_at, plan.new_card) == (1, MARCH, False)
    # The same card made default again is nothing new.
    operations.make_default(viewer=shop.admin, card_id=card.id, now=LATER)
    assert operations.charge_new_cards(now=LATER).attempts == {}


def test_a_card_made_default_while_the_old_one_is_charged(shop: Shop) -> None:
    seller_says(True)
    old = shop.add_card()
    shop.sandbox.decline_next(old.reference, times=2)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    # Nobody answers while the old card is charged again; meanwhile the customer brings another one.
    shop.sandbox.fault("503", path="/confirm$", times=3)
    operations.retry_now(invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="they asked", now=LATER)
    assert shop.attempt(invoice).state == "submitted"
    shop.add_card("pm_card_mastercard", default=True, now=LATER)
    assert operations.charge_new_cards(now=LATER).attempts == {}
    after = LATER + timedelta(minutes=20)
    operations.sweep_attempts(now=after)
    assert shop.attempt(invoice).state == "declined"
    assert operations.charge_new_cards(now=after).attempts == {"succeeded": 1}
    assert len(shop.charges(paid=True)) == 1


def test_somebody_who_pays_first_is_not_charged_twice(shop: Shop, invoice: Invoice) -> None:
    seller_says(True)
    shop.add_card("pm_card_mastercard", default=True, now=LATER)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=LATER)
    assert operations.charge_new_cards(now=LATER).attempts == {}
    assert len(shop.charges(paid=True)) == 1


def test_who_may_set_it(shop: Shop) -> None:
    member = world.viewer("joe@acme.example", company=shop.company)
    for viewer in (member, shop.staff):
        with pytest.raises(NotAllowed):
            customers.set_pay_on_new_card(viewer=viewer, payer_id=shop.payer.id, choice=True)
    customers.set_pay_on_new_card(viewer=shop.admin, payer_id=shop.payer.id, choice=True)
    assert BillableEntity.objects.get(id=shop.payer.id).pay_on_new_card is True


def test_how_the_seller_collects_is_set_with_a_reason(shop: Shop) -> None:
    def put(days: list[int], reason: str = "agreed with finance", pay: bool = True) -> None:
        customers.set_collection(
            actor_id=shop.staff.user_id,
            retry_ladder_days=days,
            pay_on_new_card=pay,
            reason=reason,
            now=ISSUED,
        )

    with pytest.raises(ReasonMissing):
        put([3, 5], " ")
    for wrong in ([0], [31], [3, 3], [5, 3], [1, 2, 3, 4, 5, 6, 7, 8]):
        with pytest.raises(customers.BadLadder):
            put(wrong)
    assert not Seller.objects.exists()
    assert not StaffAction.objects.exists()
    put([3, 5])
    kept = Seller.objects.get()
    assert (kept.retry_ladder_days, kept.pay_on_new_card, kept.name) == ([3, 5], True, "CIC")
    put([], pay=False)
    action = StaffAction.objects.latest("at", "id")
    assert action.action == "change_collection"
    assert action.details == {
        "retry_ladder_days (before)": "3, 5",
        "pay_on_new_card (before)": "yes",
        "retry_ladder_days (now)": "none",
        "pay_on_new_card (now)": "no",
    }


def test_the_default_of_the_moment_is_charged(shop: Shop, invoice: Invoice) -> None:
    seller_says(True)
    first = PaymentMethod.objects.get()
    shop.add_card("pm_card_mastercard", default=True, now=LATER)
    operations.make_default(viewer=shop.admin, card_id=first.id, now=LATER)
    assert operations.charge_new_cards(now=LATER).attempts == {"declined": 1}
    assert [a.payment_method_id for a in PaymentAttempt.objects.all()] == [first.id, first.id]
