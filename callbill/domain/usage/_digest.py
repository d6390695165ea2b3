"""A digest of the exact set of calls that a settlement marked (M19).

SHA-256 over one line per call in the order of company, source and source call id. A line has, with tabs
between them and as COPY's text format spells them: id, company, source, source call id, start, answer and
end in microseconds since 1970, talk, wrap-up, hold and queue time in ms, direction, disposition, service,
queue, number, from and to number, and the flags in alphabetical order.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.db import connection

_LINES = """
COPY (
    SELECT id, company_id, source, source_call_id,
           (EXTRACT(EPOCH FROM started_at) * 1000000)::bigint,
           (EXTRACT(EPOCH FROM answered_at) * 1000000)::bigint,
           (EXTRACT(EPOCH FROM ended_at) * 1000000)::bigint,
           talk_ms, wrap_ms, hold_ms, queue_ms, direction, disposition, service, queue,
           number, from_number, to_number,
           CASE WHEN cardinality(flags) < 2 THEN flags
                ELSE ARRAY(SELECT unnest(flags) COLLATE "C" ORDER BY 1) END
    FROM usage_call WHERE settlement_id = %s
    ORDER BY company_id, source COLLATE "C", source_call_id COLLATE "C"
) TO STDOUT
"""


def digest(settlement_id: UUID) -> tuple[int, str]:
    """How many calls a settlement marked, and the hex digest of the set; streamed, in constant memory."""
    lines, sha256 = 0, hashlib.sha256()
    # Django's cursor that keeps statements (tests counting them) has a copy() without parameters.
    with connection.cursor() as cursor, cursor.cursor.copy(_LINES, [settlement_id]) as copy:
        for block in copy:
            sha256.update(block)
            lines += bytes(block).count(b"\n")  # a line end inside a value is written as \n
    return lines, sha256.hexdigest()
