"""Living stories with a planted bug: looking for one that finds it, and living the kept ones again.

python -m tests.simulation.finding --search all --seeds 1-20 [--keep-story]     seeds also as 7,31,40
python -m tests.simulation.finding --search known     each bug of FOUND_BY in the story of its seed
python -m tests.simulation.finding --replay all --json FILE
python -m tests.simulation.finding --replay none --json FILE     the same stories without any bug
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path
from typing import Any

STORIES = Path(__file__).parent / "stories"
_COMPANIES = 5
# Seeds whose stories find a bug. They stay true until the generator (chances.py, scenes.py) is changed.
FOUND_BY = {
    "applied_each_time": "1",
    "calls_not_recognised": "1",
    "chargeback_each_time": "1",
    "charged_again_under_a_fresh_key": "5",
    "credit_forgotten": "1",
    "fee_one_cent_off": "1",
    "forgotten_after_a_crash": "1",
    "late_calls_lost": "9",
    "made_again_under_an_old_key": "23",
    "marked_before_sent": "13",
    "message_believed": "3",
    "not_saved_before_confirm": "7",
    "not_swept": "1",
    "number_lost": "3",
    "old_amount_charged": "3",
    "past_due_by_our_fault": "5",
    "rate_edited": "1",
    "refunded_each_try": "11",
    "told_every_day": "2",
    "two_attempts_at_once": "1",
    "yen_in_hundredths": "3",
}
# Only a story that was written for it finds it, as far as seeds were tried.
NO_SEED = {"came_back_not_noticed"}


def main() -> int:
    """0 if every bug was found (and nothing without one)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--search")
    parser.add_argument("--replay")
    parser.add_argument("--seeds", default="1-20")
    parser.add_argument("--months", type=int, default=0, help="0: five days")
    parser.add_argument("--keep-story", action="store_true", help="shorten what was found and keep it")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        from callbill.config.simulation import ground, killing

        ground.prepare(Path(folder))
        import django

        django.setup()
        killing.install()
        here = ground.Ground(Path(folder))
        try:
            found = _search(here, args) if args.search else _replay(here, args.replay)
        finally:
            here.close()
    if args.json:
        args.json.write_text(json.dumps(found))
    missed = [name for name, row in found.items() if bool(row["broken"]) == (args.replay == "none")]
    if missed:
        _say(f"Not as expected: {', '.join(missed)}")
    return 1 if missed else 0


def _search(here: Any, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    from callbill.config.simulation import story
    from tests.simulation.planted import BUGS

    known = args.search == "known"
    names = list(FOUND_BY) if known else list(BUGS) if args.search == "all" else args.search.split(",")
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        bug = BUGS[name]
        found[name] = {"broken": "", "seed": 0}
        seeds = FOUND_BY[name] if known else args.seeds
        for seed in _seeds(seeds):
            told = story.of_seed(seed, months=args.months, companies=_COMPANIES, faults="many")
            with bug.planted():
                violation = _first(here, told, bug.breaks)
                if violation is None:
                    continue
                if violation.invariant not in bug.breaks:
                    _say(f"{name}: seed {seed} breaks another: {violation}")
                    continue
                found[name] = {"broken": violation.invariant, "seed": seed}
                _say(f"{name}: seed {seed}: {violation.invariant}: {violation.words}")
                if args.keep_story:
                    _keep(here, name, told, violation)
            break
        else:
            _say(f"{name}: not found in seeds {seeds}")
    return found


def _seeds(words: str) -> list[int]:
    """Of "1-20" or "7,31,40"."""
    found: list[int] = []
    for part in words.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _keep(here: Any, name: str, told: Any, violation: Any) -> None:
    from callbill.config.simulation import shrink

    short = shrink.shorten(told, violation, lambda story: _first(here, story), seconds=150)
    short.story.write(STORIES / f"{name}.json", found_by=told.seed, breaks=f"{short.violation.invariant}")
    _say(f"  kept with {len(short.story.steps)} steps in {short.story.days} days")


def _replay(here: Any, which: str) -> dict[str, dict[str, Any]]:
    from callbill.config.simulation.story import Story
    from tests.simulation.planted import BUGS

    found = {}
    for name in BUGS if which in ("all", "none") else which.split(","):
        told = Story.read(STORIES / f"{name}.json")
        began = time.monotonic()
        with nullcontext() if which == "none" else BUGS[name].planted():
            violation = _first(here, told)
        found[name] = {
            "broken": violation.invariant if violation else "",
            "words": violation.words if violation else "",
        }
        _say(f"{name}: {violation} ({time.monotonic() - began:.1f} s)")
    return found


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def _first(here: Any, told: Any, wanted: Collection[str] = ()) -> Any:
    """The first violation; one that is wanted comes before others of that evening."""
    from callbill.config.simulation.world import World

    violations = World(here, told).live().violations
    return min(violations, key=lambda found: found.invariant not in wanted, default=None)


if __name__ == "__main__":
    sys.exit(main())
