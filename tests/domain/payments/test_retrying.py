"""After a decline: the next billing cycle, the ladder, another card, staff, the customer (M28)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbill.domain.customers.models import Seller
from callbill.domain.customers.queries import NotAllowed, NotFound
from callbill.domain.invoicing.operations import record_payment
from callbill.domain.invoicing.queries import books_differences
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt, PaymentIntent
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from tests.domain import world
from tests.domain.payments.shop import ISSUED, VISA, Shop

MARCH = world.at("2026-03-01T05:00")
APRIL = world.at("2026-04-01T04:00")


def test_the_next_billing_cycle_tries_again(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    assert "We try" not in queries.what_happens_next(invoice.id)
    assert "Your Visa •••• 4242 will be charged on 1 March 2026" in queries.what_happens_next(invoice.id)
    assert operations.collect_due(now=MARCH - timedelta(seconds=1)).attempts == {}
    assert operations.collect_due(now=MARCH).attempts == {"succeeded": 1}
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    assert [a.trigger for a in PaymentAttempt.objects.all()] == ["issue", "cycle"]
    assert PaymentIntent.objects.count() == 1


def test_a_ladder_tries_in_between(shop: Shop) -> None:
    Seller.objects.update_or_create(
        key="default", defaults={"name": "CIC", "legal_name": "CIC Inc.", "retry_ladder_days": [3]}
    )
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=2)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert plan.next_attempt_at == ISSUED + timedelta(days=3)
    assert operations.collect_due(now=ISSUED + timedelta(days=3)).attempts == {"declined": 1}
    plan.refresh_from_db()
    assert plan.next_attempt_at == MARCH
    assert len(shop.told("payment_failed")) == 2


def test_a_hard_decline_waits_for_another_card(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, "stolen_card")
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    assert not queries.can_pay_now(invoice.id)
    # A cycle goes by: not tried, told again, once.
    assert operations.collect_due(now=MARCH).attempts == {}
    assert operations.collect_due(now=MARCH + timedelta(hours=1)).attempts == {}
    assert len(shop.charges()) == 1
    assert len(shop.told("card_must_be_replaced")) == 1
    with pytest.raises(operations.CardMustBeReplaced, match="Add another card"):
        operations.retry_now(
            invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="customer asked", now=MARCH
        )
    # With another default card the words change and the next cycle takes it.
    shop.add_card("pm_card_mastercard", default=True)
    assert "Your Mastercard •••• 4444 will be charged on 1 April 2026" in queries.what_happens_next(
        invoice.id
    )
    assert queries.can_pay_now(invoice.id)
    assert operations.collect_due(now=APRIL).attempts == {"succeeded": 1}


def test_eight_automatic_attempts_and_no_more(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=20)
    invoice = shop.bill()
    now = ISSUED
    for _ in range(12):
        operations.collect_due(now=now)
        now += timedelta(days=31)
    assert len(shop.charges()) == 8
    assert "We have stopped trying by ourselves" in queries.what_happens_next(invoice.id)
    # People still can, and do not count.
    declined = operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=now)
    assert declined.state == "declined"
    assert CollectionPlan.objects.get(invoice=invoice).automatic_attempts == 8
    shop.sandbox.card(card.reference, outcomes=[])
    paid = operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="they called", now=now
    )
    assert paid.paid


def test_staff_retry_now_is_in_the_audit_log(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=2)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    with pytest.raises(ReasonMissing):
        operations.retry_now(invoice_id=invoice.id, actor_id=shop.staff.user_id, reason=" ", now=ISSUED)
    assert PaymentAttempt.objects.count() == 1
    later = ISSUED + timedelta(days=2)
    shown = operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="customer topped up", now=later
    )
    assert (shown.state, shown.trigger_word) == ("declined", "Retried by staff")
    plan = CollectionPlan.objects.get(invoice=invoice)
    assert (plan.automatic_attempts, plan.next_attempt_at) == (1, MARCH)
    action = StaffAction.objects.get()
    assert (action.action, action.subject_label, action.reason) == (
        "retry_payment",
        invoice.number,
        "customer topped up",
    )
    assert operations.retry_now(
        invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="once more", now=later
    ).paid
    with pytest.raises(operations.NothingDue, match="is paid"):
        operations.retry_now(
            invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="and again", now=later
        )


def test_a_retry_that_is_refused_is_in_the_audit_log_too(shop: Shop) -> None:
    invoice = shop.bill()
    with pytest.raises(operations.NoCard):
        operations.retry_now(
            invoice_id=invoice.id, actor_id=shop.staff.user_id, reason="They say a card is there", now=ISSUED
        )
    action = StaffAction.objects.get(subject_id=str(invoice.id))
    assert (action.action, action.reason) == ("retry_payment", "They say a card is there")


def test_a_new_card_pays_what_is_past_due_at_once(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    shop.add_card("pm_card_mastercard", default=True)
    shown = operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    assert shown.paid
    assert shown.card == "Mastercard •••• 4444"
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_only_what_is_still_owed_is_charged(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    record_payment(invoice_id=invoice.id, amount_minor=35_00, reference="bank-transfer-1", now=ISSUED)
    shown = operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    assert shown.paid
    assert [charge.amount for charge in shop.charges(paid=True)] == [100_00]
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor) == ("paid", 135_00)
    assert PaymentIntent.objects.count() == 1
    assert books_differences() == []


def test_who_may_pay(shop: Shop) -> None:
    shop.add_card(VISA)
    invoice = shop.bill()
    number = str(invoice.number)
    member = world.viewer("joe@acme.example", company=shop.company)
    stranger = world.viewer("eve@other.example", company=world.company("other", "Other"), administrator=True)
    with pytest.raises(NotAllowed):
        operations.pay_now(viewer=member, number=number, now=ISSUED)
    with pytest.raises(NotAllowed):
        operations.pay_now(viewer=shop.staff, number=number, now=ISSUED)
    with pytest.raises(NotFound):
        operations.pay_now(viewer=stranger, number=number, now=ISSUED)
    operations.collect_due(now=ISSUED)
    assert queries.attempts(stranger, invoice.id) == []
    assert queries.receipt_of(stranger, invoice.id) is None
    receipt = queries.receipt_of(member, invoice.id)
    assert receipt is not None
    with pytest.raises(NotFound):
        queries.receipt_for(stranger, receipt.number)
    assert len(queries.attempts(member, invoice.id)) == 1


def test_where_the_organization_pays_its_card_is_not_shown_to_a_company(shop: Shop) -> None:
    harbor = world.organization()
    north = world.company("north", "North", of=harbor)
    payer = world.payer_of(north)
    boss = world.viewer("bo@harbor.example", organization=harbor, administrator=True)
    clerk = world.viewer("cy@north.example", company=north, administrator=True)
    shop.add_card(viewer=boss, payer_id=payer.id)
    shop.company = north
    shop.payer = payer
    invoice = shop.bill()
    words = queries.what_happens_next(invoice.id, viewer=clerk)
    assert words == "Harbor Group pays this invoice; its billing administrator looks after the payment."
    assert "Visa" in queries.what_happens_next(invoice.id, viewer=boss)
    operations.collect_due(now=ISSUED)
    shop.sandbox.dispute(str(shop.attempt(invoice).charge))
    operations.ask_about_chargebacks(now=ISSUED + timedelta(hours=1))
    assert "Visa" in queries.what_happens_next(invoice.id, viewer=boss)
    assert (
        queries.what_happens_next(invoice.id, viewer=clerk) == "This invoice is paid. There is nothing to do."
    )
    with pytest.raises(NotFound):
        queries.cards(clerk, payer.id, now=ISSUED)
    with pytest.raises(NotFound):
        operations.start_card_setup(viewer=clerk, payer_id=payer.id, ip=None, now=ISSUED)
    operations.collect_due(now=ISSUED)
    assert queries.attempts(clerk, invoice.id) == []
