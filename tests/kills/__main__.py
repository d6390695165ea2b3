"""The whole matrix: `python -m tests.kills`. Prints a table of cases and violations; exit code 1 if any.

`--only "charging/success/kill 4 after/timeout_after/aged"` walks the cases of that name: part by part, each
by its first words; what is left out may be anything. `--every 10` walks every tenth, drawn by its name.
Each part is told as it is done, and its violations at once; on Ctrl-C or SIGTERM comes the table of those
that were.
"""

# ruff: noqa: T201 (a program that talks to people)
from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.kills.cases import Result
from tests.kills.fleet import Done, run_units, units
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
    found = units(asked.only, asked.every)
    if not found:
        print(f"There is no work {asked.only!r}.")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results: list[Result] = []
    whole = False
    try:
        for done in run_units(found, asked.processes):
            results += done.results
            _tell(done, len(results), time.monotonic() - began)
        whole = True
    except KeyboardInterrupt:
        print("Ending: the workers are told.", file=sys.stderr)
    seconds = time.monotonic() - began
    print(report(results))
    print(f"\n{seconds:.0f} s in {asked.processes} processes, {len(results) / seconds:.1f} cases a second")
    if not whole:
        print("Ended early: not every case was walked.")
    return 1 if not whole or not results or any(each.problems for each in results) else 0


def _tell(done: Done, cases: int, seconds: float) -> None:
    """A part is done: what was walked of it, what was wrong, and how far all is."""
    wrong = [each for each in done.results if each.problems]
    print(
        f"{done.unit.name}: {len(done.results)} cases, {len(wrong)} violations, {done.seconds:.0f} s; "
        f"so far {cases} in {seconds:.0f} s",
        file=sys.stderr,
    )
    for each in wrong:
        print(f"  {each.case.name}: {'; '.join(each.problems)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
