"""The same call comes in once, whatever is delivered how often; nothing of a file is lost (M11)."""

from __future__ import annotations

import gzip
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from callbill.domain.usage import operations, queries
from callbill.domain.usage.models import Call, CallImport, SetAsideRow
from callbill.domain.usage.operations import FileRefused, NoSuchImport, ProfileErrors, read_profile
from callbill.lib.fields import new_id
from tests import killing
from tests.domain.usage import files
from tests.domain.usage.files import NOW, row, take_in, text_of

pytestmark = pytest.mark.usefixtures("companies")

GOOD = [row(id=f"c{n}") for n in range(7)]
BAD = row(id="bad", talk="-5")
WAIT = files.SWITCH.replace('column = "company"', 'column = "company"\nvalues = { "acme" = "acme" }')
MENDED = files.SWITCH.replace(
    'column = "company"', 'column = "company"\nvalues = { "acme" = "acme", "9" = "borealis" }'
)


def figures(report: operations.ImportReport) -> tuple[int, int, int, int]:
    return report.accepted, report.revised, report.repeated, report.set_aside


def open_rows() -> list[tuple[int, str]]:
    return list(SetAsideRow.objects.filter(resolved_at=None).order_by("line").values_list("line", "code"))


def test_the_same_file_again_adds_nothing() -> None:
    data = text_of([*GOOD, BAD])
    first = take_in(data)
    before = list(Call.objects.order_by("id").values())
    again = take_in(data)
    assert (figures(first), figures(again)) == ((7, 0, 0, 1), (0, 0, 7, 1))
    assert (first.set_aside_before, again.set_aside_before) == (0, 1)
    assert list(Call.objects.order_by("id").values()) == before
    assert open_rows() == [(9, "bad_duration")], "a row that is still bad is kept once"
    recorded = CallImport.objects.get(id=again.import_id)
    assert (recorded.status, recorded.rows, recorded.repeated, recorded.set_aside) == ("done", 8, 7, 1)
    assert recorded.file_sha256 == CallImport.objects.get(id=first.import_id).file_sha256 != ""
    assert recorded.profile == read_profile(files.SWITCH).document


def test_rows_in_any_order_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callbill.domain.usage._importing.BATCH_ROWS", 3)
    seen: list[int] = []
    report = take_in(text_of([*GOOD, *reversed(GOOD)]), progress=lambda progress: seen.append(progress.rows))
    assert figures(report) == (7, 0, 7, 0)
    assert seen == [3, 6, 9, 12, 14]


def test_the_same_call_twice_in_a_batch() -> None:
    report = take_in(text_of([row(), row(), row(talk="59"), row(talk="59"), row()]))
    assert figures(report) == (1, 2, 2, 0)
    call = Call.objects.get()
    assert (call.talk_ms, call.revision, call.import_line) == (60_000, 3, 6)


def test_the_same_id_of_another_company_or_source_is_another_call() -> None:
    take_in(text_of([row(), row(company="borealis")]))
    take_in(text_of([row()]), files.SWITCH.replace('"switch"', '"switch-2"'))
    assert Call.objects.count() == 3


def test_a_changed_call_is_revised_until_it_is_billed() -> None:
    take_in(text_of([row()]))
    assert figures(take_in(text_of([row(talk="50")]))) == (0, 1, 0, 0)
    call = Call.objects.get()
    assert (call.talk_ms, call.revision) == (50_000, 2)
    operations.settle(
        company_id=call.company_id,
        start=call.started_at,
        end=call.started_at + timedelta(seconds=1),
        anchor="started_at",
        settlement_id=new_id(),
    )
    assert figures(take_in(text_of([row(talk="50")]))) == (0, 0, 1, 0)
    report = take_in(text_of([row(talk="40"), row(talk="40")]))
    assert (figures(report), report.corrected) == ((0, 0, 1, 0), 1)
    assert open_rows() == []
    assert Call.objects.get().talk_ms == 50_000  # the row stays as it was billed
    call.refresh_from_db()
    assert (call.talk_ms, call.revision) == (50_000, 2)


def test_an_older_revision_does_not_undo_a_newer_one() -> None:
    start = NOW - timedelta(days=1)
    call: dict[str, Any] = {"id": "1", "started_at": start, "ended_at": start + timedelta(minutes=5)}
    call |= {"talk_ms": 1000, "direction": "inbound", "disposition": "answered", "flags": []}
    call |= dict.fromkeys(("wrap_ms", "service", "queue", "number", "from_number", "to_number"))
    changed = {**call, "talk_ms": 2000}
    deliveries = [(call, 3), (changed, 2), (call, 1)]
    outcomes = [figures(files.deliver([delivery], company="acme")) for delivery in deliveries]
    assert outcomes == [(1, 0, 0, 0), (0, 0, 1, 0), (0, 0, 1, 0)]
    assert figures(files.deliver([(call, 5), (changed, 4)], company="acme")) == (0, 0, 2, 0)
    stored = Call.objects.get()
    assert (stored.talk_ms, stored.revision) == (1000, 1)


