"""Queues worked through side by side: order within a queue, everything once, and stopping."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

import pytest
from django.db import connection

from callbill.lib.crew import work_through

QUEUES = [[(name, number) for number in range(6)] for name in "abcdefghij"]


def test_one_worker_goes_through_everything_in_order_in_the_calling_thread() -> None:
    done: list[tuple[str, int]] = []
    threads = set()

    def do(piece: tuple[str, int]) -> bool:
        threads.add(threading.get_ident())
        done.append(piece)
        return True

    work_through(QUEUES, do, workers=1)
    assert done == [piece for queue in QUEUES for piece in queue]
    assert threads == {threading.get_ident()}


def test_several_workers_do_everything_once_and_each_queue_in_order() -> None:
    done: dict[str, list[int]] = defaultdict(list)
    threads = set()
    together = threading.Barrier(4)

    def do(piece: tuple[str, int]) -> bool:
        name, number = piece
        if number == 0 and name in "abcd":
            together.wait(timeout=30)  # passes only if four queues are begun at the same time
        threads.add(threading.get_ident())
        done[name].append(number)
        return True

    work_through(QUEUES, do, workers=4)
    assert done == {name: list(range(6)) for name in "abcdefghij"}
    assert len(threads) == 4


def test_after_a_no_one_worker_begins_nothing_more() -> None:
    begun: list[tuple[str, int]] = []

    def do(piece: tuple[str, int]) -> bool:
        begun.append(piece)
        return piece != ("b", 2)

    work_through(QUEUES, do, workers=1)
    assert begun == [*QUEUES[0], *QUEUES[1][:3]]


def test_after_a_no_the_others_stop_too() -> None:
    """Not at the very instant, but long before they are through."""
    begun: list[tuple[str, int]] = []
    gate = threading.Barrier(3)
    long = [[(name, number) for number in range(200_000)] for name in "abc"]

    def do(piece: tuple[str, int]) -> bool:
        begun.append(piece)
        if piece[1] == 0:
            gate.wait(timeout=30)
        return piece[0] != "a"

    work_through(long, do, workers=3)
    assert [piece for piece in begun if piece[0] == "a"] == [("a", 0)]
    assert len(begun) < 400_000


def test_what_one_raises_stops_the_others_and_comes_out() -> None:
    begun: list[tuple[str, int]] = []
    gate = threading.Barrier(3)

    def do(piece: tuple[str, int]) -> bool:
        begun.append(piece)
        gate.wait(timeout=30)
        raise RuntimeError(f"{piece[0]} went wrong")

    with pytest.raises(RuntimeError, match="went wrong"):
        work_through(QUEUES, do, workers=3)
    assert len(begun) == 3


@pytest.mark.django_db(transaction=True)
def test_the_connections_of_threads_are_given_back() -> None:
    used: list[int] = []

    def do(piece: tuple[str, int]) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            used.append(cursor.fetchone()[0])
        return True

    work_through(QUEUES, do, workers=4)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = cursor.fetchone()[0]
        alive = -1
        for _ in range(500):  # PostgreSQL takes a moment to see that a client has gone
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [sorted(set(used))])
            alive = cursor.fetchone()[0]
            if alive == 0:
                break
            time.sleep(0.02)
    assert own not in used
    assert alive == 0
