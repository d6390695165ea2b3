"""`callbill doctor`: looks over the installation and says what to do."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

import psycopg

HELP = "check settings, database, ledger, Stripe, mail and fonts, and say what to do"
NEEDS_DJANGO = False


def configure(parser: argparse.ArgumentParser) -> None:
    """For people or for programs."""
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """0 when nothing is wrong, 1 when something is."""
    from callbill.config.cli import start_django

    try:
        start_django()
    except (OSError, psycopg.Error) as problem:
        print(f"The embedded PostgreSQL does not start: {problem}", file=sys.stderr)
        print(
            "  Give it a folder it may write (CALLBILL_DATA), or another server (DATABASE_URL).",
            file=sys.stderr,
        )
        return 1
    from callbill.config.checkup import NOTE, OK, PROBLEM, examine

    words = {OK: "OK", NOTE: "Note", PROBLEM: "PROBLEM"}
    problems = 0
    for finding in examine():
        problems += finding.level == PROBLEM
        if args.json:
            print(json.dumps(asdict(finding), ensure_ascii=False), flush=True)
            continue
        print(f"{words[finding.level]:<8} {finding.topic}: {finding.says}", flush=True)
        if finding.remedy:
            print(f"{'':<8} → {finding.remedy}")
    if problems and not args.json:
        print(f"\n{problems} to mend.")
    return 1 if problems else 0
