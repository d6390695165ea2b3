"""Whatever breaks in one story is said and shortened, and the stories after it are lived all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

from callbill.config.simulation.story import Member, Step, Story
from tests.simulation.test_same_again import ROOT, simulate


def test_a_world_that_breaks_tells_the_shortest_story(tmp_path: Path) -> None:
    cast = (Member("c1", "", "company", 1, "calls"), Member("c2", "", "company", 1, "fees"))
    steps = (
        Step(0, 300, "calls", "", {"from": "2027-02-01", "until": "2027-03-01"}),
        Step(0, 500, "add_contact", "c1"),
        Step(0, 600, "post", "", {"mode": "as never before"}),
        Step(1, 500, "add_contact", "c2"),
    )
    Story(5, date(2027, 3, 1), 3, (), cast, steps).write(tmp_path / "told.json")
    said = simulate("--replay", "told.json", folder=tmp_path, code=1)
    assert "BROKEN on day 0: can be lived: AssertionError: as never before" in said
    short = Story.read(tmp_path / "simulation-5.json")
    assert [step.deed for step in short.steps] == ["post"]
    assert short.days == 1
    again = simulate("--replay", "simulation-5.json", "--shorten", "0", folder=tmp_path, code=1)
    assert "It breaks: can be lived: AssertionError: as never before" in again


def test_the_stories_after_a_sandbox_that_died_are_lived(tmp_path: Path) -> None:
    words = ["--seeds", "1-3", "--months", "0", "--companies", "1", "--faults", "none", "--shorten", "0"]
    command = [sys.executable, "-m", "callbill.config.cli", "simulate", *words, "--json", "figures.json"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        assert first.startswith("Seed 1:"), first
        for pid in _sandboxes_below(running.pid):
            os.kill(pid, signal.SIGKILL)
        rest = running.stdout.read()
    assert "In all: 3 seeds" in rest.splitlines()[-1], rest
    assert json.loads((tmp_path / "figures.json").read_text())["stories"] == 3


def _sandboxes_below(above: int) -> list[int]:
    """Processes that serve the sandbox and that this one started, itself or by others."""
    parents: dict[int, int] = {}
    sandboxes = []
    for row in subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        pid, ppid, *words = row.split()
        parents[int(pid)] = int(ppid)
        if "stripe_sandbox" in words and "callbill.config.processes" not in words:
            sandboxes.append(int(pid))
    found = [pid for pid in sandboxes if above in _ancestors(pid, parents)]
    assert found, "the sandbox of the simulation was not found"
    return found


def _ancestors(pid: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    while pid in parents and pid not in found:
        found.add(pid)
        pid = parents[pid]
    return found
