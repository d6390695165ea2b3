"""The books in the console: sums, drill-down, ageing, journal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing._ageing import bucket_of
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import record_payment, write_off
from callbill.domain.invoicing.queries import ageing
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.ledger.queries import account_page, journal, trial_balance
from callbill.lib import clock
from callbill.rules.money import Money
from callbill.web.console import views_books
from tests.domain import world
from tests.domain.payments.shop import issued_row
from tests.web.console.conftest import FEBRUARY, FORMULA, Cast
from tests.web.console.test_pages import text_of

MARCH = world.at("2026-03-10T12:00")
BOOKS = reverse("console:books")
AGEING = reverse("console:ageing")


@pytest.fixture(autouse=True)
def in_march(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: MARCH)


def rows_of(answer: Any) -> list[dict[str, str]]:
    body = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(body, newline="")))


def downloaded(staff: Client, first: str, last: str) -> list[dict[str, str]]:
    return rows_of(staff.get(reverse("console:journal"), {"first_day": first, "last_day": last}))


def move(payer: BillableEntity | None, minor: int, at: datetime, key: str, currency: str = "USD") -> None:
    amount = Money(minor, currency)
    mine = payer.id if payer else None
    post(
        key=key,
        kind="test",
        at=at,
        description=f"Moved {minor}",
        sides=[Side(Account.BANK, mine, amount), Side(Account.STRIPE_CLEARING, mine, -amount)],
    )


def test_the_trial_balance_says_what_was_posted_until_the_end_of_the_day(staff: Client, cast: Cast) -> None:
    # January: Acme 60 × 1.35 + 49.00 + 8.875 % tax (11.54); Harbor 6 × 1.35. Paid in part on 5 March.
    record_payment(
        invoice_id=cast.invoice.id, amount_minor=100_00, reference="ch_1", now=world.at("2026-03-05T23:59:59")
    )
    shown = text_of(staff.get(BOOKS))
    assert "Accounts receivable $149.64 $100.00 $49.64" in shown
    assert "Revenue $0.00 $138.10 -$138.10" in shown
    assert "Tax payable $0.00 $11.54 -$11.54" in shown
    assert "Stripe clearing $100.00 $0.00 $100.00" in shown
    assert "All accounts $249.64 $249.64 $0.00" in shown
    assert "Adds up Debits and credits are the same sum" in shown
    before = text_of(staff.get(BOOKS, {"as_of": "2026-03-04"}))
    assert "Stripe clearing" not in before
    assert "Accounts receivable $149.64 $0.00 $149.64" in before
    on_the_day = text_of(staff.get(BOOKS, {"as_of": "2026-03-05"}))
    assert "Stripe clearing $100.00" in on_the_day
    assert "Nothing was posted until the end of 1 January 2026" in text_of(
        staff.get(BOOKS, {"as_of": "2026-01-01"})
    )


def test_each_currency_is_summed_for_itself(cast: Cast) -> None:
    viewer = world.viewer("sue@cic.example", staff=True)
    move(None, 500, MARCH, "yen", "JPY")
    dollars, yen = sorted(
        trial_balance(viewer, as_of=MARCH.date()), key=lambda trial: trial.currency != "USD"
    )
    assert (dollars.currency, dollars.adds_up) == ("USD", True)
    assert [(line.name, line.balance) for line in yen.lines] == [
        ("Stripe clearing", Money(-500, "JPY")),
        ("Bank", Money(500, "JPY")),
    ]
    assert (yen.debit, yen.credit, yen.difference) == (Money(500, "JPY"), Money(500, "JPY"), Money(0, "JPY"))


def test_books_that_do_not_add_up_say_so(staff: Client, cast: Cast, tamper: Callable[[str], None]) -> None:
    change = "UPDATE ledger_posting SET amount_minor = amount_minor {} 1 WHERE account = 'receivable'"
    tamper(change.format("+"))
    shown = text_of(staff.get(BOOKS))
    assert "Debits and credits are not the same sum" in shown
    assert "Adds up" not in shown
    assert "The ledger has $149.66 USD receivable, the invoices $149.64 USD" in text_of(staff.get(AGEING))
    tamper(change.format("-"))


def test_an_account_leads_to_its_entries_page_by_page(staff: Client, cast: Cast) -> None:
    payer = world.payer_of(cast.acme)
    for number in range(60):
        move(payer if number % 2 else None, 100 + number, FEBRUARY + timedelta(minutes=number), f"m:{number}")
    address = reverse("console:account", args=["bank", "USD"])
    assert address in staff.get(BOOKS).content.decode()
    first = text_of(staff.get(address))
    assert "Page 1 of 2, 60 postings" in first
    assert "Moved 159 1 Feb 2026, 09:59 UTC · Test · m:59 Acme Dental $1.59" in first
    assert "Moved 109 " not in first
    second = text_of(staff.get(address, {"page": "2"}))
    assert "Moved 108 1 Feb 2026, 09:08 UTC · Test · m:8 — $1.08" in second
    viewer = world.viewer("sue@cic.example", staff=True)
    page = account_page(viewer, account="bank", currency="USD", as_of=date(2026, 1, 31))
    assert list(page.object_list) == []
    assert staff.get(reverse("console:account", args=["bank", "XXX"])).status_code == 404
    assert staff.get(reverse("console:account", args=["petty-cash", "USD"])).status_code == 404
    assert "Nothing was posted here" in text_of(staff.get(reverse("console:account", args=["bank", "JPY"])))


@pytest.mark.parametrize(
    ("due", "bucket"),
    [
        (None, 0),
        (10, 0),
        (0, 0),
        (-1, 1),
        (-30, 1),
        (-31, 2),
        (-60, 2),
        (-61, 3),
        (-90, 3),
        (-91, 4),
        (-900, 4),
    ],
)
def test_how_old_a_debt_is(due: int | None, bucket: int) -> None:
    today = date(2026, 3, 10)
    assert bucket_of(None if due is None else today + timedelta(days=due), today) == bucket


def test_ageing_by_payer_adds_up_to_the_ledger(
    staff: Client, cast: Cast, tamper: Callable[[str], None]
) -> None:
    tamper(f"UPDATE invoicing_invoice SET due_date = '2026-02-01' WHERE id = '{cast.invoice.id}'")
    shown = text_of(staff.get(AGEING))
    assert "Acme Dental — — $141.54 — — $141.54" in shown
    assert "Harbor Group — $8.10 — — — $8.10" in shown  # due on 15 February, 23 days ago
    assert "All $0.00 $8.10 $141.54 $0.00 $0.00 $149.64" in shown
    assert "Adds up The ledger's account of receivables has $149.64 USD, the same." in shown
    assert shown.index("Acme Dental") < shown.index("Harbor Group"), "who owes longest comes first"
    record_payment(invoice_id=cast.invoice.id, amount_minor=41_54, reference="ch_1", now=MARCH)
    harbor = Invoice.objects.get(payer=world.payer_of(cast.north))
    write_off(invoice_id=harbor.id, reason="-", actor_id=cast.staff.id, now=MARCH)
    shown = text_of(staff.get(AGEING))
    assert "Acme Dental — — $100.00 — — $100.00" in shown
    assert "Harbor Group" not in shown, "what was written off is not receivable"
    assert "has $100.00 USD, the same" in shown


def test_a_day_is_past_when_it_is_over_where_the_invoice_is(
    cast: Cast, tamper: Callable[[str], None]
) -> None:
    viewer = world.viewer("sue@cic.example", staff=True)
    tamper(f"UPDATE invoicing_invoice SET due_date = '2026-03-09' WHERE id = '{cast.invoice.id}'")
    still_the_ninth = world.at("2026-03-10T03:59")  # 23:59 in New York

    def current(now: datetime) -> int:
        (dollars,) = ageing(viewer, now=now)
        line = next(line for line in dollars.lines if line.payer_name == "Acme Dental")
        return line.amounts[0].minor

    assert current(still_the_ninth) == 141_54
    assert current(still_the_ninth + timedelta(minutes=1)) == 0


def test_ageing_is_on_pages_and_its_sums_are_of_all(
    staff: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_books, "_PAYERS_A_PAGE", 1)
    first, second, beyond = (text_of(staff.get(AGEING, {"page": number})) for number in ("1", "2", "9"))
    assert ("Acme Dental" in first) != ("Acme Dental" in second)
    for shown in (first, second):
        assert "of 2, 2 billable entities" in shown
        assert "$149.64 USD, the same" in shown
    assert beyond == second, "beyond the last page is the last page"


def test_nobody_owes_anything(staff: Client, cast: Cast) -> None:
    for invoice in Invoice.objects.all():
        record_payment(
            invoice_id=invoice.id, amount_minor=invoice.due_minor, reference=str(invoice.number), now=MARCH
        )
    assert "Nobody owes anything" in text_of(staff.get(AGEING))


def test_the_journal_has_every_posting_of_its_days(staff: Client, cast: Cast) -> None:
    answer = staff.get(reverse("console:journal"), {"first_day": "2026-02-01", "last_day": "2026-02-01"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="journal-2026-02-01-to-2026-02-01.csv"'
    )
    body = answer.getvalue()
    assert body.count(b"\r\n") == 6, "RFC 4180: a header and five postings, each ended by CRLF"
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    of_acme = [row for row in rows if row["payer"] == "Acme Dental"]
    assert {(row["account"], row["debit"], row["credit"]) for row in of_acme} == {
        ("receivable", "141.54", ""),
        ("revenue", "", "130.00"),
        ("tax_payable", "", "11.54"),
    }
    assert {
        (row["entry"], row["kind"], row["time_utc"], row["currency"], row["description"]) for row in of_acme
    } == {
        (
            f"invoice:{cast.invoice.id}",
            "invoice",
            "2026-02-01T09:00:00.000000Z",
            "USD",
            f"Invoice {cast.invoice.number}",
        )
    }
    debit = sum(Decimal(row["debit"] or 0) for row in rows)
    assert debit == sum(Decimal(row["credit"] or 0) for row in rows) == Decimal("149.64")


def test_the_journal_is_exact_to_the_day_and_the_minor_unit(staff: Client, cast: Cast) -> None:
    last_moment = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    move(None, 1, last_moment, "cent")
    move(None, 123_456_789_012_345, last_moment + timedelta(microseconds=1), "much", "KWD")
    move(None, -5, last_moment, "yen", "JPY")
    first = downloaded(staff, "2026-03-01", "2026-03-01")
    assert {(row["entry"], row["account"], row["debit"], row["credit"]) for row in first} == {
        ("cent", "bank", "0.01", ""),
        ("cent", "stripe_clearing", "", "0.01"),
        ("yen", "bank", "", "5"),
        ("yen", "stripe_clearing", "5", ""),
    }
    (bank, _) = sorted(downloaded(staff, "2026-03-02", "2026-03-02"), key=lambda row: row["account"])
    assert (bank["debit"], bank["currency"], bank["time_utc"], bank["payer"]) == (
        "123456789012.345",
        "KWD",
        "2026-03-02T00:00:00.000000Z",
        "",
    )


def test_a_name_cannot_become_a_formula(staff: Client, cast: Cast) -> None:
    cast.acme.name = FORMULA
    cast.acme.save()
    rows = downloaded(staff, "2026-02-01", "2026-02-01")
    assert {row["payer"] for row in rows} == {"'" + FORMULA, "Harbor Group"}


def test_the_journal_is_read_as_it_is_sent(cast: Cast) -> None:
    viewer = world.viewer("sue@cic.example", staff=True)
    rows = journal(viewer, first_day=date(2026, 2, 1), last_day=date(2026, 2, 1))
    assert next(rows).description.startswith("Invoice CIC-")
    assert sum(1 for _ in rows) == 4


def test_days_that_cannot_be_are_said_beside_their_field(staff: Client, cast: Cast) -> None:
    journal_page = reverse("console:journal")
    turned = staff.get(journal_page, {"first_day": "2026-03-02", "last_day": "2026-03-01"})
    assert turned.status_code == 422
    assert "It comes before the first day" in text_of(turned)
    both = text_of(staff.get(journal_page, {"first_day": "", "last_day": "nonsense"}))
    assert "Choose the first day." in both
    assert "Write the day like 2026-02-28." in both
    wrong = staff.get(BOOKS, {"as_of": "2026-02-30"})
    assert wrong.status_code == 422
    assert "Write the day like 2026-02-28." in text_of(wrong)
    assert "Accounts receivable $149.64" in text_of(wrong), "the books of today are there all the same"


@pytest.mark.parametrize("day", ["9999-12-31", "3000-01-01", "1999-12-31", "0001-01-01"])
def test_days_of_no_books_are_refused_in_words(staff: Client, cast: Cast, day: str) -> None:
    said = "Choose a day from 2000-01-01 to 2999-12-31."
    of_bank = reverse("console:account", args=["bank", "USD"])
    asked: list[tuple[str, dict[str, str]]] = [
        (BOOKS, {"as_of": day}),
        (of_bank, {"as_of": day}),
        (reverse("console:journal"), {"first_day": "2026-01-01", "last_day": day}),
        (reverse("console:journal"), {"first_day": day, "last_day": "2026-01-01"}),
    ]
    for address, given in asked:
        answer = staff.get(address, given)
        assert answer.status_code == 422, address
        assert said in text_of(answer), address
    assert staff.get(of_bank, {"as_of": "2999-12-31"}).status_code == 200
    assert downloaded(staff, "2000-01-01", "2999-12-31")


def test_only_staff_read_the_books(customer: Client, cast: Cast) -> None:
    for address in (
        BOOKS,
        AGEING,
        reverse("console:account", args=["bank", "USD"]),
        reverse("console:journal"),
    ):
        assert customer.get(address).status_code == 404
        assert Client().get(address).status_code == 302


def test_a_negative_invoice_is_no_receivable(cast: Cast) -> None:
    viewer = world.viewer("sue@cic.example", staff=True)
    payer = world.payer_of(cast.acme)
    issued_row(payer, date(2026, 2, 1), date(2026, 3, 1), -20_00, status="paid")
    (dollars,) = ageing(viewer, now=MARCH)
    assert dollars.total == Money(149_64, "USD")
    assert dollars.adds_up
