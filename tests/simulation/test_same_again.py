"""A story is its seed: told twice it is the same, lived twice it comes to the same, also from its file."""

from __future__ import annotations

from pathlib import Path

from callbill.config.simulation import story


def test_a_seed_tells_the_same_story_and_its_file_keeps_it(tmp_path: Path) -> None:
    told = story.of_seed(7, months=2, companies=5, faults="many")
    assert told == story.of_seed(7, months=2, companies=5, faults="many")
    assert told != story.of_seed(8, months=2, companies=5, faults="many")
    told.write(tmp_path / "story.json", digest="abc")
    assert story.Story.read(tmp_path / "story.json") == told
