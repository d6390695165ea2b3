"""A file of what was walked, one JSON line for each finished unit, from which a walk can go on."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tests.kills.fleet import Done, Key, Unit
from tests.kills.table import Tally
from tests.kills.walk import Counted

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Tree:
    """Which code is walked: the commit, and whether files differ from it."""

    commit: str
    dirty: bool


def tree() -> Tree:
    """As git says."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    return Tree(git("rev-parse", "HEAD").strip(), bool(git("status", "--porcelain").strip()))


def append(path: Path, there: Tree, done: Done) -> None:
    """Write down that a unit is done."""
    unit = done.unit
    line = {
        "unit": unit.name,
        "faults": unit.faults,
        "only": unit.only,
        "every": unit.every,
        **asdict(there),
        **asdict(done.tally),
        # What the units with faults that follow must know.
        "trace": done.counted.trace,
        "requests": [[*point, asked] for point, asked in done.counted.requests.items()],
    }
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def known(path: Path, there: Tree) -> dict[Key, Done]:
    """The units in the file that were walked with this code; of a tree with changes there are none."""
    found: dict[Key, Done] = {}
    for text in path.read_text().splitlines() if path.exists() and not there.dirty else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue  # whoever wrote it was killed
        if Tree(line["commit"], line["dirty"]) == there:
            done = _done(line)
            found[done.unit.key] = done
    return found


def _done(line: dict[str, Any]) -> Done:
    unit = Unit(line["work"], line["aged"], line["only"], line["every"], tuple(line["faults"]))
    counted = Counted(line["trace"], {(n, when): asked for n, when, asked in line["requests"]})
    return Done(unit, Tally(**{each.name: line[each.name] for each in fields(Tally)}), counted)
