"""`callbill simulate`: months of a made-up world with faults and kills, examined every evening."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callbill.config.simulation.figures import Figures
    from callbill.config.simulation.ground import Ground
    from callbill.config.simulation.story import Story
    from callbill.config.simulation.world import Lived

HELP = "live through made-up months with faults and kills, and look every evening whether all is right"
NEEDS_DJANGO = False


def configure(parser: argparse.ArgumentParser) -> None:
    """Which story, or stories."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seed", type=int, default=1, help="which story (default 1)")
    which.add_argument("--seeds", metavar="FIRST-LAST", help="several stories, one after another")
    which.add_argument("--replay", type=Path, metavar="FILE", help="live a story that was written to a file")
    parser.add_argument("--months", type=int, default=2, help="how long (default 2; 0: five days)")
    parser.add_argument("--companies", type=int, default=5, help="how many companies (default 5)")
    parser.add_argument("--faults", choices=("none", "some", "many"), default="some", help="(default some)")
    parser.add_argument("--processes", type=int, default=1, help="share several stories between processes")
    parser.add_argument(
        "--shorten", type=int, default=300, metavar="SECONDS", help="look so long for a shorter story"
    )
    parser.add_argument("--keep", action="store_true", help="leave the database and the mails to look at")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the story there too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")


def run(args: argparse.Namespace) -> int:
    """0: every invariant held; 1: one did not; 2: the story cannot be read."""
    seeds = _seeds(args)
    if seeds is None:
        print(f"--seeds is {args.seeds}; write it as FIRST-LAST, such as 1-300.", file=sys.stderr)
        return 2
    if args.processes > 1 and len(seeds) > 1:
        return _shared(args, seeds)
    folder = Path(tempfile.mkdtemp(prefix="callbill-simulation-"))
    try:
        return _run(args, folder, seeds)
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _seeds(args: argparse.Namespace) -> list[int] | None:
    if not args.seeds:
        return [args.seed]
    first, _, last = args.seeds.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        return None
    return list(range(int(first), int(last) + 1))


def _run(args: argparse.Namespace, folder: Path, seeds: list[int]) -> int:
    from callbill.config.simulation import ground, killing, story

    stories: list[Story] = []
    if args.replay:
        try:
            stories = [story.Story.read(args.replay)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"{args.replay} is not a story that this command wrote: {error}", file=sys.stderr)
            return 2
    else:
        for seed in seeds:
            told = story.of_seed(seed, months=args.months, companies=args.companies, faults=args.faults)
            stories.append(told)
    ground.prepare(folder, keep=args.keep)
    import django

    django.setup()
    killing.install()
    here = ground.Ground(folder)
    try:
        return _live_all(args, here, stories)
    finally:
        if args.keep:
            print(_to_look(here.keep()), flush=True)
        here.close()


def _to_look(command: str) -> str:
    from callbill.config.simulation.customers import PASSWORD

    return (
        f"The last world is kept. To look at it:\n  {command}\n"
        f"  http://127.0.0.1:8000/ as sam@cic.example (staff) or ann@c1.example, password {PASSWORD}; "
        "the mails are at /mailbox/"
    )


def _live_all(args: argparse.Namespace, here: Ground, stories: list[Story]) -> int:
    from callbill.config.simulation.figures import Figures

    total, began = Figures(), time.monotonic()
    for place, told in enumerate(stories, start=1):
        try:
            _live(args, here, told, total, f"seed {told.seed} ({place}/{len(stories)})")
        except KeyboardInterrupt:
            print(f"Stopped; {len(stories) - place + 1} seeds were not lived.", flush=True)
            break
        except Exception as error:
            # A world that cannot even begin must not end those after it.
            print(f"Seed {told.seed} could not be lived: {type(error).__name__}: {error}", flush=True)
            total.add(Figures(stories=1, broken=1))
        if args.json:
            args.json.write_text(json.dumps(asdict(total)))
    if len(stories) > 1 or sys.stdout.isatty():
        print(_summary(total, time.monotonic() - began), flush=True)
    return 1 if total.broken or total.stories < len(stories) else 0


def _live(args: argparse.Namespace, here: Ground, told: Story, total: Figures, label: str) -> None:
    from callbill.config.simulation import story
    from callbill.config.simulation.world import World

    began = time.monotonic()
    lived = World(here, told).live(progress=_bar(label))
    total.add(lived.figures)
    print(f"Seed {told.seed}: {_line(lived)}, {time.monotonic() - began:.1f} s", flush=True)
    if args.replay:
        _compare(story.kept_digest(args.replay), lived.digest, total)
    if args.write:
        told.write(args.write, digest=lived.digest)
    if lived.violations:
        _explain(args, here, told, lived)


