"""Every page for staff, and for nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from callbill.domain.invoicing.models import BillingRun, Invoice
from callbill.domain.usage.models import CallImport, SetAsideRow
from callbill.domain.users.models import StaffAction
from tests.domain import world
from tests.domain.payments.shop import issued_row
from tests.house.rules_of_the_house import unsafe_markup
from tests.web.console.conftest import Cast

MOST_QUERIES = 50


def owed(cast: Cast, months: int = 1, **fields: Any) -> Invoice:
    """An invoice without lines to Harbor Group, that many months after January."""
    payer = world.payer_of(cast.north)
    snapshot = {"name": payer.name, "kind": payer.kind}
    first, end = (cast.invoice.end_day + timedelta(days=30 * month) for month in (months - 1, months))
    return issued_row(payer, first, end, 42_00, payer_snapshot=snapshot, **fields)


def addresses(cast: Cast, call_import: CallImport) -> list[str]:
    number = cast.invoice.number
    return [
        reverse("console:overview"),
        reverse("console:search") + "?q=a",
        reverse("console:company", args=["acme"]),
        reverse("console:company", args=["north"]),
        reverse("console:organization", args=["harbor"]),
        reverse("console:invoice", args=[number]),
        reverse("console:verification", args=[number]),
        reverse("console:credit", args=[number]),
        reverse("console:void", args=[number]),
        reverse("console:write_off", args=[number]),
        reverse("console:bank_payment", args=[number]),
        reverse("console:line", args=[number, cast.line.id]),
        reverse("console:line", args=[number, cast.line.id]) + "?show=not-billed&page=1",
        reverse("console:runs"),
        reverse("console:run", args=[BillingRun.objects.get().id]),
        reverse("console:imports"),
        reverse("console:import", args=[call_import.id]),
        reverse("console:import", args=[call_import.id]) + "?rows=all&page=2",
        reverse("console:call", args=[number, cast.line.id, cast.call.id]),
        reverse("console:proposals"),
        reverse("console:proposals") + "?state=all",
        reverse("console:outages", args=["acme"]),
        reverse("console:audit"),
        reverse("console:collections"),
        reverse("console:books"),
        reverse("console:account", args=["receivable", "USD"]),
        reverse("console:ageing"),
        reverse("console:reconciliation"),
        reverse("console:backtest"),
        reverse("console:verifications"),
        reverse("console:customers"),
        reverse("console:invoices"),
        reverse("console:invoices") + "?status=past_due",
    ]


def posts(cast: Cast) -> list[str]:
    return [
        reverse("console:adjust", args=["acme"]),
        reverse("console:outages", args=["acme"]),
        reverse("console:correct", args=[cast.invoice.number, cast.line.id, cast.call.id]),
        reverse("console:retry", args=[cast.invoice.number]),
        reverse("console:stop_waiting", args=[cast.invoice.number]),
        reverse("console:start_run"),
        reverse("console:start_verification"),
        reverse("console:backtest"),
    ]


def downloads(cast: Cast) -> list[str]:
    number = cast.invoice.number
    return [
        reverse("console:line_csv", args=[number, cast.line.id]),
        reverse("console:invoice_pdf", args=[number]),
        reverse("console:receipt_pdf", args=[number]),
    ]


def text_of(answer: Any) -> str:
    """The page's words without markup, white space as one blank."""
    html = answer.content.decode()
    plain = re.sub(r"<[^>]+>", " ", html.split("<main", 1)[-1])
    return re.sub(r"\s+", " ", plain).replace("\N{NO-BREAK SPACE}", " ")


def test_each_page_opens_for_staff_under_the_strict_policy(
    staff: Client, cast: Cast, call_import: CallImport
) -> None:
    for address in addresses(cast, call_import):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = staff.get(address)
        assert answer.status_code == 200, address
        assert len(queries) <= MOST_QUERIES, (address, len(queries))
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "no-store" in answer.headers["Cache-Control"]
        html = answer.content.decode()
        assert unsafe_markup(address, html) == []
        assert len(answer.content) < 60_000, address
        assert len(set(re.findall(r'id="([^"]+)"', html))) == len(re.findall(r'id="([^"]+)"', html)), address


def test_to_customers_the_console_does_not_exist(
    customer: Client, cast: Cast, call_import: CallImport
) -> None:
    for address in [*addresses(cast, call_import), *downloads(cast)]:
        assert customer.get(address).status_code == 404, address
    for address in posts(cast):
        assert customer.post(address, {"reason": "let me"}).status_code == 404, address
    assert StaffAction.objects.count() == 0


def test_who_is_not_signed_in_is_asked_to(client: Client, cast: Cast, call_import: CallImport) -> None:
    every = [*addresses(cast, call_import), *downloads(cast), *posts(cast)]
    assert len(every) > 40
    for address in every:
        for answer in (client.get(address), client.post(address)):
            assert answer.status_code == 302, address
            assert answer.headers["Location"].startswith(reverse("account_login")), address


def test_staff_who_left_are_out(staff: Client, cast: Cast) -> None:
    cast.staff.is_active = False
    cast.staff.save()
    assert staff.get(reverse("console:overview")).status_code == 302


def test_a_form_without_its_token_does_nothing(cast: Cast) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.staff)
    for address in posts(cast):
        assert browser.post(address, {"reason": "because"}).status_code == 403
    assert StaffAction.objects.count() == 0


