"""The collection run: its row, its pace, several customers at once, stopping, dying, two at once."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections

from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments._collection_run import mark_broken_off
from callbill.domain.payments._silence import Answer
from callbill.domain.payments.models import (
    CollectionPlan,
    CollectionRun,
    PaymentAttempt,
    Receipt,
    StaffAlert,
)
from callbill.jobs import work
from callbill.lib.alive import alone
from callbill.lib.pace import Pace
from callbill.rules.dunning import Stop
from tests import killing
from tests.domain import world
from tests.domain.payments.shop import DECLINES, ISSUED, VISA, Shop, issued_row

LATER = world.at("2026-02-01T10:00")


def customers(shop: Shop, count: int, *, invoices: int, token: str = VISA) -> list[BillableEntity]:
    """So many payers with a card, each with so many invoices to charge."""
    made = []
    for number in range(count):
        company = world.company(f"co-{number}", f"Company {number}")
        payer = world.payer_of(company)
        boss = world.viewer(f"boss@co-{number}.example", company=company, administrator=True)
        shop.add_card(token, viewer=boss, payer_id=payer.id)
        for month in range(1, invoices + 1):
            issued_row(payer, date(2025, month, 1), date(2025, month + 1, 1), 100_00 + number)
        made.append(payer)
    return made


def test_a_run_keeps_its_row(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    other = world.payer_of(world.company("late", "Late & Sons"))
    issued_row(other, date(2025, 1, 1), date(2025, 2, 1), 50_00)
    seen: list[tuple[int, int, int]] = []

    def progress(done: int, of: int) -> None:
        row = CollectionRun.objects.get()
        assert row.finished_at is None
        seen.append((done, of, row.charged))

    operations.collect_due(now=ISSUED, progress=progress)
    run = CollectionRun.objects.get()
    assert (run.started_at, run.to_charge, run.charged, run.outcomes) == (ISSUED, 2, 2, {"succeeded": 1})
    assert (run.past_due, run.problems, run.stopped, run.broken_off_at) == (0, [], False, None)
    assert run.finished_at is not None
    assert run.finished_at >= ISSUED
    assert seen == [(1, 2, 1), (2, 2, 2)]
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    # Nothing is due: no row. What falls past due by its date is worth one.
    operations.collect_due(now=LATER)
    assert CollectionRun.objects.count() == 1
    operations.collect_due(now=world.at("2026-02-16T12:00"))
    assert list(CollectionRun.objects.order_by("started_at").values_list("to_charge", "past_due")) == [
        (2, 0),
        (0, 1),
    ]


def test_the_order_of_one_worker_is_by_customer_and_number(shop: Shop, monkeypatch: Any) -> None:
    payers = customers(shop, 3, invoices=2)
    order: list[str] = []
    plain = operations._collecting._collect

    def noted(done: Any, job: Any, now: Any) -> None:
        order.append(job.number)
        plain(done, job, now)

    monkeypatch.setattr(operations._collecting, "_collect", noted)
    operations.collect_due(now=ISSUED)
    by_payer = [
        list(Invoice.objects.filter(payer=payer).order_by("number").values_list("number", flat=True))
        for payer in payers
    ]
    assert order == [number for numbers in by_payer for number in numbers]


def test_several_customers_at_once_and_each_one_after_another(shop: Shop, monkeypatch: Any) -> None:
    """Four customers' first charges wait for each other at the gateway; no customer has two at a time."""
    payers = customers(shop, 5, invoices=3)
    real = operations._collecting.drive
    inside: dict[Any, int] = defaultdict(int)
    lock, first = threading.Lock(), threading.Barrier(4)
    begun: set[Any] = set()

    def drive(*, attempt_id: Any, now: Any) -> Answer:
        payer = PaymentAttempt.objects.get(id=attempt_id).invoice.payer_id
        with lock:
            inside[payer] += 1
            assert inside[payer] == 1, "two charges of one customer at the same time"
            meet = payer not in begun and len(begun) < 4
            begun.add(payer)
        if meet:
            first.wait(timeout=60)
        answered = real(attempt_id=attempt_id, now=now)
        with lock:
            inside[payer] -= 1
        return answered

    monkeypatch.setattr(operations._collecting, "drive", drive)
    done = operations.collect_due(now=ISSUED, workers=4)
    assert done.problems == []
    assert done.attempts == {"succeeded": 15}
    assert len(shop.charges(paid=True)) == 15
    assert Receipt.objects.count() == 15
    numbers = sorted(Receipt.objects.values_list("number", flat=True))
    assert numbers == [f"CIC-R-{number:06d}" for number in range(1, 16)]
    assert Entry.objects.filter(kind="payment").count() == 15
    run = CollectionRun.objects.get()
    assert (run.charged, run.outcomes) == (15, {"succeeded": 15})
    assert {payer.id for payer in payers} == begun
    assert connections["default"].connection is not None, "the calling thread keeps its own"


