"""One import: rows become calls or are set aside, batch by batch, each batch whole or not at all."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from callbill.domain.usage._instants import RowRefused
from callbill.domain.usage._profile import Profile
from callbill.domain.usage._reading import FileRefused, Record, Unusable
from callbill.domain.usage._report import ImportReport
from callbill.domain.usage._rows import CanonicalCall, RowReader
from callbill.domain.usage._storing import Delivery, Outcome, store
from callbill.domain.usage.models import CallImport, SetAsideRow
from callbill.lib.alive import alive, is_alive

BATCH_ROWS = 5000
_BATCH_BYTES = 8_000_000
_DIED = (
    "The import was broken off. What it counts here is in; import the file again, the rows that are in "
    "are recognised and nothing comes twice."
)


@dataclass(frozen=True, slots=True)
class Item:
    """A row on its way: a call, or why it is none; `row` is what is kept of it if it is set aside."""

    line: int
    fingerprint: str
    row: Callable[[], dict[str, Any]]
    size: int
    call: CanonicalCall | None = None
    refused: RowRefused | None = None


def item_of(record: Record | Unusable, reader: RowReader, *, fingerprint: str = "") -> Item:
    """What a record of a file is under the reader's profile; `fingerprint` is given when it is retried."""
    columns = reader.columns
    if isinstance(record, Unusable):
        raw = record.raw
        return Item(
            line=record.line,
            fingerprint=fingerprint or _fingerprint(reader.profile, [raw]),
            row=lambda: unusable_row(raw, columns),
            size=len(raw) * 2,
            refused=RowRefused(record.code, record.reason),
        )
    values, call, refused = record.values, None, None
    try:
        call = reader.call(values)
    except RowRefused as error:
        refused = error
    return Item(
        line=record.line,
        fingerprint=fingerprint
        or _fingerprint(reader.profile, [text.encode("utf-8", "replace") for text in (*columns, *values)]),
        row=lambda: {"columns": list(columns), "values": values},
        size=200 if refused is None else 200 + sum(map(len, values)),
        call=call,
        refused=refused,
    )


def unusable_row(raw: bytes, columns: Sequence[str]) -> dict[str, Any]:
    """What is kept of a row that is no record: its bytes, and a text to look at."""
    text = raw.decode("utf-8", "backslashreplace").replace("\0", "␀").rstrip("\r\n")
    return {"columns": list(columns), "bytes": base64.b64encode(raw).decode(), "text": text[:2000]}


def _fingerprint(profile: Profile, parts: Iterable[bytes]) -> str:
    """The same row of the same feed has the same one, also under a mended profile."""
    feed = f"{profile.source}\0{profile.company.constant or ''}".encode()
    return hashlib.sha256(b"\0\0".join([feed, *parts])).hexdigest()


def run_import(
    call_import: CallImport,
    profile: Profile,
    items: Iterator[Item],
    *,
    now: datetime,
    after_batch: Callable[[ImportReport], None],
    sha256: Callable[[], str] = str,
) -> ImportReport:
    """Take in all items under a record that exists already. A file that breaks off leaves it failed.

    While it runs the next import sees that it lives.
    """
    report = ImportReport(call_import.id, call_import.file_name)
    delivery = Delivery(call_import.id, profile.source, now)
    resolves = SetAsideRow.objects.filter(resolved_at__isnull=True).exists()
    status, digest = CallImport.Status.FAILED, ""
    with alive(call_import.id):
        try:
            for batch in _batches(items):
                _take(batch, call_import, delivery, report, resolves=resolves)
                after_batch(report)
            status, digest = CallImport.Status.DONE, sha256()
        except FileRefused as error:
            report.problem = str(error)
        except BaseException:
            report.problem = _DIED
            raise
        finally:
            _finish(call_import, report, status, digest, now)
    return report


def _finish(call_import: CallImport, report: ImportReport, status: str, digest: str, now: datetime) -> None:
    report.status = str(status)
    CallImport.objects.filter(id=call_import.id).update(
        status=status, finished_at=now, file_sha256=digest, problem=report.problem
    )


