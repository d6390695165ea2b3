"""`callbill import-calls`: a file of calls into the database, or another try for rows set aside."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from callbill.domain.usage.operations import ImportReport, Profile, Progress

HELP = "take in the calls of a CSV file under a profile"
NEEDS_DJANGO = True

_SECONDS_BETWEEN_LINES = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    """The profile, and either a file or which rows to try again."""
    parser.add_argument(
        "--profile", required=True, type=Path, metavar="PROFILE.toml", help="what the file's columns mean"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a CSV file, also gzipped")
    what.add_argument(
        "--retry", type=UUID, metavar="IMPORT_ID", help="try the rows that import set aside again"
    )
    what.add_argument(
        "--retry-all", action="store_true", help="try all set-aside rows of the profile's source"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON report and no progress")


def run(args: argparse.Namespace) -> int:
    """Import, and say what became of the rows. 0: read to the end (also with rows set aside), 1: refused."""
    from callbill.domain.invoicing.operations import propose_corrections
    from callbill.domain.usage import operations
    from callbill.lib import clock

    try:
        profile = operations.read_profile(args.profile.read_text(encoding="utf-8"), name=args.profile.stem)
        reports = _import(args, profile)
    except operations.ProfileErrors as errors:
        return _refuse(args.json, f"The profile {args.profile} cannot be used", errors.problems)
    except (operations.FileRefused, operations.NoSuchImport) as error:
        return _refuse(args.json, str(error), ())
    except UnicodeDecodeError:
        return _refuse(args.json, f"The profile {args.profile} is not UTF-8 text.", ())
    except OSError as error:
        return _refuse(args.json, f"{error.filename or args.file}: {error.strerror or error}", ())
    for report in reports:
        print(json.dumps(report.as_json()) if args.json else _in_words(report))
    if any(report.corrected for report in reports):
        for problem in propose_corrections(now=clock.now()).problems:
            print(problem, file=sys.stderr)
    if not reports and not args.json:
        print(f"No row of the source {profile.source} is set aside.")
    return 1 if any(report.status == "failed" for report in reports) else 0


def _import(args: argparse.Namespace, profile: Profile) -> list[ImportReport]:
    from callbill.domain.usage import operations
    from callbill.lib import clock

    now = clock.now()
    progress = None if args.json else _progress(args.file.stat().st_size if args.file else 0)
    if args.retry_all:
        return operations.retry_all_set_aside(profile=profile, now=now, progress=progress)
    if args.retry:
        return [operations.retry_set_aside(import_id=args.retry, profile=profile, now=now, progress=progress)]
    with args.file.open("rb") as stream:
        return [
            operations.import_calls(
                stream=stream, profile=profile, file_name=args.file.name, now=now, progress=progress
            )
        ]


def _progress(size: int) -> Callable[[Progress], None]:
    """Tell how far it is: on a terminal in one line, else in a line now and then; on standard error."""
    began = last = time.monotonic()
    terminal = sys.stderr.isatty()

    def tell(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        done = size > 0 and progress.bytes_read >= size
        if not terminal and now - last < _SECONDS_BETWEEN_LINES:
            return
        last = now
        rate = round(progress.rows / max(now - began, 0.001))
        part = f" · {100 * progress.bytes_read // size} % of the file" if size else ""
        line = f"{progress.rows:,} rows{part} · {rate:,} rows/s"
        if terminal:
            print(f"\r\x1b[K{line}", end="\n" if done else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    return tell


def _in_words(report: ImportReport) -> str:
    lines = [
        f"{report.file_name}: {report.rows:,} rows",
        f"  {report.accepted:>9,} accepted",
        f"  {report.revised:>9,} revised",
        f"  {report.repeated:>9,} repeated",
        f"  {report.set_aside:>9,} set aside",
    ]
    if report.corrected:
        lines.insert(
            4,
            f"  {report.corrected:>9,} corrected: billed already, staff decide on the difference",
        )
    if report.set_aside_before:
        lines[-1] += f", {report.set_aside_before:,} of them kept before"
    for group in sorted(report.reasons.values(), key=lambda group: -group.rows):
        first = ", ".join(map(str, group.first_lines))
        more = ", ..." if group.rows > len(group.first_lines) else ""
        lines.append(f"    {group.rows:,} × {group.code}, line {first}{more}")
        lines += [f"      line {line}: {reason}" for reason, line in group.examples.items()]
    if report.set_aside:
        lines.append(
            "  After mending the profile: callbill import-calls --profile PROFILE.toml "
            f"--retry {report.import_id}"
        )
    if report.problem:
        lines.append(f"  {report.problem}")
    return "\n".join(lines)


def _refuse(as_json: bool, message: str, problems: Sequence[object]) -> int:
    """Say why nothing was imported."""
    if as_json:
        listed = [{"path": getattr(p, "path", ""), "message": getattr(p, "message", "")} for p in problems]
        print(json.dumps({"error": {"message": message, "errors": listed}}))
    else:
        print(
            "\n".join([message + (":" if problems else ""), *(f"  {p}" for p in problems)]), file=sys.stderr
        )
        print("Nothing was imported.", file=sys.stderr)
    return 1
