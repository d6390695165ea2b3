"""`callbill load-customers FILE.toml`: customers, people, contacts and contracts from a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "load customers, people, billing contacts and contracts from a TOML file"
NEEDS_DJANGO = True


def configure(parser: argparse.ArgumentParser) -> None:
    """One file."""
    parser.add_argument("file", type=Path, help="the customers file; see docs/customers-file.md")


def run(args: argparse.Namespace) -> int:
    """Load all of the file, or nothing and every reason."""
    from callbill.domain.contracts.operations import FileRefused, load_customers, read_customers_file
    from callbill.domain.invoicing.queries import billed_until
    from callbill.lib import clock

    try:
        file = read_customers_file(args.file)
        report = load_customers(file=file, now=clock.now(), billed_until=billed_until)
    except FileRefused as refused:
        print(f"{args.file}: nothing was loaded, because", file=sys.stderr)
        for problem in refused.problems:
            print(f"  {problem.path}: {problem.message}", file=sys.stderr)
        return 1
    for (kind, outcome), count in sorted(report.counts.items()):
        if outcome != "unchanged":
            print(f"{kind}: {count} {outcome}")
    if not report.changes:
        print("Everything was as the file says; nothing changed.")
    return 0
