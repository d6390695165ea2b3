"""Calls that turn out to be other than they were billed (M21).

A settled call's row never changes; each later word about it is a `CallCorrection`. What holds of a call now
is its row with its corrections applied in order: the source's latest content, the flags that staff added, or
nothing if staff removed it. Corrections whose credit staff refused do not apply.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from callbill.domain.usage._rows import CanonicalCall
from callbill.domain.usage.models import Call, CallCorrection
from callbill.domain.users.operations import record_staff_action

Content = dict[str, Any]
Correction = Literal["spam", "wrong_number", "test", "removed"]

CORRECTIONS: Mapping[str, str] = {
    "spam": "it is spam",
    "wrong_number": "it is a wrong number",
    "test": "it is a test call",
    "removed": "it does not belong on the invoice",
}
"""What staff can say of a billed call."""

SENT_AGAIN = "The source sent the call again with other content."

_INSTANTS = ("started_at", "answered_at", "ended_at")
_PLAIN = (
    *("talk_ms", "wrap_ms", "hold_ms", "queue_ms", "direction", "disposition"),
    *("service", "queue", "number", "from_number", "to_number"),
)


class NotCorrectable(Exception):
    """The call cannot be corrected so; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A call as it was sent again after it was billed, by the line of the import."""

    call_id: UUID
    line: int
    call: CanonicalCall


def content_of(call: Call | CanonicalCall) -> Content:
    """What is known of a call, as JSON values; instants in UTC, flags in alphabetical order."""
    instants = {name: _text(getattr(call, name)) for name in _INSTANTS}
    return {**instants, **{name: getattr(call, name) for name in _PLAIN}, "flags": sorted(set(call.flags))}


def holds(call: Call, corrections: Iterable[CallCorrection]) -> Content | None:
    """What holds of a call now; None if it was removed. `corrections` are the call's, by number."""
    content, flags = content_of(call), set[str]()
    for correction in corrections:
        if correction.refused_at is not None:
            continue
        if correction.kind == CallCorrection.Kind.REMOVED:
            return None
        if correction.kind == CallCorrection.Kind.FLAGGED:
            flags.update(correction.said["flags"])
        else:
            content = dict(correction.said)
    return {**content, "flags": sorted({*content["flags"], *flags})}


def put_into(call: Call, content: Content) -> Call:
    """The call in memory with other content; it is not to be saved."""
    for name in _INSTANTS:
        text = content[name]
        setattr(call, name, None if text is None else datetime.fromisoformat(text))
    for name in (*_PLAIN, "flags"):
        setattr(call, name, content[name])
    return call


def by_call(corrections: Iterable[CallCorrection]) -> dict[UUID, list[CallCorrection]]:
    """Corrections of several calls, each call's in order."""
    found: dict[UUID, list[CallCorrection]] = defaultdict(list)
    for correction in sorted(corrections, key=lambda each: each.number):
        found[correction.call_id].append(correction)
    return found


def record_sent(sent: Sequence[Sent], *, import_id: UUID, now: datetime) -> set[UUID]:
    """Record what the source says anew of billed calls; answers which calls that corrects.

    A word that repeats the source's latest one, or is older than it, corrects nothing; also when staff
    refused the credit for it. The calls are locked by the caller and each is there once.
    """
    calls = Call.objects.in_bulk([each.call_id for each in sent])
    earlier = by_call(CallCorrection.objects.filter(call_id__in=calls))
    fresh = []
    for each in sent:
        call, known = calls[each.call_id], earlier.get(each.call_id, [])
        said = content_of(each.call)
        of_source = [known_one for known_one in known if known_one.kind == CallCorrection.Kind.IMPORTED]
        latest = of_source[-1] if of_source else None
        if said == (latest.said if latest else content_of(call)) or _older(each.call.updated_at, latest):
            continue
        correction = CallCorrection(
            call=call,
            number=len(known) + 1,
            kind=CallCorrection.Kind.IMPORTED,
            said=said,
            before=holds(call, known) or content_of(call),
            reason=SENT_AGAIN,
            call_import_id=import_id,
            import_line=each.line,
            source_updated_at=each.call.updated_at,
            made_at=now,
        )
        correction.after = holds(call, [*known, correction])
        fresh.append(correction)
    CallCorrection.objects.bulk_create(fresh, batch_size=1000)
    return {correction.call_id for correction in fresh}


def correct(*, call_id: UUID, says: Correction, reason: str, actor_id: UUID, now: datetime) -> CallCorrection:
    """What staff say of a billed call; it is in the audit log. Raises NotCorrectable, ReasonMissing."""
    call = Call.objects.select_for_update(of=("self",)).select_related("company").filter(id=call_id).first()
    if call is None:
        raise NotCorrectable("There is no such call.")
    if call.settlement_id is None:
        raise NotCorrectable(
            "The call has not been billed, so there is nothing to credit. Correct it in the source."
        )
    known = list(CallCorrection.objects.filter(call=call).order_by("number"))
    before = holds(call, known)
    if before is None:
        raise NotCorrectable("The call has been removed already.")
    removes = says == "removed"
    if not removes and says in before["flags"]:
        raise NotCorrectable(f"The call is flagged already: {CORRECTIONS[says]}.")
    record_staff_action(
        actor_id=actor_id,
        action="correct_call",
        subject_kind="company",
        subject_id=str(call.company_id),
        subject_label=call.company.name,
        reason=reason,
        details={"call": f"{call.source} {call.source_call_id}", "because": CORRECTIONS[says]},
        now=now,
    )
    return CallCorrection.objects.create(
        call=call,
        number=len(known) + 1,
        kind=CallCorrection.Kind.REMOVED if removes else CallCorrection.Kind.FLAGGED,
        said={} if removes else {"flags": [says]},
        before=before,
        after=None if removes else {**before, "flags": sorted({*before["flags"], says})},
        reason=reason.strip(),
        made_at=now,
        made_by_id=actor_id,
    )


def _older(updated_at: datetime | None, latest: CallCorrection | None) -> bool:
    known = latest.source_updated_at if latest else None
    return known is not None and updated_at is not None and updated_at < known


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()
