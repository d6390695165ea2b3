"""Compare many random contracts: `python -m tests.oracle --contracts 20000 --seed 20261122`.

Prints how many were compared, how often each feature was in them, and every disagreement at its smallest.
Exit code 1 if there is any, or if a feature was in less than one of a hundred contracts.
"""

# ruff: noqa: T201 (a program that talks to people)
from __future__ import annotations

import argparse
import itertools
import pprint
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from random import Random

from tests.oracle.compare import differences, valid_world
from tests.oracle.features import FEATURES, features_of
from tests.oracle.minimise import minimised
from tests.oracle.versions import disagreements, parts_of

CHUNK = 250
VERSIONS = 4  # of every fourth world the period is billed once more, under two versions
SHOWN = 5


def compare_chunk(seed: int, first: int, end: int) -> tuple[Counter[str], list[int]]:
    """Features compared, and the numbers of the worlds that disagree."""
    counted: Counter[str] = Counter()
    wrong = []
    for number in range(first, end):
        world = valid_world(Random(f"{seed}-{number}"))
        counted.update(features_of(world))
        counted["calls"] += sum(len(company["calls"]) for company in world.companies)
        found = differences(world)
        if number % VERSIONS == 0:
            counted["two versions in a period"] += 1
            found += disagreements(*parts_of(world, Random(number)))
        if found:
            wrong.append(number)
    return counted, wrong


def show(seed: int, number: int) -> None:
    """A disagreement at its smallest."""
    world = valid_world(Random(f"{seed}-{number}"))
    if differences(world):
        world = minimised(world, lambda smaller: bool(differences(smaller)))
    print(f"\nworld {number} of seed {seed}, at its smallest:")
    pprint.pp(world, width=110)
    print(*differences(world), sep="\n")
    print(*disagreements(*parts_of(world, Random(number))), sep="\n")


def main() -> int:
    """Compare, and say what was compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    began = time.monotonic()
    edges = [*range(0, asked.contracts, CHUNK), asked.contracts]
    counted: Counter[str] = Counter()
    wrong: list[int] = []
    with ProcessPoolExecutor(asked.processes) as pool:
        futures = [
            pool.submit(compare_chunk, asked.seed, first, end) for first, end in itertools.pairwise(edges)
        ]
        for future in futures:
            features, numbers = future.result()
            counted.update(features)
            wrong += numbers
    for name in (*FEATURES, "two versions in a period"):
        print(f"  {name:<28} {counted[name]:>7}")
    for number in wrong[:SHOWN]:
        show(asked.seed, number)
    rare = [name for name in FEATURES if counted[name] * 100 < asked.contracts]
    print(f"\n{asked.contracts} contracts compared, {counted['calls']} calls, seed {asked.seed}")
    print(f"{len(wrong)} disagreements, the first in worlds {wrong[:20]}" if wrong else "0 disagreements")
    print(f"{time.monotonic() - began:.0f} s in {asked.processes} processes")
    if rare:
        print(f"In less than one of a hundred contracts: {', '.join(rare)}")
    return 1 if wrong or rare else 0


if __name__ == "__main__":
    sys.exit(main())