def test_rows_set_aside_come_in_after_the_profile_is_mended() -> None:
    report = take_in(text_of([row(id="1"), row(id="2", company="9"), row(id="3", company="8")]), WAIT)
    assert figures(report) == (1, 0, 0, 2)
    retried = operations.retry_set_aside(
        import_id=report.import_id, profile=read_profile(MENDED), now=NOW + timedelta(hours=1)
    )
    assert figures(retried) == (1, 0, 0, 1)
    assert retried.set_aside_before == 1
    assert Call.objects.get(source_call_id="2").company.key == "borealis"
    assert open_rows() == [(4, "unknown_company")]
    resolved = SetAsideRow.objects.get(line=3)
    assert resolved.resolved_by_import_id == retried.import_id
    assert CallImport.objects.get(id=retried.import_id).retry_of_id == report.import_id
    assert queries.set_aside(report.import_id)[0].line == 4
    assert [row.line for row in queries.set_aside(report.import_id, only_open=False)] == [3, 4]


def test_a_whole_file_under_a_mended_profile_resolves_its_rows_too() -> None:
    data = text_of([row(id="1"), row(id="2", company="9")])
    take_in(data, WAIT)
    assert figures(take_in(data, MENDED)) == (1, 0, 1, 0)
    assert open_rows() == []


def test_retry_all_takes_every_import_of_the_source() -> None:
    for number in range(3):
        take_in(text_of([row(id=f"{number}", company="9")]), WAIT)
    take_in(text_of([row(id="other", company="9")]), WAIT.replace('"switch"', '"switch-2"'))
    reports = operations.retry_all_set_aside(profile=read_profile(MENDED), now=NOW)
    assert [figures(report) for report in reports] == [(1, 0, 0, 0)] * 3
    assert open_rows() == [(2, "unknown_company")]
    assert [made.retry_of_id is not None for made in queries.imports()] == [True] * 3 + [False] * 4


def test_a_retry_that_cannot_begin_is_refused() -> None:
    with pytest.raises(NoSuchImport):
        operations.retry_set_aside(import_id=uuid4(), profile=read_profile(files.SWITCH), now=NOW)
    report = take_in(text_of([BAD]))
    other = read_profile(files.SWITCH.replace('column = "talk"', 'column = "billsec"'))
    with pytest.raises(ProfileErrors, match="billsec"):
        operations.retry_set_aside(import_id=report.import_id, profile=other, now=NOW)
    assert CallImport.objects.count() == 1


LINE = ",".join(files.ROW).encode()
HEADER = ",".join(files.COLUMNS).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (b"c1,acme,2026-03-02 10:00:00", "columns", "3 values where the file has 8 columns"),
        (LINE + b",surplus", "columns", "9 values"),
        (LINE.replace(b"acme", b"ac\xffme"), "encoding", "byte 6 of the row is not utf-8"),
        (LINE.replace(b"acme", b"ac\0me"), "nul", "NUL"),
        (LINE.replace(b"acme", b'"acme'), "quoting", "not closed"),
        (LINE.replace(b"acme", b'"ac"me'), "quoting", "quotes are not those of a CSV file"),
        (b"x" * 70_000, "long_row", "longer than 64 KB"),
        (b'"' + b"x" * 70_000 + b'"', "long_row", "longer than 64 KB"),
    ],
)
def test_a_line_that_is_no_row_is_set_aside_and_the_next_is_read(line: bytes, code: str, says: str) -> None:
    report = take_in(HEADER + line + b"\n\n" + LINE.replace(b"c1", b"c2") + b"\n")
    assert figures(report) == (1, 0, 0, 1)
    kept = SetAsideRow.objects.get()
    assert (kept.line, kept.code) == (2, code)
    assert says in kept.reason
    assert Call.objects.get().import_line == 4
    again = operations.retry_set_aside(
        import_id=report.import_id, profile=read_profile(files.SWITCH), now=NOW
    )
    assert figures(again) == (0, 0, 0, 1)
    assert open_rows() == [(2, code)]


def test_a_file_in_another_encoding_comes_in_after_the_profile_says_so() -> None:
    profile = files.SWITCH + '[queue]\ncolumn = "note"\n'
    data = HEADER.replace(b"\n", b",note\n") + LINE + ",Büro".encode("windows-1252") + b"\n"
    report = take_in(data, profile)
    mended = read_profile(profile + '[file]\nencoding = "windows-1252"')
    retried = operations.retry_set_aside(import_id=report.import_id, profile=mended, now=NOW)
    assert figures(retried) == (1, 0, 0, 0)
    assert Call.objects.get().queue == "Büro"


def test_a_value_over_several_lines_is_one_row_with_the_line_it_begins_in() -> None:
    rows = [row(id="1", company="a\ncme"), row(id="2", talk="-1"), row(id="3")]
    report = take_in(text_of(rows))
    assert open_rows() == [(2, "unknown_company"), (4, "bad_duration")]
    assert report.accepted == 1


