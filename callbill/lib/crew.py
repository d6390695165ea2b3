"""Several people at one pile of work: queues done side by side, each queue in its order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def work_through(queues: Sequence[Sequence[T]], do: Callable[[T], bool], *, workers: int = 1) -> None:
    """Do every piece of every queue: one queue is one worker's at a time, its pieces one after another.

    When `do` answers False, or raises, nobody begins another piece; what was begun is finished. One worker is
    the calling thread; several are threads whose database connections are given back at the end.
    """
    waiting = deque(queues)
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                queue = waiting.popleft()
            except IndexError:
                return
            for piece in queue:
                if stopped.is_set() or not do(piece):
                    stopped.set()
                    return

    def work_in_a_thread() -> None:
        try:
            work()
        except BaseException:
            stopped.set()
            raise
        finally:
            connections.close_all()

    if workers == 1 or len(queues) <= 1:
        work()
        return
    with ThreadPoolExecutor(min(workers, len(queues)), thread_name_prefix="crew") as pool:
        crew = [pool.submit(work_in_a_thread) for _ in range(min(workers, len(queues)))]
        try:
            for member in crew:
                member.result()
        except BaseException:
            stopped.set()  # also when the calling thread is interrupted
            raise
