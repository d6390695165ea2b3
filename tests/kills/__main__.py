"""The whole matrix: `python -m tests.kills`. Prints a table of cases and violations; exit code 1 if any.

`--only "charging/success/kill 4 after/timeout_after/aged"` walks the cases of that name: part by part, each
by its first words; what is left out may be anything. `--every 10` walks every tenth, drawn by its name.
"""

# ruff: noqa: T201 (a program that talks to people)
from __future__ import annotations

import argparse
import sys
import time

from tests.kills.fleet import Unit, run_units, units
from tests.kills.table import report


def main() -> int:
    """Walk, and say what was walked."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__, formatter_class=plain)
    parser.add_argument("--only", default="", help="a case's name, or its beginning")
    parser.add_argument("--every", type=int, default=1, help="only every n-th case, drawn by its name")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    began = time.monotonic()
    found = [Unit(*each, asked.only, asked.every) for each in units(asked.only)]
    if not found:
        print(f"There is no work {asked.only!r}.")
        return 2
    results = []
    for unit, walked, seconds in run_units(found, asked.processes):
        results += walked
        bad = sum(bool(each.problems) for each in walked)
        keys = "aged" if unit.aged else "fresh"
        print(f"{unit.work}/{keys}: {len(walked)} cases, {bad} violations, {seconds:.0f} s", file=sys.stderr)
    print(report(results))
    print(f"\n{time.monotonic() - began:.0f} s in {asked.processes} processes")
    return 1 if not results or any(each.problems for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