def test_what_is_not_there_is_a_404(staff: Client, cast: Cast) -> None:
    other = owed(cast)
    nobody = "0190a000-0000-7000-8000-000000000000"
    for address in [
        reverse("console:company", args=["nobody"]),
        reverse("console:organization", args=["acme"]),
        reverse("console:invoice", args=["CIC-999999"]),
        reverse("console:line", args=[cast.invoice.number, nobody]),
        reverse("console:line", args=[other.number, cast.line.id]),
        reverse("console:run", args=[nobody]),
        reverse("console:import", args=[nobody]),
        reverse("console:receipt_pdf", args=[cast.invoice.number]),
    ]:
        assert staff.get(address).status_code == 404, address


def test_pages_do_not_ask_more_for_more(staff: Client, cast: Cast, call_import: CallImport) -> None:
    def counted(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(address).status_code == 200
        return len(queries)

    lists = [
        reverse("console:overview"),
        reverse("console:search") + "?q=TEST",
        reverse("console:company", args=["north"]),
        reverse("console:organization", args=["harbor"]),
        reverse("console:imports"),
    ]
    owed(cast)
    before = [counted(address) for address in lists]
    for month in range(2, 9):
        owed(cast, month)
    for line in range(8):
        CallImport.objects.create(
            started_at=datetime(2026, 1, 17, line, tzinfo=UTC),
            file_name=f"{line}.csv",
            profile_name="pbx.toml",
            profile={},
        )
    assert [counted(address) for address in lists] == before


def test_search_by_name_and_number(staff: Client, cast: Cast) -> None:
    def find(text: str) -> Any:
        return staff.get(reverse("console:search"), {"q": text})

    assert reverse("console:company", args=["acme"]) in find("acme d").content.decode()
    harbor = find("HARBOR").content.decode()
    assert reverse("console:organization", args=["harbor"]) in harbor
    assert reverse("console:company", args=["north"]) in harbor
    assert reverse("console:company", args=["acme"]) not in harbor
    part = find("cic-0000")
    assert part.status_code == 200
    assert reverse("console:invoice", args=[cast.invoice.number]) in part.content.decode()
    for exact in (str(cast.invoice.number), f" {str(cast.invoice.number).lower()} "):
        answer = find(exact)
        assert answer.status_code == 302
        assert answer.headers["Location"] == reverse("console:invoice", args=[cast.invoice.number])
    assert "Nothing fits “zebra <b>”" in text_of(find("zebra <b>")).replace("&lt;", "<").replace("&gt;", ">")
    assert find("   ").headers["Location"] == reverse("console:overview")


def test_the_customers_page(staff: Client, cast: Cast) -> None:
    page = text_of(staff.get(reverse("console:company", args=["acme"])))
    for words in (
        "Acme Dental (company, USD)",
        "$1.35 per call, for every call",
        "$49.00 a month, in arrears",
        "8.875 % on every line",
        "Shortest talk time 5 seconds",
        "min_talk_seconds = 5",
        "Billing administrator of Acme Dental",
        "billing@acme.example",
        "No card on file",
        str(cast.invoice.number),
    ):
        assert words in page, words
    shared = text_of(staff.get(reverse("console:company", args=["north"])))
    assert "Harbor Group (organization, USD)" in shared
    assert "Billing contacts of Harbor Group" in shared
    group = text_of(staff.get(reverse("console:organization", args=["harbor"])))
    assert "Harbor North" in group
    assert "Harbor South" in group
    assert "Yes, in USD" in group


def test_the_invoice_recomputes_to_the_cent_or_shows_what_differs(
    staff: Client, cast: Cast, tamper: Callable[[str], None]
) -> None:
    address = reverse("console:verification", args=[cast.invoice.number])
    assert "Recomputed to the cent" in text_of(staff.get(address))
    tamper("UPDATE invoicing_invoiceline SET amount_minor = amount_minor + 1 WHERE kind = 'usage'")
    page = text_of(staff.get(address))
    assert "It does not come out the same" in page
    assert "stored 81.01, recomputed 81.00" in page


def test_an_import_shows_its_rows_and_reasons(staff: Client, cast: Cast, call_import: CallImport) -> None:
    address = reverse("console:import", args=[call_import.id])
    first = text_of(staff.get(address))
    assert "Rows 63 in the file New 3 calls taken in" in first
    assert "Set aside 60 60 still open here" in first
    assert "Page 1 of 2, 60 rows" in first
    assert "started: 2026-02-31 10:00:00" in first
    assert "id: bad-0 " in first
    assert "id: bad-50 " not in first
    assert f"--retry {call_import.id}" in first
    assert "id: bad-50 " in text_of(staff.get(address, {"page": "2"}))
    codes = sorted(set(SetAsideRow.objects.values_list("code", flat=True)))
    assert len(codes) == 2
    by_code = [text_of(staff.get(address, {"code": code})) for code in codes]
    assert sorted("id: bad-0 " in page for page in by_code) == [False, True]
    assert sorted("id: bad-1 " in page for page in by_code) == [False, True]
    overview = text_of(staff.get(reverse("console:overview")))
    assert "60 rows of march.csv could not be used" in overview
    acme = text_of(staff.get(reverse("console:company", args=["acme"])))
    assert "march.csv 3 calls" in acme
    SetAsideRow.objects.update(resolved_at=call_import.started_at)
    assert "None is open any more" in text_of(staff.get(address))
    assert "march.csv" not in text_of(staff.get(reverse("console:overview")))


def test_the_overview_names_what_waits_for_a_person(staff: Client, cast: Cast) -> None:
    late = world.calls(
        cast.acme, 2, on=cast.acme.contract.versions.get().effective_from - timedelta(days=200)
    )
    due = owed(cast, status="past_due")
    page = text_of(staff.get(reverse("console:overview")))
    assert f"{len(late)} calls of Acme Dental came in too late to be billed" in page
    assert f"{due.number} Harbor Group Harbor Group 15 Feb 2026 $42.00 USD There is no card on file" in page
    assert "2 issued" in page
