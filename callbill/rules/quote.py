"""What usage would cost under a contract, writing nothing: the answer to `callbill quote`.

Prices by the same functions as an invoice: `counting.judge` and `tally` for calls, `rating.rate_pool` for
lines. All usage of a request is one company's; what an organization pools is priced on it as the total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from callbill.rules.counting import CallFacts, Count, Verdict, anchor_instant, judge, tally
from callbill.rules.document import DocumentErrors
from callbill.rules.document.calls import CanonicalCall, facts
from callbill.rules.document.requests import QuoteRequest, read_request
from callbill.rules.money import plain
from callbill.rules.period import Period, time_zone
from callbill.rules.prices import Quantity, quantities
from callbill.rules.problem import Problem
from callbill.rules.rating import RatingRequest, rate_pool, set_up_fees
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated


@dataclass(frozen=True, slots=True)
class Quote:
    """A priced request. `outside` is how many of the given calls are not of the period; they do not count."""

    terms: Terms
    period: Period
    rated: Rated
    received: int
    billable: int
    not_billable: Mapping[str, int]
    outside: int = 0


def quote(request: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON answer to one JSON request, as the contract file's description has it.

    Amounts are decimal strings in major units. A request with mistakes is answered by
    `{"error": {"errors": [{"path", "message"}]}}` with all of them; nothing is raised.
    """
    try:
        return answer(price(request))
    except DocumentErrors as errors:
        return error_answer(errors.problems)


def price(request: Mapping[str, Any]) -> Quote:
    """The request priced. Raises DocumentErrors with every mistake in it.

    Fees in advance and in arrears are both charged for the quoted days, set-up fees when the contract takes
    effect in them. Given quantities stand for so many billable calls of charges per call.
    """
    asked = read_request(request)
    used, count, outside = _used(asked)
    starts = asked.span.first_day <= asked.terms.effective_from < asked.span.end_day
    (rated,) = rate_pool(
        [
            RatingRequest(
                terms=asked.terms,
                period=asked.period,
                span=asked.span,
                quantities=used,
                once_fees=set_up_fees(asked.terms) if starts else frozenset(),
                quantity_history=asked.history,
            )
        ]
    )
    return Quote(
        terms=asked.terms,
        period=asked.span,
        rated=rated,
        received=count.received,
        billable=count.billable,
        not_billable=count.not_billable,
        outside=outside,
    )


def answer(priced: Quote) -> dict[str, Any]:
    """The JSON image of a quote."""
    rated, zone = priced.rated, time_zone(priced.terms.time_zone)
    return {
        "currency": rated.currency,
        "period": [bound.astimezone(zone).isoformat() for bound in (priced.period.start, priced.period.end)],
        "lines": [
            {
                "kind": line.kind,
                "charge": line.charge,
                "name": line.name,
                "quantity": line.quantity_text,
                "unit": line.unit,
                "amount": line.money(line.amount),
                "tax": line.money(line.tax),
            }
            for line in rated.lines
        ],
        "subtotal": plain(rated.subtotal, rated.currency),
        "tax": plain(rated.tax, rated.currency),
        "total": plain(rated.total, rated.currency),
        "calls": {
            "received": priced.received,
            "billable": priced.billable,
            "not_billable": dict(priced.not_billable),
        },
    }


def error_answer(problems: Iterable[Problem]) -> dict[str, Any]:
    """The JSON answer to a request with mistakes."""
    return {"error": {"errors": [{"path": problem.path, "message": problem.message} for problem in problems]}}


def _used(asked: QuoteRequest) -> tuple[Mapping[str, Quantity], Count, int]:
    """Quantities by charge, what was counted, and how many calls lie outside the quoted days."""
    if asked.calls is not None:
        inside = [call for call in asked.calls if _is_inside(facts(call), asked)]
        count = tally(_judged(inside, asked), asked.terms)
        return quantities(count, asked.terms), count, len(asked.calls) - len(inside)
    used = asked.quantities or {}
    calls = sum(quantity.calls for quantity in used.values())
    return used, Count(received=calls, billable=calls, not_billable={}, charges=()), 0


def _is_inside(call: CallFacts, asked: QuoteRequest) -> bool:
    return asked.span.contains(anchor_instant(call, asked.terms.billable))


def _judged(calls: Iterable[CanonicalCall], asked: QuoteRequest) -> list[Verdict]:
    """Verdicts on the calls; caps and free calls hold for each company by itself (M12)."""
    by_company: dict[str, list[CallFacts]] = {}
    for call in calls:
        by_company.setdefault(call.company or "", []).append(facts(call))
    return [
        verdict for group in by_company.values() for verdict in judge(group, asked.terms, asked.calendars)
    ]
