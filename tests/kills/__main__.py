"""The whole matrix: `python -m tests.kills`. Prints tables of cases and violations; exit code 1 if any.

`--only "charging/success/kill 4 after/timeout_after/aged"` walks the cases of that name: part by part, each
by its first words; what is left out may be anything. `--every 10` walks every tenth, drawn by its name.
Each part is told as it is done, and its violations at once; on Ctrl-C or SIGTERM come the tables of those
that were.

`--log FILE` adds a JSON line for each part that is done. With `--resume`, too, what FILE has of this very
commit is not walked again but counted as it stands there; of a tree with changes nothing is taken for known.
"""

# ruff: noqa: T201 (a program that talks to people)
from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kills.fleet import Done, run_units, units

if TYPE_CHECKING:
    from tests.kills.table import Tally


def main() -> int:
    """Walk, and say what was walked."""
    asked = _asked()
    began = time.monotonic()
    found = units(asked.only, asked.every)
    if not found:
        print(f"There is no work {asked.only!r}.")
        return 2
    # Only now can they be loaded: what they wrap is Django's.
    from tests.kills import log
    from tests.kills.table import lacking, report
    from tests.kills.works import WORKS

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tree = log.tree()
    known = log.known(asked.log, tree) if asked.resume else {}
    if asked.resume and tree.dirty:
        print("The tree has changes, so nothing in the log is taken for known.", file=sys.stderr)
    tallies: list[Tally] = []
    whole = False
    try:
        for done in run_units(found, asked.processes, known):
            tallies.append(done.tally)
            if done.unit.key not in known:
                _tell(done, tallies, time.monotonic() - began)
                if asked.log:
                    log.append(asked.log, tree, done)
        whole = True
    except KeyboardInterrupt:
        print("Ending: the workers are told.", file=sys.stderr)
    print(report(tallies))
    print(f"\nCommit {tree.commit}{', with changes' if tree.dirty else ''}; {asked.processes} processes.")
    if not whole:
        print("Ended early: not every case was walked.")
    of_all = not any(unit.only or unit.every > 1 for unit in found)
    names = {unit.work for unit in found}
    missing = lacking(tallies, [work for work in WORKS if work.name in names]) if whole and of_all else []
    for line in missing:
        print(line)
    right = whole and not missing and any(each.cases for each in tallies)
    return 0 if right and not any(each.violations for each in tallies) else 1


def _asked() -> argparse.Namespace:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__, formatter_class=plain)
    parser.add_argument("--only", default="", help="a case's name, or its beginning")
    parser.add_argument("--every", type=int, default=1, help="only every n-th case, drawn by its name")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--log", type=Path, metavar="FILE", help="write down each part that is done")
    parser.add_argument("--resume", action="store_true", help="do not walk again what the log has")
    asked = parser.parse_args()
    if asked.resume and not asked.log:
        parser.error("--resume needs --log FILE")
    return asked


def _tell(done: Done, all_of: list[Tally], seconds: float) -> None:
    """A part is done: what was walked of it, what was wrong, and how far all is."""
    mine, cases = done.tally, sum(sum(each.cases.values()) for each in all_of)
    print(
        f"{done.unit.name}: {sum(mine.cases.values())} cases, {len(mine.violations)} violations, "
        f"{mine.seconds:.0f} s; so far {cases} in {seconds:.0f} s",
        file=sys.stderr,
    )
    for name, problems in mine.violations.items():
        print(f"  {name}: {'; '.join(problems)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
