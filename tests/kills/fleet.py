"""Worker processes, each with a database and a sandbox of its own, taking pieces of work one by one."""

from __future__ import annotations

import atexit
import gc
import heapq
import itertools
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.kills.cases import Case, Result

if TYPE_CHECKING:
    from tests.kills.table import Tally

Key = tuple[str, str, int]

# Faults that are walked together: enough for what it costs to begin anew, few enough for a short last unit.
_TOGETHER = 4


@dataclass(frozen=True)
class Unit:
    """One piece of work with keys fresh or aged, of it what `Wanted` says.

    First its kills without a fault, then those with `faults`, by what the first ones met (`counted`).
    """

    work: str
    aged: bool
    only: str = ""
    every: int = 1
    faults: tuple[str, ...] = ()
    counted: Any = None

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{self.work}/{'aged' if self.aged else 'fresh'}/{', '.join(self.faults) or 'no fault'}"

    @property
    def key(self) -> Key:
        """Two units with the same one have the same cases."""
        return self.name, self.only, self.every

    def rank(self) -> tuple[int, int]:
        """The lowest is walked first: what others wait for, then the longest."""
        if not self.faults:
            return (0, 0)
        return (1, -len(self.faults) * (len(self.counted.trace) ** 2 + sum(self.counted.requests.values())))


@dataclass(frozen=True)
class Done:
    """A unit that was walked."""

    unit: Unit
    tally: Tally
    counted: Any


def units(only: str = "", every: int = 1) -> list[Unit]:
    """Every piece of work with keys fresh and aged, those that `only` cannot mean left out.

    An `only` that names no more than works is done with here: of those that are left, all is walked.
    """
    _set_up_django()
    from tests.kills.works import WORKS

    named = "/".join(only.split("/")[:2])
    within = only if only.count("/") > 1 else ""
    return [
        Unit(work.name, aged, within, every)
        for work in WORKS
        for aged in (False, True)
        if not only or Case(work.name).matches(named)
    ]


def run_units(those: list[Unit], processes: int, known: Mapping[Key, Done]) -> Iterator[Done]:
    """Walk the units, and those with faults that follow from them, in worker processes; each as it is done.

    Those that are `known` come first, without being walked. Whoever stops asking ends the workers, in the
    middle of what they do.
    """
    there = list(_known_already(those, known))
    yield from there
    done_with = {each.unit.key for each in there}
    spawn = multiprocessing.get_context("spawn")
    order = itertools.count()
    ready = [
        (unit.rank(), next(order), unit)
        for unit in [*those, *(follows for each in there for follows in _following(each))]
        if unit.key not in done_with
    ]
    heapq.heapify(ready)
    under_way: set[Future[Done]] = set()
    if not ready:
        return
    pool = ProcessPoolExecutor(processes, spawn, _begin, (spawn.Value("i", 0), os.getpid()))
    try:
        while ready or under_way:
            while ready and len(under_way) < processes:
                under_way.add(pool.submit(_walk_unit, heapq.heappop(ready)[2]))
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for each in ended:
                done = each.result()
                for unit in _following(done):
                    heapq.heappush(ready, (unit.rank(), next(order), unit))
                yield done
    except BaseException:
        for worker in list((pool._processes or {}).values()):
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _known_already(those: Iterable[Unit], known: Mapping[Key, Done]) -> Iterator[Done]:
    """Of these and those that follow from them."""
    for unit in those:
        done = known.get(unit.key)
        if done is not None:
            yield done
            yield from _known_already(_following(done), known)


def _following(done: Done) -> list[Unit]:
    """The units with faults of a work whose points are known now."""
    if done.unit.faults:
        return []
    from tests.kills.works import WORKS

    (faults,) = [work.faults for work in WORKS if work.name == done.unit.work]
    apart = -(-len(faults) // _TOGETHER)
    groups = [faults[place::apart] for place in range(apart)]
    return [replace(done.unit, faults=each, counted=done.counted) for each in groups]


_bench: Any = None


def _set_up_django() -> None:
    import django

    import tests.database  # noqa: F401 (gives this process its database server)

    os.environ["DJANGO_SETTINGS_MODULE"] = "callbill.config.settings"
    django.setup()


def _begin(numbers: Any, family: int) -> None:
    """A worker process starts: its database, its sandbox, its watch."""
    global _bench  # noqa: PLW0603 (what a worker process has)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ended by who started it
    signal.signal(signal.SIGTERM, _end)
    with numbers.get_lock():
        numbers.value += 1
        number = numbers.value
    _set_up_django()
    logging.disable(logging.CRITICAL)  # the product says in its log what is done to it here
    from django.db import connection

    from stripe_sandbox.server import running
    from tests.kills.bench import Bench
    from tests.kills.points import install
    from tests.kills.stripe_side import Quick

    name = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{name}_kills_{family}_{number}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    atexit.register(connection.creation.destroy_test_db, name, verbosity=0)
    sandbox = running()
    _bench = Bench(Quick(sandbox.__enter__()))
    atexit.register(sandbox.__exit__, None, None, None)
    atexit.register(_bench.close)
    install()
    _forget_the_environment()
    gc.freeze()  # so that forks share more of it
    gc.set_threshold(100_000, 20, 20)


def _end(number: int, frame: Any) -> None:
    raise SystemExit("told to end")


def _forget_the_environment() -> None:
    """The HTTP client of the SDK reads all of it at each request, looking for proxies."""
    for name in set(os.environ) - {"PATH", "HOME", "LANG", "DJANGO_SETTINGS_MODULE", "DATABASE_URL"}:
        del os.environ[name]


def _walk_unit(unit: Unit) -> Done:
    from tests.kills.table import tally
    from tests.kills.walk import Wanted, walk_faults, walk_kills
    from tests.kills.works import WORKS

    began = time.monotonic()
    (work,) = [each for each in WORKS if each.name == unit.work]
    wanted, counted = Wanted(unit.only, unit.every), unit.counted
    results: list[Result] = []
    if not unit.faults:
        kills = walk_kills(_bench, work, aged=unit.aged, wanted=wanted)
        while counted is None:
            try:
                results.append(next(kills))
            except StopIteration as end:
                counted = end.value
    else:
        faulty = walk_faults(_bench, work, counted, aged=unit.aged, wanted=wanted, faults=unit.faults)
        results += faulty
    results += _bench.end_world()
    walked = tally(unit.work, aged=unit.aged, results=results, seconds=time.monotonic() - began)
    return Done(unit, walked, counted)
