"""The shortest story that still breaks the same invariant, as far as it is found in a given time.

Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002): leave out
ever smaller parts of the steps as long as the same invariant stays broken; then companies of the cast.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from callbill.config.simulation.faults import WEATHER
from callbill.config.simulation.story import Member, Step, Story
from callbill.config.simulation.watch import Violation

Broken = Callable[[Story], Violation | None]
"""Lives a story until something is broken; that, or None."""


@dataclass(slots=True)
class Shortened:
    """What was found, what it breaks, and after how many lives."""

    story: Story
    violation: Violation
    lives: int = 0


def shorten(
    story: Story,
    violation: Violation,
    lives: Broken,
    *,
    seconds: int,
    say: Callable[[str], None] = lambda sentence: None,
) -> Shortened:
    """Shorten `story`, which breaks `violation`, for at most about so many seconds."""
    return _Shortener(story, violation, lives, seconds, say).run()


class _Shortener:
    def __init__(
        self, story: Story, violation: Violation, lives: Broken, seconds: int, say: Callable[[str], None]
    ) -> None:
        self.lives, self.say = lives, say
        self.until = time.monotonic() + seconds
        self.found = Shortened(_cut(story, violation.day), violation)

    def run(self) -> Shortened:
        before = -1
        while before != len(self.found.story.steps) and not self._late():
            before = len(self.found.story.steps)
            calm = tuple(step for step in self.found.story.steps if step.deed not in WEATHER)
            if len(calm) < before:
                self._try(self.found.story.with_steps(calm))
            self._leave_out_parts()
            self._leave_out_companies()
        return self.found

    def _leave_out_parts(self) -> None:
        parts = 2
        while not self._late():
            steps = self.found.story.steps
            size = max(len(steps) // parts, 1)
            for start in range(0, len(steps), size):
                fewer = (*steps[:start], *steps[start + size :])
                if len(fewer) < len(steps) and self._try(self.found.story.with_steps(fewer)):
                    parts = max(parts - 1, 2)
                    break
            else:
                if size <= 1:
                    return
                parts = min(parts * 2, len(steps))

    def _leave_out_companies(self) -> None:
        for member in self.found.story.cast:
            cast = tuple(other for other in self.found.story.cast if other.key != member.key)
            if cast and not self._late():
                steps = _without(self.found.story.steps, member, cast)
                self._try(replace(self.found.story, cast=cast, steps=steps))

    def _try(self, story: Story) -> bool:
        if self._late():
            return False
        self.found.lives += 1
        violation = self.lives(story)
        if violation is None or violation.invariant != self.found.violation.invariant:
            return False
        self.found.story, self.found.violation = _cut(story, violation.day), violation
        self.say(f"{len(self.found.story.steps)} steps in {self.found.story.days} days")
        return True

    def _late(self) -> bool:
        return time.monotonic() > self.until


def _cut(story: Story, day: int) -> Story:
    """Without what comes after the day on which it broke."""
    return story.with_steps(tuple(step for step in story.steps if step.day <= day), days=day + 1)


def _without(steps: Sequence[Step], member: Member, cast: Sequence[Member]) -> tuple[Step, ...]:
    gone = {member.key}
    if member.organization and all(other.organization != member.organization for other in cast):
        gone.add(member.organization)
    return tuple(step for step in steps if step.who not in gone)
