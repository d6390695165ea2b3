"""The calls behind a usage line: those it bills, those not billed and why, as pages and as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callbill.domain.contracts import queries as contracts
from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing import queries as invoicing
from callbill.domain.usage import queries as usage
from callbill.domain.usage.queries import CallRow
from callbill.rules.counting import Calendars, reason_in_words
from callbill.rules.period import Period, time_zone
from callbill.rules.terms import Terms
from callbill.web.console.door import page_number, staff_page
from callbill.web.console.spreadsheet import harmless

_WITH_CALLS = ("usage", "late")


@dataclass(frozen=True, slots=True)
class _Behind:
    """A line and how its calls are asked for."""

    line: Any
    terms: Terms
    settlement_ids: tuple[UUID, ...]
    calendars: Calendars

    @property
    def zone(self) -> str:
        return self.terms.time_zone

    def asking(self) -> dict[str, Any]:
        return {
            "settlement_ids": self.settlement_ids,
            "terms": self.terms,
            "calendars": self.calendars,
        }


@require_safe
@staff_page
def line(request: HttpRequest, viewer: Viewer, number: str, line_id: UUID) -> HttpResponse:
    """The billed calls of a line, or with `show=not-billed` those of its days that are not billed."""
    behind = _behind(viewer, number, line_id)
    shown = "not-billed" if request.GET.get("show") == "not-billed" else "billed"
    reason = request.GET.get("reason", "")[:60] if shown == "not-billed" else ""
    page = page_number(request)
    if shown == "billed":
        calls = usage.calls_behind(**behind.asking(), charge_id=behind.line.charge, page=page)
    else:
        calls = usage.not_billed(**behind.asking(), reason=reason, page=page)
    stretch = behind.line.stretch
    now_there, now_digest = usage.digest(stretch.id)
    context = {
        "line": behind.line,
        "number": number,
        "section": behind.line.section,
        "stretch": stretch,
        "zone": behind.zone,
        "days": Period(stretch.first_day, stretch.end_day, behind.zone).label,
        "calls": calls,
        "shown": shown,
        "reason": reason,
        "reasons": [(code, reason_in_words(code), count) for code, count in stretch.not_billable.items()],
        "now_there": now_there,
        "now_digest": now_digest,
        "unchanged": (now_there, now_digest) == (stretch.received, stretch.digest),
    }
    return render(request, "console/line.html", context)


@require_safe
@staff_page
def line_csv(request: HttpRequest, viewer: Viewer, number: str, line_id: UUID) -> StreamingHttpResponse:
    """The same calls, all of them, as a CSV file that is written while it is sent."""
    behind = _behind(viewer, number, line_id)
    if request.GET.get("show") == "not-billed":
        rows = usage.stream_not_billed(**behind.asking(), reason=request.GET.get("reason", "")[:60])
        name = f"{number}-not-billed.csv"
    else:
        rows = usage.stream_calls_behind(**behind.asking(), charge_id=behind.line.charge)
        name = f"{number}-{behind.line.charge}.csv"
    pieces = _in_pieces(_csv(rows, behind.zone))
    answer = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{re.sub("[^A-Za-z0-9._-]", "_", name)}"'
    return answer


def _behind(viewer: Viewer, number: str, line_id: UUID) -> _Behind:
    """The line, if it is one of this invoice and has calls. Raises NotFound."""
    found = invoicing.line_for_staff(viewer, line_id)
    if found.section.invoice.number != number or found.kind not in _WITH_CALLS or found.stretch is None:
        raise NotFound("There is no such line with calls.")
    # Terms and calendars as they were frozen at issue, so that the verdicts are those of the invoice.
    terms = contracts.terms_of_document(found.stretch.terms)
    return _Behind(found, terms, (found.stretch.id,), invoicing.calendars_behind(found.stretch))


_COLUMNS = (
    *("source", "source_call_id", "started_at", "answered_at", "ended_at", "talk_seconds", "wrap_seconds"),
    *("direction", "disposition", "service", "queue", "number", "from_number", "to_number", "flags"),
    *("verdict", "charge", "billed_seconds"),
)


def _csv(rows: Iterator[CallRow], zone: str) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(_COLUMNS)
    wall = time_zone(zone)
    for row in rows:
        instants = [
            moment.astimezone(wall).isoformat() if moment else ""
            for moment in (row.started_at, row.answered_at, row.ended_at)
        ]
        values = (
            *(row.source, row.source_call_id, *instants, _seconds(row.talk_ms), _seconds(row.wrap_ms)),
            *(row.direction, row.disposition, row.service, row.queue, row.number),
            *(row.from_number, row.to_number, " ".join(row.flags)),
            *(row.words, row.charge_id, str(row.billed_seconds)),
        )
        yield writer.writerow([harmless(value or "") for value in values])


def _in_pieces(lines: Iterator[str]) -> Iterator[str]:
    """The same text in fewer, larger pieces: each piece is a write to the socket."""
    while piece := "".join(islice(lines, 500)):
        yield piece


class _Echo:
    """A file that hands back what is written into it, for csv.writer."""

    def write(self, text: str) -> str:
        return text


def _seconds(milliseconds: int | None) -> str:
    """Seconds with their milliseconds: "61.250"."""
    return "" if milliseconds is None else f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
