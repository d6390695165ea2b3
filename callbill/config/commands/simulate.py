"""`callbill simulate`: months of a made-up world with faults and kills, examined every evening."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

HELP = "live through made-up months with faults and kills, and look every evening whether all is right"
NEEDS_DJANGO = False


def configure(parser: argparse.ArgumentParser) -> None:
    """Which story, or stories."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, default=1, help="which story (default 1)")
    which.add_argument("--seeds", metavar="FIRST-LAST", help="several stories, one after another")
    which.add_argument("--replay", type=Path, metavar="FILE", help="live a story that was written to a file")
    parser.add_argument("--months", type=int, default=2, help="how long (default 2)")
    parser.add_argument("--companies", type=int, default=4, help="how many companies (default 4)")
    parser.add_argument("--faults", choices=("none", "some", "many"), default="some", help="(default some)")
    parser.add_argument("--keep", action="store_true", help="leave the database and the mails to look at")


def run(args: argparse.Namespace) -> int:
    """0: every invariant held; 1: one did not; 2: the story cannot be read."""
    folder = Path(tempfile.mkdtemp(prefix="callbill-simulation-"))
    try:
        return _run(args, folder)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _run(args: argparse.Namespace, folder: Path) -> int:
    from callbill.config.simulation import ground, killing, story

    ground.prepare(folder)
    import django

    django.setup()
    from callbill.config.simulation.world import World

    killing.install()
    here = ground.Ground(folder)
    try:
        told = (
            story.Story.read(args.replay)
            if args.replay
            else story.of_seed(args.seed, months=args.months, companies=args.companies, faults=args.faults)
        )
        began = time.monotonic()
        lived = World(here, told).live()
        print(lived.digest, lived.figures, f"{time.monotonic() - began:.1f} s")
        for v in lived.violations:
            print(v)
        return 1 if lived.violations else 0
    finally:
        here.close(keep=args.keep)
