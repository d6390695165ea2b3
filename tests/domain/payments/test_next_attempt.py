"""Why an invoice is tried next when it is, as its page says: the reason it was planned for, not a guess."""

from __future__ import annotations

from datetime import datetime, timedelta

from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import place_hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments._stopping import stop_collection
from callbill.domain.payments.models import CollectionPlan, CollectionStop
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import ISSUED, Shop
from tests.domain.payments.test_retry_stories import ladder

MARCH = world.at("2026-03-01T05:00")
CYCLE = "Automatic retry, with the next billing cycle"


def said(shop: Shop, invoice: Invoice) -> tuple[datetime | None, str] | None:
    """What the invoice's page says of the next try."""
    found = queries.next_attempt(shop.staff, invoice.id)
    return (found.at, found.reason) if found else None


def declined(shop: Shop, *days: int, code: str = "insufficient_funds", times: int = 1) -> Invoice:
    """An invoice whose first charge was declined, with this ladder."""
    ladder(*days)
    shop.sandbox.decline_next(shop.add_card().reference, code, times=times)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    return invoice


def held(shop: Shop, invoice: Invoice, amount: Money | None) -> Hold:
    """Staff hold an amount of it, or all."""
    return place_hold(
        invoice_id=invoice.id,
        kind="question",
        cause="q",
        amount=amount,
        reason="Ten calls are looked at",
        actor_id=shop.staff.user_id,
        now=ISSUED,
    )


def test_the_ladder_then_the_cycle(shop: Shop) -> None:
    invoice = declined(shop, 3, 5, times=3)
    assert said(shop, invoice) == (ISSUED + timedelta(days=3), "Automatic retry, 3 days after the decline")
    operations.collect_due(now=ISSUED + timedelta(days=3))
    assert said(shop, invoice) == (ISSUED + timedelta(days=8), "Automatic retry, 5 days after the decline")
    operations.collect_due(now=ISSUED + timedelta(days=8))
    assert said(shop, invoice) == (MARCH, CYCLE)


def test_a_step_beyond_the_cycle_is_the_cycle(shop: Shop) -> None:
    assert said(shop, declined(shop, 30)) == (MARCH, CYCLE)


def test_a_persons_try_leaves_the_step_and_its_reason(shop: Shop) -> None:
    invoice = declined(shop, 3, times=2)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED + timedelta(days=1))
    assert said(shop, invoice) == (ISSUED + timedelta(days=3), "Automatic retry, 3 days after the decline")


def test_a_persons_try_when_the_step_was_due(shop: Shop) -> None:
    invoice = declined(shop, 3, times=2)
    late = ISSUED + timedelta(days=3, minutes=5)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=late)
    assert said(shop, invoice) == (late + timedelta(days=1), "Automatic retry, a day after the last try")


def test_a_card_refused_for_good(shop: Shop) -> None:
    invoice = declined(shop, 3, code="stolen_card")
    assert said(shop, invoice) == (MARCH, "With the next billing cycle, if there is another card by then")


def test_all_on_hold_is_not_tried_and_says_why_it_is_when_lifted(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    hold = held(shop, invoice, Money(35_00, "USD"))
    operations.collect_due(now=ISSUED)  # the 100.00 that are not held
    assert said(shop, invoice) is None
    lifted = ISSUED + timedelta(days=5)
    operations.lift_hold(hold_id=hold.id, actor_id=shop.staff.user_id, reason="They agreed", now=lifted)
    assert said(shop, invoice) == (lifted, "Because nothing holds the invoice any more")


def test_a_hold_over_all_of_a_declined_invoice_hides_the_try_that_is_not_made(shop: Shop) -> None:
    invoice = declined(shop)
    assert said(shop, invoice) == (MARCH, CYCLE)
    hold = held(shop, invoice, None)
    assert said(shop, invoice) is None
    operations.lift_hold(hold_id=hold.id, actor_id=shop.staff.user_id, reason="They agreed", now=ISSUED)
    assert said(shop, invoice) == (MARCH, CYCLE)


def test_a_payer_who_was_stopped(shop: Shop) -> None:
    invoice = declined(shop)
    stop_collection(payer_id=shop.payer.id, key="something", reason="A charge too many", now=ISSUED)
    assert said(shop, invoice) is None
    assert operations.collect_due(now=MARCH).attempts == {}
    stop = CollectionStop.objects.get()
    operations.lift_collection_stop(stop_id=stop.id, actor_id=shop.staff.user_id, reason="Mended", now=MARCH)
    assert said(shop, invoice) == (MARCH, "Because payments go on again")


def test_planned_before_reasons_were_kept(shop: Shop) -> None:
    invoice = declined(shop)
    CollectionPlan.objects.filter(invoice=invoice).update(planned_because="")
    assert said(shop, invoice) == (MARCH, "Automatic retry")
