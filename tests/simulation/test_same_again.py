"""A story is its seed: told twice it is the same, lived twice it comes to the same, also from its file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from callbill.config.simulation import story

ROOT = Path(__file__).resolve().parents[2]


def simulate(*words: str, folder: Path, code: int = 0) -> str:
    """What the command prints; it runs in `folder`, where it may leave files."""
    done = subprocess.run(
        [sys.executable, "-m", "callbill.config.cli", "simulate", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def digests(said: str) -> list[str]:
    return re.findall(r"digest ([0-9a-f]{16})", said)


def test_a_seed_tells_the_same_story_and_its_file_keeps_it(tmp_path: Path) -> None:
    told = story.of_seed(7, months=2, companies=5, faults="many")
    assert told == story.of_seed(7, months=2, companies=5, faults="many")
    assert told != story.of_seed(8, months=2, companies=5, faults="many")
    told.write(tmp_path / "story.json", digest="abc")
    assert story.Story.read(tmp_path / "story.json") == told


def test_the_few_seeds_of_every_day_have_every_currency_and_one_in_an_organization() -> None:
    told = [story.of_seed(seed, months=0, companies=5, faults="many") for seed in range(1, 5)]
    alone = {member.currency for each in told for member in each.cast if not member.organization}
    assert alone == {"USD", "EUR", "JPY"}
    together = {member.currency for each in told for member in each.cast if member.organization}
    assert together == {"USD"}


def test_a_seed_and_its_file_come_to_the_same(tmp_path: Path) -> None:
    week = ("--months", "0", "--companies", "4", "--faults", "many")
    said = simulate("--seed", "11", *week, "--write", "story.json", folder=tmp_path)
    again = simulate("--replay", "story.json", folder=tmp_path)
    assert digests(said) == digests(again) != []
    assert "The digest is the one in the file." in again
    kept = tmp_path / "story.json"
    kept.write_text(kept.read_text().replace(digests(said)[0], "0" * 16))
    other = simulate("--replay", "story.json", folder=tmp_path, code=1)
    assert f"the file says digest {'0' * 16}" in other
    assert "0 violations" in said


def test_a_few_seeds_break_nothing(tmp_path: Path) -> None:
    said = simulate("--seeds", "1-4", "--months", "0", "--faults", "many", folder=tmp_path)
    assert len(set(digests(said))) == 4
    assert "In all: 4 seeds, 20 simulated days" in said.splitlines()[-1]
    assert "0 violations in 0 seeds" in said.splitlines()[-1]


def test_what_is_no_story_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    simulate("--replay", "no.json", folder=tmp_path, code=2)
    simulate("--seeds", "9-1", folder=tmp_path, code=2)
