"""The shortest story: what is not needed to break the invariant is left out."""

from __future__ import annotations

from callbill.config.simulation import shrink, story
from callbill.config.simulation.story import Story
from callbill.config.simulation.watch import Violation
from callbill.config.simulation.words import in_words


def test_only_what_breaks_it_is_left() -> None:
    told = story.of_seed(3, months=1, companies=5, faults="many")
    culprits = [told.steps[20], told.steps[41]]
    day = told.steps[41].day

    def lives(candidate: Story) -> Violation | None:
        there = all(step in candidate.steps for step in culprits)
        return Violation("states", "broken", day) if there else Violation("another", "not this one", 0)

    found = shrink.shorten(told, Violation("states", "broken", day), lives, seconds=60)
    assert list(found.story.steps) == culprits
    assert found.story.days == day + 1
    assert len(list(in_words(found.story))) == len(found.story.cast) + 2