def mark_dead_imports(now: datetime) -> None:
    """Imports that say they run but whose process is gone are marked failed."""
    for call_import in CallImport.objects.filter(status=CallImport.Status.RUNNING):
        if not is_alive(call_import.id):
            CallImport.objects.filter(id=call_import.id, status=CallImport.Status.RUNNING).update(
                status=CallImport.Status.FAILED, finished_at=now, problem=_DIED
            )


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    """Batches of a bounded number of rows and bytes; what was read before a file breaks off comes too."""
    batch: list[Item] = []
    size = 0
    try:
        for item in items:
            batch.append(item)
            size += item.size
            if len(batch) == BATCH_ROWS or size > _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    except FileRefused:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


@transaction.atomic
def _take(
    batch: Sequence[Item],
    call_import: CallImport,
    delivery: Delivery,
    report: ImportReport,
    *,
    resolves: bool,
) -> None:
    """Store a batch, keep what is set aside, bring the import's figures up to date."""
    usable = [(item, item.call) for item in batch if item.call is not None]
    outcomes = store([(item.line, call) for item, call in usable], delivery) if usable else []
    fates = {id(item): outcome for (item, _), outcome in zip(usable, outcomes, strict=True)}
    aside: list[tuple[Item, RowRefused]] = []
    done: list[Item] = []
    for item in batch:
        outcome = fates.get(id(item))
        if item.refused is not None:
            aside.append((item, item.refused))
        else:
            done.append(item)
            report.accepted += outcome is Outcome.ACCEPTED
            report.revised += outcome is Outcome.REVISED
            report.repeated += outcome is Outcome.REPEATED
            report.corrected += outcome is Outcome.CORRECTED
    report.rows += len(batch)
    for item, refused in aside:
        report.note_set_aside(item.line, refused.code, refused.reason)
    report.set_aside_before += _keep(aside, call_import)
    if resolves and done:
        _resolve(done, call_import, delivery.now)
    CallImport.objects.filter(id=call_import.id).update(
        rows=report.rows,
        accepted=report.accepted,
        revised=report.revised,
        repeated=report.repeated,
        corrected=report.corrected,
        set_aside=report.set_aside,
        set_aside_before=report.set_aside_before,
    )


def _keep(aside: Sequence[tuple[Item, RowRefused]], call_import: CallImport) -> int:
    """Keep rows that were set aside, each once while it is open; answers how many were kept already."""
    if not aside:
        return 0
    kept = {
        row.fingerprint: row
        for row in SetAsideRow.objects.filter(
            resolved_at__isnull=True, fingerprint__in=[item.fingerprint for item, _ in aside]
        ).only("id", "fingerprint", "code", "reason")
    }
    fresh: dict[str, SetAsideRow] = {}
    told_anew: dict[str, SetAsideRow] = {}
    for item, refused in aside:
        row = kept.get(item.fingerprint)
        if row is None and item.fingerprint not in fresh:
            fresh[item.fingerprint] = SetAsideRow(
                call_import=call_import,
                line=item.line,
                row=item.row(),
                fingerprint=item.fingerprint,
                code=refused.code,
                reason=refused.reason,
            )
        elif row is not None and row.reason != refused.reason:
            row.code, row.reason = refused.code, refused.reason
            told_anew[row.fingerprint] = row
    SetAsideRow.objects.bulk_create(fresh.values(), ignore_conflicts=True)
    SetAsideRow.objects.bulk_update(told_anew.values(), ["code", "reason"], batch_size=500)
    return len(aside) - len(fresh)


def _resolve(done: Sequence[Item], call_import: CallImport, now: datetime) -> None:
    """Rows that came in now are no longer set aside, whichever import had kept them."""
    SetAsideRow.objects.filter(
        resolved_at__isnull=True, fingerprint__in=[item.fingerprint for item in done]
    ).update(resolved_at=now, resolved_by_import=call_import)
