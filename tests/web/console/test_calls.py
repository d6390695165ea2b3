"""The calls behind a line: pages, reasons and the CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from callbill.domain.usage.models import Call
from tests.web.console.conftest import FORMULA, Cast
from tests.web.console.test_pages import text_of


def line_page(staff: Client, cast: Cast, **query: str) -> Any:
    return staff.get(reverse("console:line", args=[cast.invoice.number, cast.line.id]), query)


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.streaming
    body = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(body)))


def csv_rows(staff: Client, cast: Cast, **query: str) -> list[dict[str, str]]:
    return rows_of(staff.get(reverse("console:line_csv", args=[cast.invoice.number, cast.line.id]), query))


def test_fifty_calls_a_page_by_time(staff: Client, cast: Cast) -> None:
    first = text_of(line_page(staff, cast))
    assert "60 calls, by time" in first
    assert "Page 1 of 2, 60 calls" in first
    assert "15 Jan 2026, 09:00 EST" in first
    assert "15 Jan 2026, 09:49 EST" in first
    assert "15 Jan 2026, 09:50 EST" not in first
    second = text_of(line_page(staff, cast, page="2"))
    assert "15 Jan 2026, 09:50 EST" in second
    assert "15 Jan 2026, 09:59 EST" in second


def test_what_was_frozen_at_issue_and_whether_it_still_holds(
    staff: Client, cast: Cast, tamper: Callable[[str], None]
) -> None:
    page = text_of(line_page(staff, cast))
    assert "The calls are those of the invoice" in page
    assert "At issue: 64 calls received, 60 billed, 60 of them on this line. Now: 64 calls." in page
    assert cast.line.digest in page
    taken = Call.objects.filter(settlement_id=cast.line.stretch_id).first()
    assert taken is not None
    tamper(f"UPDATE usage_call SET settlement_id = NULL WHERE id = '{taken.id}'")
    changed = text_of(line_page(staff, cast))
    assert "no longer those of the invoice" in changed
    assert "Now: 63 calls." in changed


def test_calls_not_billed_by_reason(staff: Client, cast: Cast) -> None:
    every = text_of(line_page(staff, cast, show="not-billed"))
    assert "4 calls, by time" in every
    assert "Not billed: marked as spam, 1" in every
    short = text_of(line_page(staff, cast, show="not-billed", reason="too_short"))
    assert "3 calls, by time" in short
    spam = text_of(line_page(staff, cast, show="not-billed", reason="flag_spam"))
    assert "1 call, by time" in spam
    assert "None." in text_of(line_page(staff, cast, show="not-billed", reason="nonsense"))


def test_the_csv_has_every_call_with_its_verdict(staff: Client, cast: Cast) -> None:
    rows = csv_rows(staff, cast)
    assert len(rows) == 60
    assert len({row["source_call_id"] for row in rows}) == 60
    assert rows[0]["started_at"] == "2026-01-15T09:00:00-05:00"
    assert rows[0]["talk_seconds"] == "60.000"
    assert {row["from_number"] for row in rows} == {"+12125550100"}
    assert {row["verdict"] for row in rows} == {"Billed"}
    assert {row["charge"] for row in rows} == {"inbound"}
    others = csv_rows(staff, cast, show="not-billed")
    assert len(others) == 4
    assert sorted({row["verdict"] for row in others}) == [
        "Not billed: marked as spam",
        "Not billed: shorter than the contract's shortest talk time",
    ]
    assert len(csv_rows(staff, cast, show="not-billed", reason="flag_spam")) == 1


def test_a_call_cannot_write_a_formula_into_a_spreadsheet(staff: Client, cast: Cast) -> None:
    (row,) = csv_rows(staff, cast, show="not-billed", reason="flag_spam")
    assert row["service"] == f"'{FORMULA}"
    assert row["queue"] == "'-1+1"


def test_the_file_is_named_for_the_line(staff: Client, cast: Cast) -> None:
    answer = staff.get(reverse("console:line_csv", args=[cast.invoice.number, cast.line.id]))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="CIC-000001-inbound.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_lines_without_calls_have_no_such_page(staff: Client, cast: Cast) -> None:
    fee = cast.line.section.lines.get(kind="fee")
    assert staff.get(reverse("console:line", args=[cast.invoice.number, fee.id])).status_code == 404
    assert staff.get(reverse("console:line_csv", args=[cast.invoice.number, fee.id])).status_code == 404
