"""`callbill reconcile`, the nightly job and what `doctor` says of it."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta

import pytest
from django.db import connection, connections

from callbill.config import checkup
from callbill.config.commands import reconcile as command
from callbill.domain.payments.models import CollectionStop
from callbill.domain.reconciliation import _running
from callbill.domain.reconciliation.models import Difference, ReconciliationRun
from callbill.domain.reconciliation.operations import AlreadyReconciling, reconcile
from callbill.jobs import tasks, work
from callbill.lib import clock
from tests.domain.reconciliation.conftest import NIGHT, Counter


@pytest.fixture(autouse=True)
def at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NIGHT)


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args(words))


def test_nothing_differs(shop: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    shop.paid()
    shop.at(NIGHT)
    assert call() == 0
    said = capsys.readouterr()
    assert said.err == "", "no bar where nobody watches"
    assert said.out == (
        "Compared with our attempts and the books: 1 charge, 0 refunds, 0 disputes, 0 payouts, 1 movement "
        "on Stripe's balance, since 2026-01-12.\n"
        "Late and applied now: 4 (messages that never came, answers that were lost).\nNothing differs.\n"
    )


def test_what_differs_and_what_to_do(shop: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    shop.paid()
    charge = shop.charge_by_hand(50_00)
    shop.charge_by_hand(20_00, customer=shop.stranger())
    shop.at(NIGHT)
    assert call() == 1
    said = capsys.readouterr().out
    assert "\nA charge that nobody here made, Acme Dental (50.00 USD)\n  Stripe has charge " in said
    assert "\n  → Find out who made it. Refund it at Stripe" in said
    assert "\nNote: Charges of another program (20.00 USD)\n" in said
    assert said.endswith("\n1 difference.\n")
    assert call("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["compared"]["charges"] == 3
    assert [(each["kind"], each["note"]) for each in told["differences"]] == [
        ("charge_without_attempt", False),
        ("other_customers", True),
        ("clearing_named", True),
    ]
    first = told["differences"][0]
    assert (first["payer"], first["amount_minor"], first["currency"]) == ("Acme Dental", 50_00, "USD")
    assert charge in first["what"]


def test_only_notes_are_no_fault(shop: Counter) -> None:
    shop.paid()
    shop.charge_by_hand(20_00, customer=shop.stranger())
    shop.at(NIGHT)
    assert call() == 0


def test_how_far_back(shop: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--days", "90") == 0
    assert "since 2025-11-13" in capsys.readouterr().out
    for wrong in ("0", "-1", "x", "4000"):
        with pytest.raises(SystemExit):
            call("--days", wrong)
    assert "not a number of days from 1 to 3660" in capsys.readouterr().err


def test_a_bar_on_a_terminal(
    shop: Counter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.paid()
    shop.at(NIGHT)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert call() == 0
    drawn = capsys.readouterr().err
    assert "1 of 8: messages" in drawn
    assert "2 of 8: charges 1" in drawn
    assert "8 of 8: comparing" in drawn
    assert drawn.endswith("\r\x1b[K"), "nothing of it is left on the line"


def test_stripe_that_does_not_answer_changes_nothing(
    shop: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.paid()
    shop.charge_by_hand(50_00)
    shop.reconcile()
    before = list(Difference.objects.values_list("key", "gone_at"))
    shop.sandbox.fault("503", path="/v1/refunds$", method="GET", times=20)
    assert call() == 1
    said = capsys.readouterr()
    assert "Not compared to the end:" in said.err
    assert "Differences stay as they were found before." in said.err
    run = ReconciliationRun.objects.latest("id")
    assert (run.step, run.charges, run.finished_at) == ("refunds", 2, NIGHT)
    assert run.problem
    assert list(Difference.objects.values_list("key", "gone_at")) == before
    shop.sandbox.clear_faults()
    assert call() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'seen_%' OR relname = 'matched'")
        assert cursor.fetchone()[0] == 0, "nothing of what was seen is left behind"


def test_one_at_a_time(shop: Counter, capsys: pytest.CaptureFixture[str]) -> None:
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_running._LOCK])
            assert call() == 1
            assert "A reconciliation is under way." in capsys.readouterr().err
            with pytest.raises(AlreadyReconciling):
                reconcile(now=NIGHT)
            work.reconcile(now=NIGHT)  # the nightly one leaves it to the other
            assert ReconciliationRun.objects.count() == 0
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_running._LOCK])
    finally:
        other.close()
    assert call() == 0


def test_the_night_job(shop: Counter) -> None:
    shop.paid()
    shop.at(NIGHT)
    tasks.reconcile(timestamp=0)
    run = ReconciliationRun.objects.get()
    assert (run.trigger, run.charges, run.problem, run.finished_at) == ("schedule", 1, "", NIGHT)
    tasks.reconcile_asked(timestamp=0)
    assert ReconciliationRun.objects.count() == 1


def said_by_doctor() -> list[tuple[str, str]]:
    return [(found.level, found.says) for found in checkup._reconciliation()]


def test_doctor_says_how_it_stands(shop: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said_by_doctor() == [("note", "Attempts, books and Stripe were never compared.")]
    shop.paid()
    shop.reconcile()
    assert said_by_doctor() == [("ok", "Nothing differs; compared 2026-02-11 04:00 UTC.")]
    monkeypatch.setattr(clock, "now", lambda: NIGHT + timedelta(days=2, minutes=1))
    assert said_by_doctor() == [
        ("problem", "Attempts, books and Stripe were last compared 2026-02-11 04:00 UTC.")
    ]
    shop.charge_by_hand(50_00)
    shop.reconcile(NIGHT + timedelta(days=2))
    levels = said_by_doctor()
    assert [level for level, _ in levels] == ["problem"] * 2
    assert levels[0][1].startswith("A charge that nobody here made. Stripe has charge ")
    assert levels[1][1].startswith("Collection is stopped 1 time: ")
    CollectionStop.objects.update(lifted_at=NIGHT)
    assert len(said_by_doctor()) == 1