def _compare(kept: str, digest: str, total: Figures) -> None:
    """Say whether a story came to what it came to when its file was written, if the file says that."""
    if kept == digest:
        print("  The digest is the one in the file.", flush=True)
    elif kept:
        print(
            f"  BROKEN: the file says digest {kept}. The program, or the world, is not the same.", flush=True
        )
        total.broken = 1


def _explain(args: argparse.Namespace, here: Ground, told: Story, lived: Lived) -> None:
    """Say what is broken, and by which shortest story that can be found; keep it in a file."""
    from callbill.config.simulation import shrink
    from callbill.config.simulation.watch import Violation
    from callbill.config.simulation.words import in_words
    from callbill.config.simulation.world import World

    for violation in lived.violations[:5]:
        print(f"  BROKEN on day {violation.day}: {violation.invariant}: {violation.words}", flush=True)

    def until_broken(story: Story) -> Violation | None:
        found = World(here, story).live().violations
        return found[0] if found else None

    bar = _bar("shortening")
    found = shrink.shorten(
        told,
        lived.violations[0],
        until_broken,
        seconds=args.shorten,
        say=lambda sentence: bar(0, 0, sentence),
    )
    path = Path(f"simulation-{told.seed}.json")
    told.write(path, broken=str(lived.violations[0]))  # whatever becomes of the shortening
    found.story.write(path, broken=f"{found.violation.invariant}: {found.violation.words}")
    print(f"  The shortest story found, after {found.lives} lives:")
    for line in in_words(found.story):
        print(f"    {line}")
    print(f"  It breaks: {found.violation.invariant}: {found.violation.words}")
    print(f"  Live it again: callbill simulate --replay {path}", flush=True)


def _bar(label: str) -> Callable[..., None]:
    """Draws how far it is, on a terminal only."""

    def draw(done: int, of: int, words: str = "") -> None:
        if not sys.stderr.isatty():
            return
        width = 30 * done // of if of else 0
        shown = words or f"[{'#' * width}{'.' * (30 - width)}] day {done} of {of}"
        end = "\r" if done >= of else ""
        print(f"\r\033[K{label} {shown}", end=end, file=sys.stderr, flush=True)

    return draw


def _line(lived: Lived) -> str:
    f = lived.figures
    return (
        f"{lived.days} days, {f.steps} steps, {f.calls} calls, {f.invoices} invoices, {f.charges} charges of "
        f"{f.attempts} attempts, {f.faults_met} of {f.faults_planted} faults met, {f.kills} kills, "
        f"{f.beside} met another worker, {f.unknown} outcomes unknown, digest {lived.digest}, "
        f"{len(lived.violations)} violations"
    )


def _summary(figures: Figures, seconds: float) -> str:
    return f"In all: {figures.in_one_line()}; {seconds:.0f} s"


def _shared(args: argparse.Namespace, seeds: list[int]) -> int:
    """Several processes, each with a share of the seeds and a ground of its own."""
    from callbill.config.simulation.figures import Figures

    began, total, failed = time.monotonic(), Figures(), 0
    with tempfile.TemporaryDirectory() as folder:
        running = []
        size = -(-len(seeds) // args.processes)
        for number, start in enumerate(range(0, len(seeds), size)):
            share = seeds[start : start + size]
            kept = Path(folder) / f"{number}.json"
            words = ["simulate", "--seeds", f"{share[0]}-{share[-1]}", "--json", str(kept)]
            for name in ("months", "companies", "faults", "shorten"):
                words += [f"--{name}", str(getattr(args, name))]
            words += ["--keep"] if args.keep else []
            command = [sys.executable, "-m", "callbill.config.cli", *words]
            running.append((subprocess.Popen(command), kept))
        for process, kept in running:
            failed += process.wait() != 0
            if kept.exists():
                total.add(Figures(**json.loads(kept.read_text())))
    if args.json:
        args.json.write_text(json.dumps(asdict(total)))
    if total.stories < len(seeds):
        print(f"{len(seeds) - total.stories} seeds were not lived: a process ended before.")
    print(_summary(total, time.monotonic() - began))
    return 1 if failed else 0
