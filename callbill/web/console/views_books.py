"""The books: trial balance, the entries of an account, receivables ageing, the journal as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date
from itertools import islice

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.ledger import queries as ledger
from callbill.domain.ledger.queries import JournalRow
from callbill.lib import clock
from callbill.rules.money import EXPONENTS, Money, plain
from callbill.web.console.door import page_number, staff_page
from callbill.web.console.spreadsheet import harmless

_COLUMNS = (
    *("entry", "kind", "time_utc", "account", "payer", "debit", "credit", "currency"),
    "description",
)
_ROWS_A_PIECE = 500
_PAYERS_A_PAGE = 100
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


class _DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class _DayField(forms.DateField):
    """A day whose books there can be: not before there was any, not beyond what a calendar of ours has."""

    def __init__(self, label: str, like: str, **errors: str) -> None:
        super().__init__(
            label=label,
            widget=_DayInput(),
            validators=[_there_can_be_books],
            error_messages={"invalid": f"Write the day like {like}.", **errors},
        )


def _there_can_be_books(day: date) -> None:
    if not _FIRST_DAY <= day <= _LAST_DAY:
        raise forms.ValidationError(f"Choose a day from {_FIRST_DAY} to {_LAST_DAY}.")


class AsOfForm(forms.Form):
    """The day at whose end the books are read."""

    as_of = _DayField("As of the end of (UTC)", "2026-02-28")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})  # type: ignore[arg-type]


class JournalForm(forms.Form):
    """The days of a journal, both included."""

    first_day = _DayField("From", "2026-02-01", required="Choose the first day.")
    last_day = _DayField("To", "2026-02-28", required="Choose the last day.")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})  # type: ignore[arg-type]

    def clean_last_day(self) -> date:
        """Not before the first."""
        last: date = self.cleaned_data["last_day"]
        first = self.cleaned_data.get("first_day")
        if first and last < first:
            raise forms.ValidationError("It comes before the first day; put them the other way round.")
        return last


@require_safe
@staff_page
def books(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The trial balance of every currency at the end of a day."""
    form, as_of = _as_of(request)
    days = {"first_day": as_of.replace(day=1), "last_day": as_of}
    return _books(request, viewer, form, as_of, JournalForm(initial=days))


def _books(
    request: HttpRequest,
    viewer: Viewer,
    form: AsOfForm,
    as_of: date,
    journal_form: JournalForm,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "as_of": as_of,
        "balances": ledger.trial_balance(viewer, as_of=as_of),
        "journal_form": journal_form,
    }
    # A day that was mistyped is said beside its field, above the books of today.
    wrong = bool(form.is_bound and form.errors)
    return render(request, "console/books.html", context, status=422 if wrong else status)


@require_safe
@staff_page
def account(request: HttpRequest, viewer: Viewer, name: str, currency: str) -> HttpResponse:
    """The postings of an account in a currency, newest first."""
    if currency not in EXPONENTS:
        raise NotFound("There is no such currency.")
    form, as_of = _as_of(request)
    context = {
        "form": form,
        "as_of": as_of,
        "name": ledger.account_name(name),
        "currency": currency,
        "page": ledger.account_page(
            viewer, account=name, currency=currency, as_of=as_of, page=page_number(request)
        ),
    }
    return render(
        request, "console/account.html", context, status=422 if form.is_bound and form.errors else 200
    )


@require_safe
@staff_page
def ageing(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What each payer owes by days past due, so many payers a page in each currency."""
    now = clock.now()
    found = invoicing.ageing(viewer, now=now)
    pages = [Paginator(each.lines, _PAYERS_A_PAGE) for each in found]
    longest = max(pages, key=lambda each: each.num_pages, default=None)
    number = min(page_number(request), longest.num_pages if longest else 1)
    context = {
        # A currency with fewer pages is done before the others are: its sums are shown all the same.
        "ageings": [
            (each, paged.page(number).object_list if number <= paged.num_pages else ())
            for each, paged in zip(found, pages, strict=True)
        ],
        "number": number,
        "pages": longest.num_pages if longest else 1,
        "payers": sum(len(each.lines) for each in found),
        "buckets": invoicing.BUCKETS,
        "today": now.astimezone(UTC).date(),
    }
    return render(request, "console/ageing.html", context)


@require_safe
@staff_page
def journal(request: HttpRequest, viewer: Viewer) -> StreamingHttpResponse | HttpResponse:
    """Every posting of some days as CSV (RFC 4180), written while it is sent."""
    form = JournalForm(request.GET)
    if not form.is_valid():
        return _books(request, viewer, AsOfForm(initial={"as_of": _today()}), _today(), form, status=422)
    first, last = form.cleaned_data["first_day"], form.cleaned_data["last_day"]
    rows = ledger.journal(viewer, first_day=first, last_day=last)
    answer = StreamingHttpResponse(_in_pieces(rows), content_type="text/csv; charset=utf-8; header=present")
    answer.headers["Content-Disposition"] = f'attachment; filename="journal-{first}-to-{last}.csv"'
    return answer


def _as_of(request: HttpRequest) -> tuple[AsOfForm, date]:
    """The day that was asked for; today when none was, or none that there is."""
    form = AsOfForm(request.GET if "as_of" in request.GET else None, initial={"as_of": _today()})
    if form.is_bound and form.is_valid():
        return form, form.cleaned_data["as_of"]
    return form, _today()


def _today() -> date:
    return clock.now().astimezone(UTC).date()


def _in_pieces(rows: Iterator[JournalRow]) -> Iterator[str]:
    """The file in pieces of some hundred rows: each piece is a write to the socket."""
    lines = _lines(rows)
    while piece := "".join(islice(lines, _ROWS_A_PIECE)):
        yield piece


def _lines(rows: Iterator[JournalRow]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(_COLUMNS)
    for row in rows:
        texts = (row.key, row.kind, f"{row.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", row.account, row.payer)
        amounts = (_decimal(row.debit), _decimal(row.credit))
        yield writer.writerow([harmless(text) for text in (*texts, *amounts, row.currency, row.description)])


def _decimal(amount: Money | None) -> str:
    """All decimals of the currency, a point, no thousands: "1234.50"."""
    return plain(amount.minor, amount.currency) if amount else ""


class _Echo:
    """A file that hands back what is written into it, for csv.writer."""

    def write(self, text: str) -> str:
        return text
