"""Worker processes, each with a database and a sandbox of its own, taking pieces of work one by one."""

from __future__ import annotations

import atexit
import gc
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from tests.kills.cases import Case, Result


@dataclass(frozen=True)
class Unit:
    """One piece of work with keys fresh or aged; of it what `Wanted` says."""

    work: str
    aged: bool
    only: str = ""
    every: int = 1


def units(only: str = "") -> list[tuple[str, bool]]:
    """Every piece of work with keys fresh and aged, those that `only` cannot mean left out."""
    _set_up_django()
    from tests.kills.works import WORKS

    named = "/".join(only.split("/")[:2])
    return [
        (work.name, aged)
        for work in WORKS
        for aged in (False, True)
        if not only or Case(work.name).matches(named)
    ]


def run_units(those: list[Unit], processes: int) -> Iterator[tuple[Unit, list[Result], float]]:
    """Walk the units in worker processes; as each is done: the unit, its results, its seconds."""
    spawn = multiprocessing.get_context("spawn")
    numbers = spawn.Value("i", 0)
    workers = min(processes, len(those))
    with ProcessPoolExecutor(workers, spawn, _begin, (numbers, os.getpid())) as pool:
        for done in as_completed([pool.submit(_walk_unit, unit) for unit in those]):
            yield done.result()


_bench: Any = None


def _set_up_django() -> None:
    import django

    import tests.database  # noqa: F401 (gives this process its database server)

    os.environ["DJANGO_SETTINGS_MODULE"] = "callbill.config.settings"
    django.setup()


def _begin(numbers: Any, family: int) -> None:
    """A worker process starts: its database, its sandbox, its watch."""
    global _bench  # noqa: PLW0603 (what a worker process has)
    with numbers.get_lock():
        numbers.value += 1
        number = numbers.value
    _set_up_django()
    logging.disable(logging.CRITICAL)  # the product says in its log what is done to it here
    from django.db import connection

    from stripe_sandbox.server import running
    from tests.kills.bench import Bench
    from tests.kills.points import install

    name = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"{name}_kills_{family}_{number}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    atexit.register(connection.creation.destroy_test_db, name, verbosity=0)
    sandbox = running()
    _bench = Bench(sandbox.__enter__())
    atexit.register(sandbox.__exit__, None, None, None)
    atexit.register(_bench.close)
    install()
    _forget_the_environment()
    gc.freeze()  # so that forks share more of it


def _forget_the_environment() -> None:
    """The HTTP client of the SDK reads all of it at each request, looking for proxies."""
    for name in set(os.environ) - {"PATH", "HOME", "LANG", "DJANGO_SETTINGS_MODULE", "DATABASE_URL"}:
        del os.environ[name]


def _walk_unit(unit: Unit) -> tuple[Unit, list[Result], float]:
    from tests.kills.walk import Wanted, walk
    from tests.kills.works import WORKS

    began = time.monotonic()
    (work,) = [each for each in WORKS if each.name == unit.work]
    results = list(walk(_bench, work, aged=unit.aged, wanted=Wanted(unit.only, unit.every)))
    _bench.start_again()
    results += _bench.wrong_books
    _bench.wrong_books = []
    return unit, results, time.monotonic() - began
