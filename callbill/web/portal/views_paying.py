"""Paying now: one invoice, or several; how it went, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callbill.domain.customers.queries import Viewer, payer_seen_by, require_administrator
from callbill.domain.invoicing.queries import invoice_for
from callbill.domain.payments import operations as payments
from callbill.domain.payments import queries
from callbill.lib import clock
from callbill.lib.formats import money
from callbill.rules.money import Money
from callbill.web.portal.door import customers_page
from callbill.web.portal.owed import past_due_of, payable_of

_MOST = 20  # charges in one request of a browser; each may take some seconds


@dataclass(frozen=True, slots=True)
class ResultRow:
    """How one of several payments went: a word, a colour, and what to do."""

    number: str
    word: str
    tone: str
    amount: Money | None
    said: str
    confirm: str


@require_POST
@customers_page
def pay(request: HttpRequest, viewer: Viewer, number: str) -> HttpResponse:
    """Charge the default card for the invoice now, and say how it went."""
    seen = _seen(request.POST.get("seen", ""))
    try:
        attempt = payments.pay_now(viewer=viewer, number=number, now=clock.now(), seen=seen)
    except payments.PaymentRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("portal:invoice", number)
    if attempt.paid:
        messages.success(request, f"Paid: {money(attempt.amount)} with {attempt.card}. Thank you.")
    elif attempt.waits and (confirm := _confirmation_of(viewer, number)):
        return redirect(confirm)
    elif attempt.what_to_do:
        messages.error(request, f"Not paid. {attempt.what_happened} {attempt.what_to_do}")
    else:
        messages.info(request, attempt.what_happened)
    return redirect("portal:invoice", number)


@require_http_methods(["GET", "HEAD", "POST"])
@customers_page
def pay_several(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The chosen invoices with their amounts, total and card; then pay them, and say how each went."""
    if request.method == "POST":
        return _results(request, viewer)
    wanted, left = _chosen(request.GET.getlist("number"))
    items = queries.payable(viewer, wanted)
    there = {item.number for item in items}
    context = {
        "items": items,
        "totals": _totals([item.amount for item in items]),
        "several_payers": len({item.payer_id for item in items}) > 1,
        "left": left,
        "left_out": [number for number in dict.fromkeys(wanted) if number not in there],
    }
    return render(request, "portal/pay_several.html", context)


@require_safe
@customers_page
def owed_now(request: HttpRequest, viewer: Viewer, payer_id: UUID) -> HttpResponse:
    """After a card became the default: what is past due, and one button to pay all of it."""
    payer = payer_seen_by(viewer, payer_id)
    require_administrator(viewer, payer)
    context = {
        "payer": payer,
        "owed": past_due_of(viewer, now=clock.now(), payer_id=payer_id),
        "payable": payable_of(viewer, payer_id),
    }
    return render(request, "portal/owed_now.html", context)


def _results(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    # Each with how often it had been tried; the pairs stay together.
    pairs = zip_longest(request.POST.getlist("number"), request.POST.getlist("seen"), fillvalue="")
    typed = dict(pairs)
    numbers, left = _chosen(typed)
    if not numbers:
        return redirect("portal:pay_several")
    seen = {number: count for number in numbers if (count := _seen(typed.get(number, ""))) is not None}
    results = payments.pay_invoices(viewer=viewer, numbers=numbers, now=clock.now(), seen=seen)
    rows = [_row(viewer, result) for result in results]
    paid = [row.amount for row in rows if row.tone == "good" and row.amount is not None]
    waiting = sum(row.tone == "wait" for row in rows)
    context = {"rows": rows, "paid": len(paid), "waiting": waiting, "left": left, "totals": _totals(paid)}
    return render(request, "portal/paid_several.html", context)


def _chosen(numbers: Iterable[str]) -> tuple[list[str], int]:
    """The numbers that are paid now, and how many are left for the next time."""
    chosen = list(dict.fromkeys(text[:40] for text in numbers if text and "\x00" not in text))
    return chosen[:_MOST], max(len(chosen) - _MOST, 0)


def _row(viewer: Viewer, result: payments.PayResult) -> ResultRow:
    attempt = result.attempt
    if attempt is None:
        return ResultRow(result.number, "Not tried", "warn", None, result.refused, "")
    said = f"{attempt.what_happened} {attempt.what_to_do}".strip()
    if attempt.paid:
        return ResultRow(result.number, attempt.state_word, "good", attempt.amount, attempt.card, "")
    tone = "wait" if attempt.under_way else "bad"
    confirm = _confirmation_of(viewer, result.number) if attempt.waits else ""
    return ResultRow(result.number, attempt.state_word, tone, attempt.amount, said, confirm)


def _confirmation_of(viewer: Viewer, number: str) -> str:
    """Where the payment that waits for its cardholder, who is here now, is confirmed."""
    return queries.confirmation_path(viewer, invoice_for(viewer, number).summary.id, now=clock.now())


def _seen(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _totals(amounts: Sequence[Money]) -> list[Money]:
    """One sum a currency, by currency."""
    sums: dict[str, int] = defaultdict(int)
    for amount in amounts:
        sums[amount.currency] += amount.minor
    return [Money(minor, currency) for currency, minor in sorted(sums.items())]
