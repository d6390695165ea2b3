"""Settled calls as they hold now, with the corrections that came after they were billed (M21)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.usage._correcting import by_call, holds, put_into
from callbill.domain.usage._facts import facts_of
from callbill.domain.usage.models import Call, CallCorrection
from callbill.rules.counting import NO_CALENDARS, Calendars, CallFacts, Count, judge, tally
from callbill.rules.terms import Terms

_LABELS = {
    "started_at": "started",
    "answered_at": "answered",
    "ended_at": "ended",
    "talk_ms": "talk in ms",
    "wrap_ms": "wrap-up in ms",
    "hold_ms": "hold in ms",
    "queue_ms": "waiting in ms",
    "direction": "direction",
    "disposition": "ended as",
    "service": "service",
    "queue": "queue",
    "number": "number",
    "from_number": "from",
    "to_number": "to",
    "flags": "flags",
}


@dataclass(frozen=True, slots=True)
class CorrectedCall:
    """One correction, as people read it: which call, what it was, what it is now, who said so and why."""

    id: UUID
    call_id: UUID
    source: str
    source_call_id: str
    started_at: datetime
    was: str
    now: str
    reason: str
    by: str
    at: datetime
    import_id: UUID | None
    proposal_id: UUID | None
    refused: bool


def corrections_waiting() -> dict[UUID, list[UUID]]:
    """The corrections that invoicing has not examined yet, by the settlement of their calls; unscoped."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    waiting = CallCorrection.objects.filter(examined_at__isnull=True, call__settlement_id__isnull=False)
    for correction in waiting.select_related("call").order_by("made_at"):
        settlement_id = correction.call.settlement_id
        assert settlement_id is not None, "asked for settled calls"
        found[settlement_id].append(correction.id)
    return found


def corrected_facts(settlement_ids: Sequence[UUID]) -> Iterator[CallFacts]:
    """The settled calls as they hold now, without those that were removed; fetched little by little.

    A call stays in the period it was billed in, also when its times were corrected.
    """
    wanted = list(settlement_ids)
    corrections = by_call(CallCorrection.objects.filter(call__settlement_id__in=wanted))
    calls = Call.objects.filter(settlement_id__in=wanted).order_by("started_at", "id")
    for call in calls.iterator(chunk_size=5000):
        known = corrections.get(call.id)
        if known is None:
            yield facts_of(call)
        elif (content := holds(call, known)) is not None:
            yield facts_of(put_into(call, content))


def count_corrected(
    settlement_ids: Sequence[UUID], terms: Terms, calendars: Calendars = NO_CALENDARS
) -> Count:
    """What would be counted of the settled calls as they hold now, call by call by the plain rules.

    Raises UnknownCalendar for a holiday calendar of the terms that `calendars` does not have.
    """
    return tally(judge(list(corrected_facts(settlement_ids)), terms, calendars), terms)


def corrected_calls(settlement_ids: Sequence[UUID], *, proposal_id: UUID | None) -> list[CorrectedCall]:
    """Corrections of the settlements' calls that no proposal has yet, or this one; in order; unscoped."""
    found = CallCorrection.objects.filter(
        call__settlement_id__in=list(settlement_ids), refused_at__isnull=True
    ).select_related("call", "made_by")
    found = found.filter(Q(proposal_id__isnull=True) | Q(proposal_id=proposal_id))
    return [_in_words(correction) for correction in found.order_by("call__started_at", "call_id", "number")]


def one_call(viewer: Viewer, call_id: UUID) -> tuple[Call, list[CorrectedCall]]:
    """A call as it was billed, and its corrections in order. Staff only; raises NotFound."""
    call = Call.objects.filter(id=call_id).select_related("company").first()
    if call is None or not viewer.is_staff:
        raise NotFound("There is no such call.")
    corrections = call.corrections.select_related("call", "made_by").order_by("number")
    return call, [_in_words(correction) for correction in corrections]


def calls_started_in(*, company_id: UUID, start: datetime, end: datetime, service: str = "") -> list[Call]:
    """A company's calls, settled or not, that started in [start, end), of a service or all; unscoped."""
    calls = Call.objects.filter(company_id=company_id, started_at__gte=start, started_at__lt=end)
    return list((calls.filter(service=service) if service else calls).order_by("started_at", "id"))


def _in_words(correction: CallCorrection) -> CorrectedCall:
    was, now = _changes(correction.before, correction.after)
    call = correction.call
    return CorrectedCall(
        id=correction.id,
        call_id=call.id,
        source=call.source,
        source_call_id=call.source_call_id,
        started_at=call.started_at,
        was=was,
        now=now,
        reason=correction.reason,
        by=str(correction.made_by) if correction.made_by else "import",
        at=correction.made_at,
        import_id=correction.call_import_id,
        proposal_id=correction.proposal_id,
        refused=correction.refused_at is not None,
    )


def _changes(before: dict[str, Any], after: dict[str, Any] | None) -> tuple[str, str]:
    """What differs, as two short texts: "flags none" and "flags spam"."""
    if after is None:
        return "billed", "removed"
    changed = [name for name in _LABELS if before[name] != after[name]]
    return _text(before, changed), _text(after, changed)


def _text(content: dict[str, Any], names: Sequence[str]) -> str:
    parts = []
    for name in names:
        value = content[name]
        words = " ".join(value) if isinstance(value, list) else value
        parts.append(f"{_LABELS[name]} {'none' if words in (None, '') else words}")
    return "; ".join(parts) or "the same"
