"""A stored call as the plain rules of counting take it."""

from __future__ import annotations

from callbill.domain.usage.models import Call
from callbill.rules.counting import CallFacts


def facts_of(call: Call) -> CallFacts:
    """A stored call as the plain rules take it; its id is the source's, with the source."""
    return CallFacts(
        id=f"{call.source}:{call.source_call_id}",
        started_at=call.started_at,
        ended_at=call.ended_at,
        talk_ms=call.talk_ms,
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
