"""Every night a sample of invoices is recomputed, on demand all of them; what differs stays in sight."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest
from django.db import connection

from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing import _verification
from callbill.domain.invoicing.models import Invoice, VerificationFinding, VerificationRun
from callbill.domain.invoicing.operations import (
    ask_for_verification,
    run_billing,
    verify_asked,
    verify_sample,
)
from callbill.domain.invoicing.queries import verification_findings, verification_runs
from callbill.domain.users.models import StaffAction
from callbill.domain.users.operations import ReasonMissing
from callbill.jobs import schedule, tasks
from tests.domain.world import at, calls, company, person, viewer

pytestmark = pytest.mark.django_db
NOW = at("2026-06-02T03:15")
ONE_CALL = (
    "UPDATE usage_call SET talk_ms = talk_ms {} 1 "
    "WHERE source_call_id = (SELECT min(source_call_id) FROM usage_call)"
)


@pytest.fixture(autouse=True)
def _five_months() -> None:
    acme = company()
    calls(acme, 10, on=date(2026, 2, 15))
    for month in range(2, 7):
        run_billing(now=at(f"2026-{month:02}-01T09:00"))


@pytest.fixture
def sam() -> UUID:
    """Somebody of the staff."""
    return person("sam@cic.example", staff=True).id


def tamper(statement: str) -> None:
    """Change what is frozen, as nobody could without owning the database."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = DEFAULT")


def open_findings() -> list[tuple[str, int]]:
    """The numbers of the invoices with open findings, and how many differences each has."""
    found = VerificationFinding.objects.filter(cleared_at=None).order_by("invoice__number")
    return [(str(each.invoice.number), each.differences) for each in found]


def test_the_sample_has_all_of_the_last_two_days_and_some_of_the_year() -> None:
    run = verify_sample(now=NOW, sample=2)
    assert (run.scope, run.to_check, run.checked, run.differing) == ("sample", 3, 3, 0)
    assert "CIC-000005" in run.numbers
    assert run.numbers == sorted(set(run.numbers))
    assert run.finished_at == NOW
    assert verify_sample(now=NOW).numbers == [f"CIC-00000{n}" for n in range(1, 6)]
    assert verify_sample(now=NOW + timedelta(days=400)).to_check == 0


def test_what_differs_is_logged_kept_and_cleared(caplog: pytest.LogCaptureFixture, sam: UUID) -> None:
    tamper(ONE_CALL.format("+"))
    tamper("UPDATE invoicing_stretch SET terms = '{}' WHERE first_day = '2026-03-01'")
    with caplog.at_level(logging.ERROR):
        run = verify_sample(now=NOW)
    assert (run.checked, run.differing) == (5, 2)
    assert [number for number, _ in open_findings()] == ["CIC-000002", "CIC-000003"]
    assert "verification: CIC-000002: Acme Dental" in caplog.text
    first = verification_findings(viewer("ann@cic.example", staff=True))[-1]
    assert first.found_at == first.last_at == NOW

    later = NOW + timedelta(days=1)
    verify_sample(now=later)
    first.refresh_from_db()
    assert (first.found_at, first.last_at) == (NOW, later)

    tamper(ONE_CALL.format("-"))
    ask_for_verification(actor_id=sam, reason="Mended", now=later)
    verify_asked(now=later)
    assert [number for number, _ in open_findings()] == ["CIC-000003"]


def test_all_are_verified_once_when_asked(sam: UUID) -> None:
    assert verify_asked(now=NOW) is None
    run, is_new = ask_for_verification(actor_id=sam, reason="The auditor is here", now=NOW)
    assert (is_new, run.to_check, run.checked) == (True, 5, 0)
    again, is_new = ask_for_verification(actor_id=sam, reason="Impatient", now=NOW)
    assert (again, is_new) == (run, False)
    assert [action.reason for action in StaffAction.objects.all()] == ["The auditor is here"]
    done = verify_asked(now=NOW)
    assert done == run
    assert (done.checked, done.differing, done.finished_at) == (5, 0, NOW)
    assert verify_asked(now=NOW) is None
    with pytest.raises(ReasonMissing):
        ask_for_verification(actor_id=sam, reason=" ", now=NOW)
    assert VerificationRun.objects.count() == 1


def test_a_run_that_was_broken_off_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, sam: UUID
) -> None:
    looked_at: list[str] = []
    honest = _verification.verify_invoice

    def killed_at_the_third(number: str) -> object:
        if len(looked_at) == 2:
            raise KeyboardInterrupt
        looked_at.append(number)
        return honest(number)

    ask_for_verification(actor_id=sam, reason="The auditor is here", now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(_verification, "verify_invoice", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            verify_asked(now=NOW)
    run = VerificationRun.objects.get()
    assert (run.checked, run.last_number, run.finished_at) == (2, "CIC-000002", None)
    done = verify_asked(now=NOW)
    assert done is not None
    assert (done.checked, done.to_check) == (5, 5)
    assert looked_at == ["CIC-000001", "CIC-000002"]


def test_only_staff_read_the_outcome() -> None:
    ann = viewer("ann@acme.example")
    for query in (verification_runs, verification_findings):
        with pytest.raises(NotFound):
            query(ann)
    verify_sample(now=NOW)
    assert [run.checked for run in verification_runs(viewer("sam@cic.example", staff=True))] == [5]


@pytest.mark.parametrize("task", [tasks.verify_sample, tasks.verify_asked])
def test_the_worker_does_both(task: object, sam: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.clock, "now", lambda: NOW)
    ask_for_verification(actor_id=sam, reason="The auditor is here", now=NOW)
    task(timestamp=0)
    assert VerificationRun.objects.exclude(finished_at=None).get().checked == 5
    assert task.name in {periodic.task.name for periodic in _scheduled()}


def _scheduled() -> Iterator[object]:
    yield from schedule.app.periodic_registry.periodic_tasks.values()


def test_voided_invoices_are_not_looked_at() -> None:
    Invoice.objects.filter(number="CIC-000005").update(status="void")
    run = verify_sample(now=NOW)
    assert "CIC-000005" not in run.numbers