@pytest.mark.parametrize(
    ("data", "file_name", "says"),
    [
        (b"", "calls.csv", "empty"),
        (b"\n\n", "calls.csv", "empty"),
        (HEADER + LINE, "calls.csv.gz", "not a gzip file"),
        (HEADER.replace(b"talk", b"id"), "calls.csv", "'id' twice"),
        (b"\xff\xfe" + HEADER.decode().encode("utf-16-le"), "calls.csv", "header, line 1"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(data: bytes, file_name: str, says: str) -> None:
    with pytest.raises(FileRefused, match=says):
        take_in(data, file_name=file_name)
    assert not CallImport.objects.exists()


@pytest.mark.parametrize("break_it", [lambda data: data[: len(data) // 2], lambda data: data[:-8] + b"x" * 8])
def test_a_file_that_breaks_off_keeps_what_came_before(break_it: Any) -> None:
    rows = [row(id=f"{n:05}", talk=str(n % 60)) for n in range(4000)]
    packed = gzip.compress(text_of(rows))
    report = take_in(break_it(packed), file_name="calls.csv.gz")
    assert report.status == "failed"
    assert "cannot be read after line" in report.problem
    assert 0 < report.accepted == Call.objects.count() <= 4000
    recorded = CallImport.objects.get()
    assert (recorded.status, recorded.accepted, recorded.problem) == (
        "failed",
        report.accepted,
        report.problem,
    )
    whole = take_in(packed, file_name="calls.csv.gz")
    assert (whole.status, whole.accepted + whole.repeated) == ("done", 4000)


def test_gzip_byte_order_mark_and_carriage_returns() -> None:
    data = b"\xef\xbb\xbf" + (HEADER + LINE).replace(b"\n", b"\r\n")
    assert figures(take_in(gzip.compress(data), file_name="calls.csv")) == (1, 0, 0, 0)


def test_a_file_without_a_header_with_semicolons() -> None:
    names = ", ".join(f'"{name}"' for name in files.COLUMNS)
    profile = files.SWITCH + f'[file]\nheader = false\ndelimiter = ";"\ncolumns = [{names}]\n'
    assert figures(take_in(LINE.replace(b",", b";"), profile)) == (1, 0, 0, 0)
    assert Call.objects.get().import_line == 1


class BrokenStream(io.BytesIO):
    """A disk that fails after a while."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Fails at the second reading."""
        if self.tell():
            raise OSError("Input/output error")
        return super().read(min(size or 0, 400))


def test_a_disk_that_fails_leaves_a_failed_import_with_what_came_before() -> None:
    profile = read_profile(files.SWITCH)
    report = operations.import_calls(
        stream=BrokenStream(text_of(GOOD)), profile=profile, file_name="calls.csv", now=NOW
    )
    assert (report.status, "Input/output error" in report.problem) == ("failed", True)
    assert report.accepted + report.set_aside > 0


IMPORT = """
import io
from pathlib import Path
from callbill.domain.usage import _importing, operations
from tests.domain.usage import files
_importing.BATCH_ROWS = 10
report = files.take_in(Path({path!r}).read_bytes())
print(report.status, report.accepted, report.repeated, report.set_aside)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_import_killed_at_any_commit_is_finished_by_the_next(when: str, tmp_path: Path) -> None:
    rows = [row(id=str(n), talk="-1" if n % 10 == 3 else "60") for n in range(30)]
    path = tmp_path / "calls.csv"
    path.write_bytes(text_of(rows))
    code = IMPORT.format(path=str(path))
    for number in (1, 2, 3):
        Call.objects.all().delete()
        SetAsideRow.objects.all().delete()
        CallImport.objects.all().delete()
        status, _, errors = killing.run(code, when=when, number=number)
        assert status == killing.DIED, errors
        came_in = 9 * (number if when == "after" else number - 1)
        died = CallImport.objects.get()
        assert (died.status, died.accepted, Call.objects.count()) == ("running", came_in, came_in)
        report = take_in(path.read_bytes())
        assert (report.status, *figures(report)) == ("done", 27 - came_in, 0, came_in, 3)
        died.refresh_from_db()
        assert died.status == "failed"
        assert "broken off" in died.problem
        assert (Call.objects.count(), len(open_rows())) == (27, 3)


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_a_file_at_once_bring_each_call_once(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(text_of([row(id=str(n)) for n in range(300)]))
    children = [killing.start(IMPORT.format(path=str(path))) for _ in range(2)]
    outcomes = [child.communicate(timeout=120) for child in children]
    said = [out.split() for out, _ in outcomes]
    assert [words[0] for words in said] == ["done", "done"], outcomes
    assert sum(int(words[1]) for words in said) == 300
    assert sum(int(words[2]) for words in said) == 300
    assert Call.objects.count() == 300


def test_an_import_that_still_runs_is_not_taken_for_dead() -> None:
    statuses: list[str] = []

    def look(_: object) -> None:
        statuses.extend(CallImport.objects.values_list("status", flat=True))

    take_in(text_of(GOOD), progress=look)
    assert statuses == ["running"]
