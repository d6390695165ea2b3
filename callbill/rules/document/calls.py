"""The canonical call as a JSON object: reading it, and what counting makes of it.

Times are ISO 8601 with an offset, durations integer milliseconds, unknown values null or absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from callbill.rules.counting import CallFacts
from callbill.rules.document._calendar import Instant
from callbill.rules.document._fields import DIRECTIONS, DISPOSITIONS, FLAGS, NUMBER
from callbill.rules.document._kind import Reading
from callbill.rules.document._scalars import Choice, ListOf, Text, Whole
from callbill.rules.document._tables import Draft, Field, Table
from callbill.rules.terms import Terms

_LONGEST_MS = 366 * 86_400_000
_DURATION = Whole(0, _LONGEST_MS)


@dataclass(frozen=True, slots=True)
class CanonicalCall:
    """One call as its source tells it; None is unknown. `id` with `source` and `company` is the key (M11)."""

    id: str
    started_at: datetime
    disposition: str
    source: str | None = None
    company: str | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_ms: int | None = None
    wrap_ms: int | None = None
    hold_ms: int | None = None
    queue_ms: int | None = None
    direction: str | None = None
    service: str | None = None
    queue: str | None = None
    number: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Company, source and id: what bills once (M11)."""
        return (self.company or "", self.source or "", self.id)


CALL = Table(
    CanonicalCall,
    (
        Field("id", Text(example="c-4711"), "the source's id of the call, in quotes"),
        Field("source", Text(example="switch-1"), "which switch or feed sent it"),
        Field("company", Text(example="acme"), "the company's key"),
        Field("started_at", Instant(), 'when it was offered, as in "2026-03-02T14:05:00-05:00"'),
        Field("answered_at", Instant(), "when it was first answered"),
        Field("ended_at", Instant(), "when the last leg ended"),
        Field("talk_ms", _DURATION, "answered time in milliseconds, legs that overlap counted once"),
        Field("wrap_ms", _DURATION, "work after the call in milliseconds"),
        Field("hold_ms", _DURATION, "time on hold in milliseconds"),
        Field("queue_ms", _DURATION, "waiting time in milliseconds"),
        Field("direction", Choice(DIRECTIONS), "which way it went"),
        Field("disposition", Choice(DISPOSITIONS), 'how it ended, as in "answered"'),
        Field("service", Text(example="main"), "the line of service"),
        Field("queue", Text(example="reception"), "the queue"),
        Field("number", NUMBER, "the operator's number"),
        Field("from_number", NUMBER, "the caller's number, null if withheld"),
        Field("to_number", NUMBER, "the number called, null if withheld"),
        Field("flags", ListOf(Choice(FLAGS), may_be_empty=True), "what it was marked as"),
    ),
    loose=True,
)


def read_call(value: object, path: str, reading: Reading) -> CanonicalCall | None:
    """The call a JSON object tells, or None after reporting every mistake in it."""
    before = len(reading.problems)
    draft = CALL.read(value, path, reading)
    if isinstance(draft, Draft):
        _check_order(draft, path, reading)
    if len(reading.problems) > before or not isinstance(draft, Draft):
        return None
    call: CanonicalCall = CALL.build(draft)
    return call


def _check_order(call: Draft, path: str, reading: Reading) -> None:
    started, answered, ended = (call.good(key) for key in ("started_at", "answered_at", "ended_at"))
    if started and ended and ended < started:
        reading.report(
            f"{path}.ended_at", f"is {ended.isoformat()}, before the call starts; a call ends after it"
        )
    if started and answered and answered < started:
        reading.report(f"{path}.answered_at", f"is {answered.isoformat()}, before the call starts")


def missing_for(call: CanonicalCall, terms: Terms) -> Iterator[tuple[str, str]]:
    """Keys the call has no value for though these terms cannot count it without; each with the reason."""
    if call.ended_at is None and terms.billable.anchor == "ended_at":
        yield "ended_at", "is missing; this contract puts a call into the period in which it ended"
    counted = call.disposition in terms.billable.dispositions
    if call.talk_ms is None and call.disposition == "answered" and counted and _needs_talk_time(terms):
        yield "talk_ms", "is missing; this contract bills an answered call by its talk time in milliseconds"


def _needs_talk_time(terms: Terms) -> bool:
    by_minute = any(charge.unit == "minute" for charge in terms.usage)
    return by_minute or terms.billable.min_talk_seconds > 0 or terms.billable.free_short_calls is not None


def facts(call: CanonicalCall) -> CallFacts:
    """What counting knows of the call. Unknown durations are 0, an unknown end is when the talk was over."""
    talk_ms = call.talk_ms or 0
    return CallFacts(
        id="/".join(call.key),
        started_at=call.started_at,
        ended_at=call.ended_at or call.started_at + timedelta(milliseconds=talk_ms),
        talk_ms=talk_ms,
        wrap_ms=call.wrap_ms or 0,
        direction=call.direction,
        service=call.service,
        queue=call.queue,
        number=call.number,
        from_number=call.from_number,
        to_number=call.to_number,
        disposition=call.disposition,
        flags=frozenset(call.flags),
    )
