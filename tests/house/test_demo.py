"""The demo: what its story consists of, and that it starts, survives being killed, goes on and ends."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from callbill.config.commands import demo
from callbill.config.demo import calls, story
from callbill.config.processes import answers, port_is_free
from tests.house.rules_of_the_house import ROOT
from tests.house.test_processes import eventually, lives

FIRST = date(2025, 11, 1)
NOW = datetime(2026, 11, 22, 21, tzinfo=UTC)
NOT_YET = {"collect 2026-11-8", "collect 2026-11-16", "calls until 2026-11-22", "reconcile 2026-11-22"}
ONLY_THEN = {"calls until 2026-11-08", "reconcile 2026-11-08"}
ACCOUNTS = {caller.account for caller in calls.CALLERS}


def _rows(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode())))


def test_the_story_is_told_in_order_and_ends_now() -> None:
    told = story.steps(FIRST, 12, NOW)
    assert [step.key for step in told][:2] == ["customers", "cards"]
    assert told == sorted(told, key=lambda step: step.moment)
    assert told[-1].moment <= NOW
    assert len({step.key for step in told}) == len(told)
    assert sum(step.key.startswith("bill ") for step in told) == 12


def test_its_mails_come_from_the_address_that_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"CALLBILL_BASE_URL": "http://demo.example"})
    demo._set_environment(Path("data"), 8000, sandbox=True)
    with (ROOT / "callbill" / "config" / "demo" / "customers.toml").open("rb") as file:
        seller = tomllib.load(file)["seller"]
    assert os.environ["CALLBILL_MAIL_FROM"] == seller["email"]
    assert os.environ["CALLBILL_BASE_URL"] == "http://demo.example", "what somebody set stays"


def test_a_month_later_the_story_goes_on_after_what_was_told() -> None:
    before = [step.key for step in story.steps(FIRST, 12, NOW)]
    later = [step.key for step in story.steps(FIRST, 12, datetime(2026, 12, 22, 21, tzinfo=UTC))]
    assert "bill 2026-11" in set(later) - set(before)
    assert set(before) - set(later) == {"calls until 2026-11-22", "reconcile 2026-11-22"}


def test_on_the_first_days_of_a_month_the_story_ends_with_the_month_before() -> None:
    """So that a visitor finds every scene of the last month, whatever the day."""
    for today in (date(2026, 11, 1), date(2026, 11, story.LAST_SCENE_DAY)):
        assert story.first_day(today, 12) == date(2025, 10, 1)
    after = date(2026, 11, story.LAST_SCENE_DAY + 1)
    assert story.first_day(after, 12) == FIRST
    told = {step.key for step in story.steps(FIRST, 12, datetime(2026, 11, after.day, tzinfo=UTC))}
    assert told == {step.key for step in story.steps(FIRST, 12, NOW)} - NOT_YET | ONLY_THEN


def test_every_login_is_a_person_of_the_file() -> None:
    people = (ROOT / "callbill" / "config" / "demo" / "customers.toml").read_text(encoding="utf-8")
    assert [email for email, _ in story.LOGINS if f'email = "{email}"' not in people] == []


def test_calls_are_the_same_every_time() -> None:
    month = calls.file_of(date(2026, 3, 1), date(2026, 4, 1), accounts=ACCOUNTS)
    assert month == calls.file_of(date(2026, 3, 1), date(2026, 4, 1), accounts=ACCOUNTS)
    half = calls.file_of(date(2026, 3, 1), date(2026, 3, 15), accounts=ACCOUNTS)
    assert {row["call_id"] for row in _rows(half)} < {row["call_id"] for row in _rows(month)}
    assert {row["account"] for row in _rows(month)} == ACCOUNTS


def test_late_calls_are_those_that_were_left_out() -> None:
    span = (date(2026, 3, 1), date(2026, 4, 1))
    everything, on_time, late = (
        {row["call_id"] for row in _rows(calls.file_of(*span, accounts=ACCOUNTS, late=late))}
        for late in (None, False, True)
    )
    assert late
    assert on_time | late == everything
    assert not on_time & late


@contextmanager
def _demo(data: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A running demo and the lines it has printed so far; killed at the end if it still runs."""
    free = {k: v for k, v in os.environ.items() if not k.startswith(("STRIPE_", "CALLBILL_", "DATABASE_"))}
    words = (sys.executable, "-m", "callbill.config.cli", "demo", "--months", "1", "--port", str(port))
    log = data.with_name(f"log-{time.monotonic_ns()}")
    with log.open("w") as out:
        process = subprocess.Popen(
            words, cwd=ROOT, env={**free, "CALLBILL_DATA": str(data)}, stdout=out, stderr=out, text=True
        )
    try:
        yield process, [str(log)]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _printed(log: list[str], words: str, process: subprocess.Popen[str]) -> str:
    """Everything printed once `words` are among it."""
    deadline = time.monotonic() + 180
    while words not in (text := Path(log[0]).read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
    return text


def _two_free_ports() -> int:
    return next(port for port in range(18_000, 19_000, 7) if port_is_free(port) and port_is_free(port + 1))


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder; not pytest's, which closes its own to the user that PostgreSQL runs as under root."""
    with tempfile.TemporaryDirectory(prefix="callbill-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def test_the_demo_survives_a_kill_goes_on_and_ends_cleanly(folder: Path) -> None:
    data, port = folder / "var", _two_free_ports()

    with _demo(data, port) as (process, log):
        _printed(log, "Saving their cards", process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 60
    while not (port_is_free(port) and port_is_free(port + 1)):  # the others end when their parent has died
        assert time.monotonic() < deadline
        time.sleep(0.05)
    done_before = json.loads((data / "demo" / "diary.json").read_text())["done"]
    assert "customers" in done_before

    with _demo(data, port) as (process, log):
        text = _printed(log, "Callbill is running.", process)
        assert "Loading customers" not in text
        assert answers(f"http://127.0.0.1:{port}/account/login/")
        postgres = int((data / "postgres" / "postmaster.pid").read_text().split()[0])
        _doctor_is_content(data, port)

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, Path(log[0]).read_text()

    assert port_is_free(port)
    assert port_is_free(port + 1)
    assert eventually(lambda: not lives(postgres))
    diary = json.loads((data / "demo" / "diary.json").read_text())["done"]
    assert diary[: len(done_before)] == done_before
    assert len(set(diary)) == len(diary)


def _doctor_is_content(data: Path, port: int) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("DATABASE_")},
        "CALLBILL_DATA": str(data),
        "CALLBILL_MODE": "demo",
        "CALLBILL_BASE_URL": f"http://localhost:{port}",
        "STRIPE_SECRET_KEY": "sk_test_demo",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_demo",
        "STRIPE_WEBHOOK_SECRET": "whsec_demo",
        "STRIPE_API_BASE": f"http://localhost:{port + 1}",
    }
    words = (sys.executable, "-m", "callbill.config.cli", "doctor", "--json")
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [finding for finding in findings if finding["level"] == "problem"] == []
    assert {finding["topic"] for finding in findings} >= {"database", "ledger", "stripe", "documents"}
    assert done.returncode == 0, done.stderr
