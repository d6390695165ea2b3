"""What changes calls: imports, retries of rows that were set aside, settling, corrections after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Literal
from uuid import UUID

from django.db import connection
from psycopg import sql

from callbill.domain.customers.queries import company_keys
from callbill.domain.usage._correcting import Correction, NotCorrectable, correct
from callbill.domain.usage._importing import Item, item_of, mark_dead_imports, run_import
from callbill.domain.usage._profile import Profile, ProfileErrors
from callbill.domain.usage._profile_reading import read_profile, refuse_unknown_columns
from callbill.domain.usage._reading import CountedFile, FileRefused, RecordReader, lines_of
from callbill.domain.usage._report import ImportReport, Progress, ProgressCallback
from callbill.domain.usage._retrying import columns_kept, items_again
from callbill.domain.usage._rows import RowReader
from callbill.domain.usage.models import Call, CallCorrection, CallImport, SetAsideRow
from callbill.lib.transactions import in_transaction
from callbill.rules.problem import Problem

__all__ = [
    "Correction",
    "FileRefused",
    "ImportReport",
    "NoSuchImport",
    "NotCorrectable",
    "Profile",
    "ProfileErrors",
    "Progress",
    "ask_again",
    "correct_call",
    "import_calls",
    "mark_examined",
    "read_profile",
    "refuse_corrections",
    "release",
    "retry_all_set_aside",
    "retry_set_aside",
    "settle",
]

Anchor = Literal["started_at", "ended_at"]


class NoSuchImport(Exception):
    """There is no import of that id."""


def import_calls(
    *,
    stream: BinaryIO,
    profile: Profile,
    file_name: str,
    now: datetime,
    progress: ProgressCallback | None = None,
) -> ImportReport:
    """Take in the calls of a CSV file, plain or gzipped, in constant memory and in batches.

    Each batch commits by itself, so a crash loses nothing and a second import of the file only repeats
    (M11). Rows that cannot be used are kept with their reason. Raises ProfileErrors (a column or company
    that is not there) and FileRefused (no header, not gzip) before anything is written; a file that breaks
    off later gives a report whose status is "failed".
    """
    mark_dead_imports(now)
    companies = company_keys()
    _refuse_unknown_companies(profile, set(companies))
    counted = CountedFile(stream)
    records = RecordReader(lines_of(counted, file_name), profile)
    refuse_unknown_columns(profile, records.columns)
    reader = RowReader(profile, records.columns, companies, now=now)
    call_import = _begin(profile, file_name, now)
    return run_import(
        call_import,
        profile,
        (item_of(record, reader) for record in records),
        now=now,
        after_batch=_teller(progress, counted),
        sha256=counted.sha256,
    )


def retry_set_aside(
    *, import_id: UUID, profile: Profile, now: datetime, progress: ProgressCallback | None = None
) -> ImportReport:
    """Read the open set-aside rows of an import again under a (mended) profile.

    Rows that come in are resolved; the others stay where they are with the reason of this reading, and
    count as `set_aside_before`. Raises NoSuchImport, ProfileErrors.
    """
    mark_dead_imports(now)
    earlier = CallImport.objects.filter(id=import_id).first()
    if earlier is None:
        raise NoSuchImport(f"There is no import {import_id}.")
    companies = company_keys()
    _refuse_unknown_companies(profile, set(companies))
    for columns in columns_kept(import_id):
        refuse_unknown_columns(profile, columns)
    items: Iterator[Item] = items_again(import_id, profile, companies, now=now)
    call_import = _begin(profile, earlier.file_name, now, retry_of=earlier)
    return run_import(call_import, profile, items, now=now, after_batch=_teller(progress, None))


def retry_all_set_aside(
    *, profile: Profile, now: datetime, progress: ProgressCallback | None = None
) -> list[ImportReport]:
    """`retry_set_aside` for every import under a profile of the same source that has open rows."""
    waiting = (
        SetAsideRow.objects.filter(resolved_at__isnull=True, call_import__profile__source=profile.source)
        .order_by("call_import_id")
        .values_list("call_import_id", flat=True)
        .distinct()
    )
    return [
        retry_set_aside(import_id=import_id, profile=profile, now=now, progress=progress)
        for import_id in list(waiting)
    ]


@in_transaction
def settle(*, company_id: UUID, start: datetime, end: datetime, anchor: Anchor, settlement_id: UUID) -> int:
    """Mark the company's unsettled calls whose anchor lies in [start, end); answers how many (M7).

    From then on they do not change any more. Invoicing calls it inside its transaction.
    """
    return _settle(
        sql.SQL("{anchor} >= %(start)s AND {anchor} < %(end)s").format(anchor=sql.Identifier(anchor)),
        {"company_id": company_id, "settlement_id": settlement_id, "start": start, "end": end},
    )


@in_transaction
def release(*, settlement_ids: Sequence[UUID]) -> int:
    """Free the calls that a voided invoice had settled, to be billed again; answers how many."""
    return Call.objects.filter(settlement_id__in=list(settlement_ids)).update(settlement_id=None)


@in_transaction
def correct_call(
    *, call_id: UUID, says: Correction, reason: str, actor_id: UUID, now: datetime
) -> CallCorrection:
    """Staff say that a billed call is spam, a wrong number or a test, or remove it, and why (M21).

    The invoice and the call's row stay; invoicing proposes the credit. Raises NotCorrectable for a call that
    is not billed or was corrected so before, ReasonMissing without a reason. The action is in the audit log.
    """
    return correct(call_id=call_id, says=says, reason=reason, actor_id=actor_id, now=now)


@in_transaction
def mark_examined(*, correction_ids: Sequence[UUID], proposal_id: UUID | None, now: datetime) -> None:
    """Invoicing has found out what these corrections change: a proposal, or (None) nothing."""
    CallCorrection.objects.filter(id__in=correction_ids).update(examined_at=now, proposal_id=proposal_id)


@in_transaction
def ask_again(*, proposal_id: UUID) -> int:
    """The proposal for these corrections is gone; they wait to be examined again. Answers how many."""
    waiting = CallCorrection.objects.filter(proposal_id=proposal_id)
    return waiting.update(examined_at=None, proposal_id=None)


@in_transaction
def refuse_corrections(*, proposal_id: UUID, now: datetime) -> int:
    """Staff refused the credit for these corrections: the calls stand as they were. Answers how many."""
    return CallCorrection.objects.filter(proposal_id=proposal_id).update(refused_at=now)


def _settle(wanted: sql.Composable, parameters: dict[str, object]) -> int:
    statement = sql.SQL(
        "UPDATE usage_call SET settlement_id = %(settlement_id)s "
        "WHERE company_id = %(company_id)s AND settlement_id IS NULL AND {wanted}"
    ).format(wanted=wanted)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)  # type: ignore[arg-type]
        return int(cursor.rowcount)


def _begin(profile: Profile, file_name: str, now: datetime, retry_of: CallImport | None = None) -> CallImport:
    return CallImport.objects.create(
        started_at=now,
        file_name=file_name[:255],
        profile_name=profile.name,
        profile=profile.document,
        retry_of=retry_of,
    )


def _refuse_unknown_companies(profile: Profile, companies: set[str]) -> None:
    there = ", ".join(sorted(companies)[:20]) or "none yet; load-customers makes them"
    problems = [
        Problem(path, f'names the company "{key}", which is not there; the companies are {there}')
        for path, key in profile.companies_named()
        if key not in companies
    ]
    if problems:
        raise ProfileErrors(problems)


def _teller(progress: ProgressCallback | None, counted: CountedFile | None) -> Callable[[ImportReport], None]:
    def tell(report: ImportReport) -> None:
        if progress is not None:
            progress(Progress(report.rows, counted.bytes_read if counted else 0))

    return tell