def test_the_pace_is_asked_for_every_card_and_for_nobody_without_one(shop: Shop) -> None:
    customers(shop, 3, invoices=1)
    issued_row(
        world.payer_of(world.company("none", "No Card Inc.")), date(2025, 1, 1), date(2025, 2, 1), 50_00
    )
    slept: list[int] = []
    operations.collect_due(now=ISSUED, pace=Pace(20, clock=lambda: 0, sleep=slept.append))
    assert slept == [50_000_000, 100_000_000]
    assert len(shop.charges()) == 3


@pytest.mark.parametrize("workers", [1, 4])
def test_a_mistake_of_ours_stops_everybody(shop: Shop, settings: Any, workers: int) -> None:
    """M29: nobody begins another charge, nobody falls past due, and the next run charges the rest."""
    customers(shop, 4, invoices=5)
    late = issued_row(
        world.payer_of(world.company("late", "Late & Sons")),
        date(2025, 1, 1),
        date(2025, 2, 1),
        50_00,
        due_date=date(2026, 1, 15),
    )
    CollectionPlan.objects.create(invoice=late, stopped_because=Stop.NO_CARD.value)
    right, settings.STRIPE_SECRET_KEY = settings.STRIPE_SECRET_KEY, "sk_nonsense"
    gateway._made.cache_clear()
    done = operations.collect_due(now=ISSUED, workers=workers)
    assert done.stopped
    assert PaymentAttempt.objects.count() <= workers
    late.refresh_from_db()
    assert late.status == "open"
    run = CollectionRun.objects.get()
    assert run.stopped
    assert run.finished_at is not None
    assert run.charged <= workers < run.to_charge == 20
    assert queries.collection_run(shop.staff, run.id).state_word == "Stopped"
    assert StaffAlert.objects.get().kind == "gateway_key"

    settings.STRIPE_SECRET_KEY = right
    gateway._made.cache_clear()
    operations.sweep_attempts(now=LATER)
    assert operations.collect_due(now=LATER, workers=workers).problems == []
    assert len(shop.charges()) == 20
    assert Receipt.objects.count() == 20
    late.refresh_from_db()
    assert late.status == "past_due"


def test_one_invoice_s_trouble_does_not_stop_the_others(shop: Shop, monkeypatch: Any) -> None:
    payers = customers(shop, 3, invoices=1)
    real = operations._collecting.drive
    bad = Invoice.objects.get(payer=payers[1])

    def drive(*, attempt_id: Any, now: Any) -> Answer:
        if PaymentAttempt.objects.get(id=attempt_id).invoice_id == bad.id:
            raise RuntimeError("the disk is full")
        return real(attempt_id=attempt_id, now=now)

    monkeypatch.setattr(operations._collecting, "drive", drive)
    done = operations.collect_due(now=ISSUED)
    assert done.problems == [f"Invoice {bad.number}: the disk is full"]
    run = queries.collection_runs(shop.staff)[0]
    assert (run.charged, run.to_charge, run.percent) == (3, 3, 100)
    assert (run.state_word, run.problems) == ("With problems", tuple(done.problems))
    assert run.outcomes == (("Paid", 2), ("Being made", 1))


@pytest.mark.parametrize("number", [4, 11, 16])
def test_a_run_that_died_is_marked_and_gone_on_with(shop: Shop, monkeypatch: Any, number: int) -> None:
    customers(shop, 4, invoices=2)
    for name in ("STRIPE_API_BASE", "STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY"):
        monkeypatch.setenv(name, getattr(django_settings, name))
    code, _, errors = killing.run(
        "from datetime import datetime\n"
        "from callbill.domain.payments import operations\n"
        f"operations.collect_due(now=datetime.fromisoformat({ISSUED.isoformat()!r}))",
        when="after",
        number=number,
    )
    assert code == killing.DIED, errors
    died = CollectionRun.objects.get()
    assert died.finished_at is None
    assert died.charged < died.to_charge == 8
    assert queries.collection_run(shop.staff, died.id).state_word == "Broken off"
    # The next run is an hour later; the sweeper has been there before.
    operations.sweep_attempts(now=LATER)
    operations.collect_due(now=LATER)
    died.refresh_from_db()
    assert died.broken_off_at == LATER
    assert died.finished_at is None
    after = CollectionRun.objects.exclude(id=died.id).get()
    assert after.finished_at is not None
    assert set(Invoice.objects.values_list("status", flat=True)) == {"paid"}
    assert len(shop.charges()) == 8
    assert Entry.objects.filter(kind="payment").count() == 8


def test_a_run_under_way_is_not_taken_for_dead(shop: Shop) -> None:
    """Seen from another connection, as the console and the next run see it."""
    customers(shop, 2, invoices=1)
    seen: list[str] = []

    def progress(done: int, of: int) -> None:
        def look() -> None:
            try:
                mark_broken_off(now=LATER)
                seen.append(queries.collection_runs(shop.staff)[0].state_word)
            finally:
                connections.close_all()

        other = threading.Thread(target=look)
        other.start()
        other.join()

    operations.collect_due(now=ISSUED, progress=progress)
    assert seen == ["Under way", "Under way"]
    run = CollectionRun.objects.get()
    assert run.broken_off_at is None
    assert queries.collection_run(shop.staff, run.id).state_word == "Finished"


