"""Writing a batch of calls: new, revised, repeated, or corrected after billing (M11, M21)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg import sql

from callbill.domain.usage._correcting import Sent, record_sent
from callbill.domain.usage._rows import CanonicalCall
from callbill.lib.fields import new_id


class Outcome(Enum):
    """What became of one delivered call."""

    ACCEPTED = "accepted"
    REVISED = "revised"
    REPEATED = "repeated"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Under which import and source calls are stored, and when they came."""

    import_id: UUID
    source: str
    now: datetime


_CONTENT = (
    *("started_at", "answered_at", "ended_at", "talk_ms", "wrap_ms", "hold_ms", "queue_ms", "direction"),
    *("disposition", "service", "queue", "number", "from_number", "to_number", "flags"),
)


def _columns(table: str = "") -> sql.Composable:
    """The content of a call, which makes a redelivery a repetition or a revision, as a list of columns."""
    path = (table,) if table else ()
    return sql.SQL(", ").join(sql.Identifier(*path, name) for name in _CONTENT)


def _differs(new: str) -> sql.Composable:
    return sql.SQL("(({old}) IS DISTINCT FROM ({new}))").format(old=_columns("c"), new=_columns(new))


_MAKE_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS usage_incoming (
    id uuid, place integer, line integer, company_id uuid, source_call_id text, started_at timestamptz,
    answered_at timestamptz, ended_at timestamptz, talk_ms bigint, wrap_ms bigint, hold_ms bigint,
    queue_ms bigint, direction text, disposition text, service text, queue text, number text,
    from_number text, to_number text, flags varchar[], source_updated_at timestamptz
) ON COMMIT DELETE ROWS
"""

# Rows go in by key, so that two imports at once wait for each other instead of deadlocking. A call that is
# there is locked even if nothing changes: what the second statement reads of it stays true.
_STORE = sql.SQL("""
INSERT INTO usage_call AS c (
    id, company_id, source, source_call_id, {content}, source_updated_at,
    call_import_id, import_line, received_at, revision
)
SELECT id, company_id, %(source)s, source_call_id, {content}, source_updated_at,
       %(import_id)s, line, %(now)s, 1
FROM usage_incoming ORDER BY company_id, source_call_id
ON CONFLICT (company_id, source, source_call_id) DO UPDATE SET
    ({content}) = ROW({new}),
    source_updated_at = COALESCE(excluded.source_updated_at, c.source_updated_at),
    call_import_id = CASE WHEN {differs} THEN excluded.call_import_id ELSE c.call_import_id END,
    import_line = CASE WHEN {differs} THEN excluded.import_line ELSE c.import_line END,
    received_at = CASE WHEN {differs} THEN excluded.received_at ELSE c.received_at END,
    revision = c.revision + CASE WHEN {differs} THEN 1 ELSE 0 END
WHERE c.settlement_id IS NULL
  AND (c.source_updated_at > excluded.source_updated_at) IS NOT TRUE
  AND ({differs} OR excluded.source_updated_at IS DISTINCT FROM c.source_updated_at)
RETURNING company_id, source_call_id, call_import_id, import_line, revision
""").format(content=_columns(), new=_columns("excluded"), differs=_differs("excluded"))

# Billed calls of which something else is said than the row has, or was said by the source since.
_BILLED = sql.SQL("""
SELECT i.place, c.id
FROM usage_incoming i
JOIN usage_call c ON c.company_id = i.company_id AND c.source = %(source)s
                 AND c.source_call_id = i.source_call_id
WHERE c.settlement_id IS NOT NULL
  AND ({differs}
    OR EXISTS (SELECT 1 FROM usage_callcorrection k WHERE k.call_id = c.id AND k.kind = 'imported'))
  AND (c.source_updated_at > i.source_updated_at) IS NOT TRUE
ORDER BY i.place
""").format(differs=_differs("i"))


def store(calls: Sequence[tuple[int, CanonicalCall]], delivery: Delivery) -> list[Outcome]:
    """Store calls, each with its line, and answer what became of each, in order.

    Call it inside a transaction. The same call several times in the batch counts as if it came one after
    the other.
    """
    outcomes: list[Outcome | None] = [None] * len(calls)
    same_as: dict[int, int] = {}
    waves: list[list[int]] = []
    latest: dict[tuple[UUID, str], tuple[int, int]] = {}
    for place, (_, call) in enumerate(calls):
        before = latest.get(call.key)
        if before is not None and calls[before[1]][1] == call:
            same_as[place] = before[1]
            continue
        wave = 0 if before is None else before[0] + 1
        latest[call.key] = (wave, place)
        if wave == len(waves):
            waves.append([])
        waves[wave].append(place)
    for places in waves:
        for place, outcome in _store_wave(places, calls, delivery).items():
            outcomes[place] = outcome
    for place in same_as:
        outcomes[place] = Outcome.REPEATED
    return [outcome for outcome in outcomes if outcome is not None]


def _store_wave(
    places: Sequence[int], calls: Sequence[tuple[int, CanonicalCall]], delivery: Delivery
) -> dict[int, Outcome]:
    """Store calls with different keys."""
    outcomes = dict.fromkeys(places, Outcome.REPEATED)
    by_key = {calls[place][1].key: place for place in places}
    parameters: dict[str, Any] = {
        "source": delivery.source,
        "import_id": delivery.import_id,
        "now": delivery.now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MAKE_INCOMING)
        cursor.execute("DELETE FROM usage_incoming")
        with cursor.copy("COPY usage_incoming FROM STDIN") as copy:
            copy.write("".join(_copy_line(place, *calls[place]) for place in places))
        cursor.execute(_STORE, parameters)
        for company_id, source_call_id, import_id, line, revision in cursor.fetchall():
            place = by_key[company_id, source_call_id]
            if import_id == delivery.import_id and line == calls[place][0]:
                outcomes[place] = Outcome.ACCEPTED if revision == 1 else Outcome.REVISED
        cursor.execute(_BILLED, parameters)
        sent = {call_id: (place, Sent(call_id, *calls[place])) for place, call_id in cursor.fetchall()}
    if sent:
        words = [word for _, word in sent.values()]
        for call_id in record_sent(words, import_id=delivery.import_id, now=delivery.now):
            outcomes[sent[call_id][0]] = Outcome.CORRECTED
    return outcomes


def _copy_line(place: int, line: int, call: CanonicalCall) -> str:
    """One line of COPY's text format."""
    values = (
        new_id(),
        place,
        line,
        call.company_id,
        _escaped(call.source_call_id),
        _instant(call.started_at),
        _instant(call.answered_at),
        _instant(call.ended_at),
        call.talk_ms,
        _known(call.wrap_ms),
        _known(call.hold_ms),
        _known(call.queue_ms),
        call.direction,
        call.disposition,
        _escaped(call.service),
        _escaped(call.queue),
        _escaped(call.number),
        _escaped(call.from_number),
        _escaped(call.to_number),
        "{" + ",".join(call.flags) + "}",
        _instant(call.updated_at),
    )
    return "\t".join(map(str, values)) + "\n"


def _known(value: int | None) -> int | str:
    return "\\N" if value is None else value


def _instant(value: datetime | None) -> str:
    return "\\N" if value is None else value.isoformat()


def _escaped(text: str | None) -> str:
    if text is None:
        return "\\N"
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text
