"""Thousands of charges: read in pages, compared in a few statements, never held in memory at once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from callbill.domain.customers.models import BillableEntity
from callbill.domain.ledger.models import Account, Posting
from callbill.domain.ledger.operations import Fact, Side, post_all
from callbill.domain.payments.gateway import ChargeView, TransactionView
from callbill.domain.payments.models import EventCursor, PaymentAttempt, PaymentIntent, PaymentMethod
from callbill.domain.reconciliation import _facts, _seen
from callbill.rules.money import Money
from tests.domain.payments.shop import issued_row
from tests.domain.reconciliation.conftest import NIGHT, PAID_AT, Counter

MANY = 1_000
DOLLAR = Money(1_00, "USD")


def charge_many(shop: Counter) -> list[Any]:
    """So many dollars charged at Stripe to the saved card."""
    card = PaymentMethod.objects.get(is_default=True)
    given: Any = {
        "amount": DOLLAR.minor,
        "currency": "usd",
        "customer": str(shop.payer.gateway_customer.reference),
        "payment_method": card.reference,
        "confirm": True,
        "off_session": True,
        "allowed_payment_method_types": ["card"],
    }
    with ThreadPoolExecutor(4) as hands:
        return list(hands.map(lambda _: shop.stripe.v1.payment_intents.create(given), range(MANY)))


def take_down(payer: BillableEntity, made: list[Any]) -> None:
    """An invoice over all of them, an attempt and an entry for each."""
    total = Money(len(made) * DOLLAR.minor, "USD")
    invoice = issued_row(
        payer, date(2026, 1, 1), date(2026, 2, 1), total.minor, paid_minor=total.minor, status="paid"
    )
    card = PaymentMethod.objects.get(is_default=True)
    of_one: dict[str, Any] = {
        "invoice": invoice,
        "amount_minor": DOLLAR.minor,
        "currency": "USD",
        "created_at": PAID_AT,
        "state": "succeeded",
    }
    intents = PaymentIntent.objects.bulk_create(
        PaymentIntent(**of_one, generation=number, reference=each.id)
        for number, each in enumerate(made, start=1)
    )
    PaymentAttempt.objects.bulk_create(
        PaymentAttempt(
            **of_one,
            intent=intent,
            payment_method=card,
            trigger="issue",
            charge=each.latest_charge,
            submitted_at=PAID_AT,
            finished_at=PAID_AT,
        )
        for intent, each in zip(intents, made, strict=True)
    )
    owed = (Side(Account.RECEIVABLE, payer.id, total), Side(Account.REVENUE, payer.id, -total))
    paid = (
        Side(Account.STRIPE_CLEARING, payer.id, DOLLAR),
        Side(Account.RECEIVABLE, payer.id, -DOLLAR),
    )
    facts = [Fact(f"payment:{each.latest_charge}", "payment", PAID_AT, "One", paid) for each in made]
    post_all(facts=[Fact("all", "invoice", PAID_AT, "All", owed), *facts])


def test_thousands_of_charges_take_a_few_statements(shop: Counter) -> None:
    shop.at(PAID_AT)
    shop.add_card(default=True)
    take_down(shop.payer, charge_many(shop))
    shop.at(NIGHT)
    EventCursor.objects.create(name="events", read_until=NIGHT)  # their messages came long ago
    with CaptureQueriesContext(connection) as first:
        run = shop.reconcile()
    assert (run.charges, run.transactions, shop.kinds()) == (MANY, MANY, [])
    assert Posting.objects.filter(account=Account.STRIPE_FEES).count() == MANY
    assert len(first) < MANY / 5, "per page, not per charge"

    PaymentAttempt.objects.filter(charge=PaymentAttempt.objects.first().charge).update(charge="ch_gone")  # type: ignore[union-attr]
    with CaptureQueriesContext(connection) as again:
        shop.reconcile(NIGHT + timedelta(days=1))
    assert "attempt_without_charge" in shop.kinds()
    assert "ch_gone" in shop.difference("attempt_without_charge").what
    assert len(again) < MANY / 5


def charges(number: int) -> Iterator[ChargeView]:
    for each in range(number):
        yield ChargeView(
            reference=f"ch_{each:07}",
            intent=f"pi_{each:07}",
            intent_id="",
            invoice_id="",
            customer="cus_of_ours",
            succeeded=True,
            amount=DOLLAR,
            refunded=Money(0, "USD"),
            transaction=f"txn_{each:07}",
            created_at=PAID_AT,
        )


def transactions(number: int) -> Iterator[TransactionView]:
    for each in range(number):
        names = (f"txn_{each:07}", "charge", f"ch_{each:07}")
        yield TransactionView(*names, DOLLAR, Money(33, "USD"), Money(67, "USD"), PAID_AT)


def peak(number: int) -> int:
    """The most bytes that reading so many takes in Python."""
    with _seen.room():
        tracemalloc.start()
        _seen.see_charges(charges(number), lambda count: None)
        _facts.keep_all(transactions(number), now=NIGHT)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_number(shop: Counter) -> None:
    peak(500)  # what is loaded once is loaded
    few, many = peak(1_000), peak(3_000)
    assert many < 1.3 * few, (few, many)
