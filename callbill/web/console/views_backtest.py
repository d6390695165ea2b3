"""Trying a draft contract on periods that are over: the form, the table, and the table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from callbill.domain.customers.queries import Viewer, company_keys
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.invoicing.queries import MOST_BYTES, MOST_MONTHS, Backtest, BacktestRefused
from callbill.lib import clock
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms
from callbill.web.console.door import staff_page
from callbill.web.console.spreadsheet import harmless

_ROWS_SHOWN = 60
_TOO_LONG = f"A contract file has at most {MOST_BYTES // 1024} KB. Is it the right file?"


class BacktestForm(forms.Form):
    """A draft, whom to try it on, how far back. `draft` is the file's bytes, uploaded or pasted."""

    file = forms.FileField(
        label="Contract file",
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".toml,text/plain"}),
        help_text="A TOML file, or paste its text below.",
    )
    contract = forms.CharField(
        label="Or its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false", "autocomplete": "off"}),
    )
    company = forms.CharField(
        label="Company",
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Its key, such as acme. Leave it empty for every company that the draft fits.",
    )
    months = forms.IntegerField(
        label="Billing periods",
        min_value=1,
        max_value=MOST_MONTHS,
        initial=12,
        help_text=f"How many closed periods to go back, at most {MOST_MONTHS}.",
        error_messages={
            "required": "Say how many periods to go back.",
            "invalid": f"Type a whole number, 1 to {MOST_MONTHS}.",
        },
    )
    draft = b""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    def clean_company(self) -> Any:
        """The company's id; None for all."""
        key = self.cleaned_data["company"].strip()
        ids = company_keys() if key else {}
        if key and key not in ids:
            raise forms.ValidationError(f"There is no company with the key “{key}”.")
        return ids.get(key)

    def clean(self) -> dict[str, Any]:
        """A draft there must be, in one of the two fields; a file goes before what is pasted."""
        cleaned = super().clean() or {}
        uploaded = cleaned.get("file")
        if uploaded is not None and uploaded.size > MOST_BYTES:
            self.add_error("file", _TOO_LONG)
        elif uploaded is not None:
            self.draft = uploaded.read()
        else:
            self.draft = cleaned.get("contract", "").replace("\r\n", "\n").encode()
            if len(self.draft) > MOST_BYTES:
                self.add_error("contract", _TOO_LONG)
            elif not self.draft.strip():
                self.add_error("contract", "Choose a contract file or paste its text.")
        return cleaned

    def shown_again(self, draft: bytes) -> BacktestForm:
        """The same form with an uploaded file's text in the field, so that it can be changed and tried on."""
        values = {name: self.data.get(name, "") for name in ("company", "months")}
        again = BacktestForm({**values, "contract": draft.decode("utf-8", "replace").removeprefix("\ufeff")})
        again.errors.clear()
        return again


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page
def backtest(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The form; posted, the table under it, or what is wrong with the draft. Nothing is written."""
    if request.method != "POST":
        form = BacktestForm(initial={"company": request.GET.get("company", "")[:60]})
        return _page(request, form)
    form = BacktestForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=422)
    warnings: Sequence[Problem] = ()
    try:
        terms, warnings = invoicing.read_draft(form.draft)
        found = _tried(form, terms)
    except BacktestRefused as refused:
        again = form.shown_again(form.draft)
        return _page(request, again, problems=refused.problems, warnings=warnings, status=422)
    if "csv" in request.POST:
        return _csv(found)
    return _page(request, form.shown_again(form.draft), found=found, warnings=warnings)


def _tried(form: BacktestForm, terms: Terms) -> Backtest:
    company_id, months = form.cleaned_data["company"], form.cleaned_data["months"]
    wanted = None if company_id is None else [company_id]
    return invoicing.backtest(terms=terms, company_ids=wanted, months=months, now=clock.now())


def _page(
    request: HttpRequest,
    form: BacktestForm,
    *,
    found: Backtest | None = None,
    problems: Sequence[Problem] = (),
    warnings: Sequence[Problem] = (),
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "found": found, "problems": problems, "warnings": warnings}
    if found is not None:
        context |= {"rows": found.rows[:_ROWS_SHOWN], "more": max(len(found.rows) - _ROWS_SHOWN, 0)}
    return render(request, "console/backtest.html", context, status=status)


def _csv(found: Backtest) -> HttpResponse:
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in found.table())
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="backtest.csv"'
    return answer
