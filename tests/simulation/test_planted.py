"""The test of the test: each planted bug breaks an invariant, in a story in which nothing else is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.finding import FOUND_BY, NO_SEED, STORIES
from tests.simulation.planted import BUGS

ROOT = Path(__file__).resolve().parents[2]
Rows = dict[str, dict[str, Any]]


def _lived(which: str, folder: Path) -> Rows:
    words = [
        sys.executable,
        "-m",
        "tests.simulation.finding",
        "--replay",
        which,
        "--json",
        str(folder / "f.json"),
    ]
    done = subprocess.run(
        words, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=1200, check=False
    )
    assert (folder / "f.json").exists(), done.stdout + done.stderr
    rows: Rows = json.loads((folder / "f.json").read_text())
    return rows


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What each story broke, its bug being there."""
    return _lived("all", tmp_path_factory.mktemp("planted"))


def test_there_are_many_and_each_has_its_story() -> None:
    assert len(BUGS) >= 10
    assert {path.stem for path in STORIES.glob("*.json")} == set(BUGS)
    assert set(FOUND_BY) == set(BUGS) - NO_SEED


@pytest.mark.parametrize("name", BUGS)
def test_it_is_found(found: Rows, name: str) -> None:
    assert found[name]["broken"] in BUGS[name].breaks, f"{BUGS[name].words}: {found[name]}"


def test_without_bugs_the_same_stories_break_nothing(tmp_path: Path) -> None:
    lived = _lived("none", tmp_path)
    assert {name: row for name, row in lived.items() if row["broken"]} == {}