def test_two_runs_at_once_charge_everything_once_and_one_customer_s_one_after_another(
    shop: Shop, monkeypatch: Any
) -> None:
    customers(shop, 6, invoices=2)
    start = threading.Barrier(2)
    real = operations._collecting.drive
    inside: dict[Any, int] = defaultdict(int)
    most: list[int] = []

    def drive(*, attempt_id: Any, now: Any) -> Answer:
        payer = PaymentAttempt.objects.get(id=attempt_id).invoice.payer_id
        inside[payer] += 1
        answered = real(attempt_id=attempt_id, now=now)
        most.append(inside[payer])
        inside[payer] -= 1
        return answered

    monkeypatch.setattr(operations._collecting, "drive", drive)

    def run() -> None:
        try:
            start.wait(timeout=60)
            operations.collect_due(now=ISSUED, workers=3)
        finally:
            connections.close_all()

    runs = [threading.Thread(target=run) for _ in range(2)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert set(most) == {1}
    assert set(Invoice.objects.values_list("status", flat=True)) == {"paid"}
    assert len(shop.charges(paid=True)) == 12
    assert Receipt.objects.count() == 12
    assert Entry.objects.filter(kind="payment").count() == 12
    assert CollectionRun.objects.filter(finished_at=None).count() == 0


def test_a_run_that_stands_still_holds_up_only_the_customer_it_charges(shop: Shop) -> None:
    first, second = customers(shop, 2, invoices=2)
    frozen, over = threading.Event(), threading.Event()

    def stand_still() -> None:
        try:
            with alone(first.id) as mine:
                assert mine
                frozen.set()
                over.wait(timeout=60)
        finally:
            connections.close_all()

    other = threading.Thread(target=stand_still)
    other.start()
    frozen.wait(timeout=60)
    done = operations.collect_due(now=ISSUED)
    assert (done.attempts, done.elsewhere) == ({"succeeded": 2}, {first.id})
    assert set(PaymentAttempt.objects.values_list("invoice__payer", flat=True)) == {second.id}
    over.set()
    other.join()
    assert operations.collect_due(now=LATER).attempts == {"succeeded": 2}


def test_the_worker_charges_at_the_pace_of_the_settings(shop: Shop, settings: Any, monkeypatch: Any) -> None:
    customers(shop, 3, invoices=1)
    settings.CHARGES_PER_SECOND, settings.CHARGE_WORKERS = 20, 3
    asked: list[tuple[Any, int]] = []
    plain = operations.collect_due

    def noted(*, pace: Any, workers: int, **given: Any) -> Any:
        asked.append((pace, workers))
        return plain(pace=pace, workers=workers, **given)

    monkeypatch.setattr(operations, "collect_due", noted)
    said: list[str] = []
    assert work.collect_and_tell(now=ISSUED, say=said.append)
    assert said[0].startswith("Charged: 3 succeeded. Fell past due: 0.")
    settings.CHARGES_PER_SECOND, settings.CHARGE_WORKERS = 0, 1
    work.collect(now=LATER)
    assert isinstance(asked[0][0], Pace)
    assert asked[0][1] == 3
    assert asked[1] == (None, 1)


def test_runs_are_for_staff(shop: Shop) -> None:
    shop.add_card(DECLINES)
    shop.bill()
    operations.collect_due(now=ISSUED)
    run = queries.collection_runs(shop.staff)[0]
    assert run.outcomes == (("Declined", 1),)
    with pytest.raises(NotFound):
        queries.collection_runs(shop.admin)
    with pytest.raises(NotFound):
        queries.collection_run(shop.admin, run.id)


def test_in_a_long_run_each_charge_has_its_own_time_and_a_lease_that_lasts(shop: Shop) -> None:
    """After a quarter of an hour leases counted from the run's start would be born expired."""
    shop.add_card()
    invoice = shop.bill()
    hour_later = ISSUED + timedelta(hours=1)
    shop.sandbox.fault("500_before", path="/v1/payment_intents$", method="POST")
    operations.collect_due(now=ISSUED, clock=lambda: hour_later)
    attempt = shop.attempt(invoice)
    assert attempt.state == "prepared"
    assert attempt.created_at == hour_later
    assert attempt.lease_until is not None
    assert attempt.lease_until > hour_later
    at = hour_later + timedelta(hours=30)
    shop.sandbox.fault("503", path="/v1/payment_intents", method="GET", times=3)
    operations.sweep_attempts(now=hour_later + timedelta(minutes=5), clock=lambda: at)
    attempt.refresh_from_db()
    assert attempt.lease_until > at
