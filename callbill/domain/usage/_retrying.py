"""The rows that an import set aside, read again under a mended profile."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from callbill.domain.usage._importing import Item, item_of
from callbill.domain.usage._profile import Profile
from callbill.domain.usage._profile_reading import refuse_unknown_columns
from callbill.domain.usage._reading import Record, RecordReader, Unusable
from callbill.domain.usage._rows import RowReader
from callbill.domain.usage.models import SetAsideRow

_AT_A_TIME = 1000


def columns_kept(import_id: UUID) -> set[tuple[str, ...]]:
    """The column lists of the open rows of an import: one, unless a file changed under its name."""
    rows = SetAsideRow.objects.filter(call_import_id=import_id, resolved_at__isnull=True)
    return {tuple(columns) for columns in rows.order_by().values_list("row__columns", flat=True).distinct()}


def items_again(
    import_id: UUID, profile: Profile, companies: Mapping[str, UUID], *, now: datetime
) -> Iterator[Item]:
    """The open rows of an import, in the order of their lines, read under `profile`."""
    readers: dict[tuple[str, ...], RowReader] = {}
    for columns in columns_kept(import_id):
        refuse_unknown_columns(profile, columns)
        readers[columns] = RowReader(profile, columns, companies, now=now)
    line = 0
    while True:
        rows = list(
            SetAsideRow.objects.filter(
                call_import_id=import_id, resolved_at__isnull=True, line__gt=line
            ).order_by("line")[:_AT_A_TIME]
        )
        if not rows:
            return
        for row in rows:
            reader = readers[tuple(row.row["columns"])]
            yield item_of(_record(row, profile), reader, fingerprint=row.fingerprint)
        line = rows[-1].line


def _record(row: SetAsideRow, profile: Profile) -> Record | Unusable:
    kept: dict[str, Any] = row.row
    if "values" in kept:
        return Record(row.line, kept["values"])
    raw = base64.b64decode(kept["bytes"])
    if row.code == "long_row":  # only its beginning was kept
        return Unusable(row.line, raw, row.code, row.reason)
    read = next(iter(RecordReader(io.BytesIO(raw), profile, columns=tuple(kept["columns"]))), None)
    if isinstance(read, Record):
        return Record(row.line, read.values)
    if read is None:
        return Unusable(row.line, raw, row.code, row.reason)
    return Unusable(row.line, raw, read.code, read.reason)
