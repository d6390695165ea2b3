"""`callbill backtest` as a person and a program run it."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path

import pytest

from callbill.config.cli import main
from callbill.domain.invoicing.operations import run_billing
from tests.domain.world import PER_CALL, at, calls, company, terms

pytestmark = pytest.mark.django_db
NOW = "2026-04-02T09:00"


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """1.00 a call instead of 1.35."""
    path = tmp_path / "draft.toml"
    path.write_text(PER_CALL.replace("1.35", "1.00"))
    return path


@pytest.fixture(autouse=True)
def _billed() -> None:
    acme = company()
    calls(acme, 100, on=date(2026, 1, 15))
    run_billing(now=at("2026-03-02T09:00"))
    company("west", "West Dental", terms(time_zone="America/Los_Angeles"))


def test_the_table_for_people(draft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(draft), "--company", "acme", "--months", "3", "--now", NOW]) == 0
    said = capsys.readouterr()
    assert [" ".join(line.split()) for line in said.out.splitlines()] == [
        "Company Period Calls Paid Would pay Difference",
        "acme 1 to 31 January 2026 100 135.00 100.00 -35.00",
        "acme 1 to 28 February 2026 0 0.00 0.00 0.00",
        "acme 1 to 31 March 2026 0 0.00* 0.00 0.00",
        "acme 3 periods 135.00 100.00 -35.00",
        "Total 135.00 100.00 -35.00",
        "",
        "Amounts in USD, tax included. Nothing was written.",
        "* Nothing was invoiced for this period; it is what the terms in force would give.",
    ]
    assert said.err == ""


def test_for_programs(draft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["backtest", str(draft), "--all", "--months", "3", "--now", NOW]
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert {key: answer[key] for key in ("currency", "paid", "would_pay", "difference")} == {
        "currency": "USD",
        "paid": "135.00",
        "would_pay": "100.00",
        "difference": "-35.00",
    }
    assert [left["company"] for left in answer["left_out"]] == ["west"]
    assert "Left out: West Dental is billed in America/Los_Angeles" in said.err
    assert answer["rows"][0]["lines"] == [
        {
            "kind": "usage",
            "charge": "inbound",
            "name": "Inbound calls",
            "paid": "135.00",
            "would_pay": "100.00",
        }
    ]
    assert main([*words, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["first_day"], row["invoices"], row["difference"]) for row in rows] == [
        ("2026-01-01", "CIC-000001", "-35.00"),
        ("2026-02-01", "CIC-000002", "0.00"),
        ("2026-03-01", "", "0.00"),
    ]


def test_every_mistake_at_once(draft: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draft.write_text(PER_CALL.replace('"1.35"', '"much"').replace("2026-01-01", '"soon"'))
    assert main(["backtest", str(draft), "--company", "acme", "--company", "zebra", "--json"]) == 1
    said = capsys.readouterr()
    paths = [error["path"] for error in json.loads(said.out)["error"]["errors"]]
    assert paths == [f"{draft}, effective_from", f"{draft}, usage[0].rate", "--company"]
    assert "there is no company zebra" in said.err
    assert main(["backtest", str(draft.with_name("none.toml")), "--all"]) == 1
    assert "cannot be read: No such file" in capsys.readouterr().err
    draft.write_text(PER_CALL)
    assert main(["backtest", str(draft), "--company", "west", "--months", "0", "--now", NOW]) == 1
    assert "months: is 0; it must be 1 to 36" in capsys.readouterr().err
    assert main(["backtest", str(draft), "--company", "west", "--now", NOW]) == 1
    assert "time_zone: West Dental is billed in America/Los_Angeles" in capsys.readouterr().err
