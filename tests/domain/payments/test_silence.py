"""A Stripe that gives no answer: what was not begun waits for the next run, and nothing stands behind it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments._silence import Answer
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt, PaymentIntent, PaymentMethod
from callbill.rules.dunning import Stop
from tests.domain import world
from tests.domain.payments.shop import ISSUED, Shop, issued_row
from tests.domain.payments.test_collection_runs import LATER, customers


def test_a_silent_stripe_ends_the_run_and_the_next_one_charges_the_rest(shop: Shop) -> None:
    """Else an outage of an hour would leave as many payments in doubt as there are invoices."""
    customers(shop, 5, invoices=2)
    late = one_without_a_card()
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
    late.refresh_from_db()
    assert late.status == "open", "nobody falls past due meanwhile"
    shop.sandbox.clear_faults()
    operations.sweep_attempts(now=LATER + timedelta(hours=1))
    operations.collect_due(now=LATER + timedelta(hours=1))
    late.refresh_from_db()
    assert late.status == "past_due"
    assert set(Invoice.objects.exclude(id=late.id).values_list("status", flat=True)) == {"paid"}
    assert len(shop.charges(paid=True)) == 10


def one_without_a_card() -> Invoice:
    """An invoice that is due, of somebody who has no card."""
    payer = world.payer_of(world.company("none", "No Card Inc."))
    made = issued_row(payer, date(2024, 12, 1), date(2025, 1, 1), 50_00, due_date=date(2026, 1, 15))
    CollectionPlan.objects.create(invoice=made, stopped_because=Stop.NO_CARD.value)
    return made


def test_several_who_were_begun_at_once_are_the_whole_run(shop: Shop) -> None:
    """Nothing is left over, and yet the run says why it came to nothing."""
    customers(shop, 4, invoices=1)
    shop.sandbox.fault("503", path="/confirm$", method="POST", times=1000)
    operations.collect_due(now=ISSUED, workers=4)
    run = queries.collection_runs(shop.staff)[0]
    assert (run.charged, run.to_charge, run.state_word) == (4, 4, "Ended early")


def test_a_busy_stripe_is_an_answer(shop: Shop) -> None:
    """Nothing was done and it took no minute: each is asked again in two, and the run goes on."""
    customers(shop, 5, invoices=1)
    shop.sandbox.fault("429", path="/confirm$", method="POST", times=5)
    assert operations.collect_due(now=ISSUED).attempts == {"submitted": 5}
    assert queries.collection_runs(shop.staff)[0].state_word == "Finished"
    operations.sweep_attempts(now=ISSUED + timedelta(minutes=5))
    assert len(shop.charges(paid=True)) == 5


def test_new_cards_are_not_charged_into_a_silent_stripe(shop: Shop) -> None:
    payers = customers(shop, 5, invoices=1)
    for invoice in Invoice.objects.filter(payer__in=payers):
        CollectionPlan.objects.create(invoice=invoice, next_attempt_at=ISSUED, new_card=True)
    shop.sandbox.fault("503", path="/confirm$", method="POST", times=1000)
    assert operations.charge_new_cards(now=ISSUED).attempts == {"submitted": 3}


def test_cards_are_not_forgotten_and_payments_not_canceled_one_silence_after_another(
    shop: Shop, monkeypatch: Any
) -> None:
    payers = customers(shop, 5, invoices=1)
    PaymentMethod.objects.update(removed_at=ISSUED, is_default=False)
    for number, invoice in enumerate(Invoice.objects.filter(payer__in=payers)):
        invoice.status = "void"
        invoice.save()
        PaymentIntent.objects.create(
            invoice=invoice,
            reference=f"pi_{number}",
            amount_minor=1,
            currency="USD",
            created_at=ISSUED + timedelta(seconds=number),
        )
    asked: list[str] = []

    def silent(self: Any, *, reference: str, **more: Any) -> Any:
        asked.append(reference)
        raise gateway.OutcomeUnknown("no answer")

    for name in ("detach_card", "fetch_intent", "cancel_intent"):
        monkeypatch.setattr(type(gateway.gateway()), name, silent)
    later = ISSUED + timedelta(hours=2)
    assert operations.forget_removed_cards(now=later) == 0
    assert len(asked) == 3
    begun_with = set()
    for hour in range(5):
        asked.clear()
        assert operations.cancel_forgotten(now=later + timedelta(hours=hour)) == 0
        assert len(set(asked)) == 3, "each is asked to be canceled, and how it stands"
        begun_with.add(asked[0])
    assert len(begun_with) == 5, "the first three do not hide the others for good"


def test_one_customers_silence_does_not_stop_the_others(shop: Shop, monkeypatch: Any) -> None:
    silent, *_ = customers(shop, 3, invoices=4)
    real = operations._collecting.drive

    def drive(*, attempt_id: Any, now: Any) -> Answer:
        if PaymentAttempt.objects.get(id=attempt_id).invoice.payer_id == silent.id:
            return Answer.NONE
        return real(attempt_id=attempt_id, now=now)

    monkeypatch.setattr(operations._collecting, "drive", drive)
    assert operations.collect_due(now=ISSUED).attempts == {"prepared": 4, "succeeded": 8}
    assert queries.collection_runs(shop.staff)[0].state_word == "Finished"
