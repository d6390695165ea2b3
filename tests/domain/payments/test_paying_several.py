"""Paying several invoices at once, and pressing a button twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from callbill.domain.customers.queries import NotAllowed, NotFound
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import PaymentAttempt, PaymentIntent
from tests.domain import world
from tests.domain.payments.shop import DECLINES, Shop

NOW = world.at("2026-04-02T09:00")


@pytest.fixture
def owed(shop: Shop) -> list[Invoice]:
    """January's to March's invoice, past due for want of a working card; now there is one."""
    shop.add_card(DECLINES)
    made = [shop.bill(month=month) for month in (1, 2, 3)]
    operations.collect_due(now=NOW - timedelta(hours=1))
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    for invoice in made:
        invoice.refresh_from_db()
        assert invoice.status == "past_due"
    return made


def numbers(invoices: list[Invoice]) -> list[str]:
    return [str(invoice.number) for invoice in invoices]


def test_each_is_its_own_payment(shop: Shop, owed: list[Invoice]) -> None:
    found = queries.payable(shop.admin)
    assert [item.number for item in found] == numbers(owed)
    assert {(str(item.amount), item.card, item.seen) for item in found} == {
        ("135.00 USD", "Mastercard •••• 4444", 1)
    }
    results = operations.pay_invoices(viewer=shop.admin, numbers=numbers(owed), now=NOW)
    assert [result.number for result in results] == numbers(owed)
    assert all(result.attempt and result.attempt.paid for result in results)
    assert len(shop.charges(paid=True)) == PaymentIntent.objects.count() == 3
    assert len(shop.told("payment_received")) == 3
    assert queries.payable(shop.admin) == []


def test_a_refusal_does_not_stop_the_rest(shop: Shop, owed: list[Invoice]) -> None:
    card = queries.cards(shop.admin, shop.payer.id, now=NOW)[0]
    reference = shop.attempt(owed[0]).payment_method.payer.payment_methods.get(id=card.id).reference
    operations.pay_now(viewer=shop.admin, number=str(owed[1].number), now=NOW)
    shop.sandbox.decline_next(reference)
    first, second, third = operations.pay_invoices(viewer=shop.admin, numbers=numbers(owed), now=NOW)
    assert first.attempt is not None
    assert first.attempt.what_happened == "There was not enough money available on the card."
    assert (second.attempt, second.refused) == (
        None,
        f"Invoice {owed[1].number} is paid; there is nothing to pay.",
    )
    assert third.attempt is not None
    assert third.attempt.paid


def test_our_own_mistake_stops_the_rest(shop: Shop, owed: list[Invoice]) -> None:
    PaymentIntent.objects.filter(invoice=owed[0]).update(reference="pi_that_never_was")
    results = operations.pay_invoices(viewer=shop.admin, numbers=numbers(owed), now=NOW)
    assert results[0].attempt is not None
    assert results[0].attempt.state == "error"
    assert [result.attempt for result in results[1:]] == [None, None]
    assert "Not tried, because the payment before it could not be made" in results[1].refused
    assert not shop.charges(paid=True)


def test_all_or_none_may_be_paid_by_whoever_asks(shop: Shop, owed: list[Invoice]) -> None:
    other = world.company("other", "Other")
    eve = world.viewer("eve@other.example", company=other, administrator=True)
    joe = world.viewer("joe@acme.example", company=shop.company)
    for viewer, refusal in ((eve, NotFound), (joe, NotAllowed)):
        with pytest.raises(refusal):
            operations.pay_invoices(viewer=viewer, numbers=numbers(owed), now=NOW)
        assert queries.payable(viewer) == []
    with pytest.raises(NotFound):
        operations.pay_invoices(viewer=shop.admin, numbers=[*numbers(owed), "CIC-999999"], now=NOW)
    assert not shop.charges(paid=True)


def test_named_twice_is_paid_once(shop: Shop, owed: list[Invoice]) -> None:
    twice = [*numbers(owed)[:1], *numbers(owed)[:1]]
    assert len(operations.pay_invoices(viewer=shop.admin, numbers=twice, now=NOW)) == 1
    assert len(shop.charges(paid=True)) == 1


def test_a_second_click_charges_nothing_after_success_or_decline(shop: Shop, owed: list[Invoice]) -> None:
    number = str(owed[0].number)
    seen = {item.number: item.seen for item in queries.payable(shop.admin)}
    card = shop.payer.payment_methods.get(is_default=True)
    shop.sandbox.decline_next(card.reference)
    first = operations.pay_invoices(viewer=shop.admin, numbers=[number], seen=seen, now=NOW)
    assert first[0].attempt is not None
    (second,) = operations.pay_invoices(viewer=shop.admin, numbers=[number], seen=seen, now=NOW)
    assert (second.attempt, second.refused) == (
        None,
        f"Invoice {number} was tried just now, so it is not tried again. See how that went first.",
    )
    with pytest.raises(operations.TriedMeanwhile):
        operations.pay_now(viewer=shop.admin, number=number, seen=seen[number], now=NOW)
    before = PaymentAttempt.objects.count()
    now_seen = {item.number: item.seen for item in queries.payable(shop.admin)}
    (paid,) = operations.pay_invoices(viewer=shop.admin, numbers=[number], seen=now_seen, now=NOW)
    assert paid.attempt is not None
    assert paid.attempt.paid
    (again,) = operations.pay_invoices(viewer=shop.admin, numbers=[number], seen=now_seen, now=NOW)
    assert again.refused == f"Invoice {number} is paid; there is nothing to pay."
    assert PaymentAttempt.objects.count() == before + 1
    assert len(shop.charges(paid=True)) == 1


def test_two_clicks_at_once_charge_once(shop: Shop, owed: list[Invoice]) -> None:
    seen = {item.number: item.seen for item in queries.payable(shop.admin)}

    def click() -> list[operations.PayResult]:
        try:
            return operations.pay_invoices(viewer=shop.admin, numbers=numbers(owed), seen=seen, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        clicks = [pool.submit(click) for _ in range(2)]
        results = [result for click in clicks for result in click.result()]
    assert len([result for result in results if result.attempt and result.attempt.paid]) == 3
    assert len(shop.charges()) == 3 + 3, "three declined before, three paid now"
    assert len(shop.told("payment_received")) == 3
