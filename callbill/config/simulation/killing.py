"""What can be counted from outside the product: commits, requests to Stripe, letters. There a worker can die.

The product has no hook for this. `install` wraps three functions of libraries and gateways once per process;
what they count is set by a `Plan`. A work that shall die is done in a fork that ends by `os._exit`; a fork
can also be a second worker that does its work while the first is held up. And an answer of Stripe can be lost
here after it was given, as a time-out is, without anybody waiting for it.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

DIED = 137
_LONGEST = 60
_PATIENCE = 0.1


@dataclass(slots=True)
class Plan:
    """At the `number`-th point from now, `when` "before" or "after" it, `act` is called, once.

    Counted are the points whose label matches `of`: "commit", "letter", or a request such as
    "POST /v1/payment_intents/pi_123/confirm".
    """

    number: int
    when: str
    of: str
    act: Callable[[], None]
    met: bool = False


@dataclass(slots=True)
class Silence:
    """The next `times` answers to requests whose path matches are lost; without `done` the request is too.

    `reads` says whether questions (GET) meet it too.
    """

    path: str
    done: bool
    times: int
    reads: bool

    def meets(self, method: str, url: str) -> bool:
        """Whether this request meets it."""
        if not self.times or (method.upper() == "GET" and not self.reads):
            return False
        return bool(re.search(self.path, url.partition("?")[0]))


@dataclass(slots=True)
class Wire:
    """What is planned in this process."""

    plan: Plan | None = None
    silences: list[Silence] = field(default_factory=list)
    lost: int = 0
    refused_letters: int = 0
    _count: int = 0

    def forget(self) -> None:
        """A new world begins."""
        self.plan, self._count, self.lost, self.refused_letters = None, 0, 0, 0
        self.silences.clear()

    def expect(self, plan: Plan | None) -> None:
        """Count from here."""
        self.plan, self._count = plan, 0

    def point(self, label: str, plain: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do something that can be counted."""
        plan = self.plan
        if plan is None or not re.search(plan.of, label):
            return plain(*args, **kwargs)
        self._count += 1
        mine = not plan.met and self._count == plan.number
        if mine and plan.when == "before":
            plan.met = True
            plan.act()
        result = plain(*args, **kwargs)
        if mine and plan.when == "after":
            plan.met = True
            plan.act()
        return result


WIRE = Wire()


def install() -> None:
    """Count from now on in this process: once, before the first world."""
    import requests
    from django.db.backends.base.base import BaseDatabaseWrapper

    from callbill.domain.notifications.gateway import MailNotSent
    from callbill.gateways.email import MailGateway
    from callbill.gateways.stripe import _client

    # The SDK waits between its tries; nobody shall wait for that here.
    for layer in vars(_client)["RequestsClient"].__mro__:
        if "INITIAL_DELAY" in vars(layer):
            layer.INITIAL_DELAY = layer.MAX_DELAY = 0
    plain_commit, plain_send = BaseDatabaseWrapper.commit, MailGateway.send
    plain_request = requests.Session.request

    def commit(self: Any) -> None:
        WIRE.point("commit", plain_commit, self)

    def send(self: Any, letter: Any) -> None:
        if WIRE.refused_letters:
            WIRE.refused_letters -= 1
            raise MailNotSent("The mail server does not answer.")
        WIRE.point("letter", plain_send, self, letter)

    def request(self: Any, method: str, url: str, **kwargs: Any) -> Any:
        label = f"{method.upper()} {urlsplit(url).path}"
        silence = next((each for each in WIRE.silences if each.meets(method, url)), None)
        if silence is None:
            return WIRE.point(label, plain_request, self, method, url, **kwargs)
        silence.times -= 1
        WIRE.lost += 1
        if silence.done:
            WIRE.point(label, plain_request, self, method, url, **kwargs)
        raise requests.exceptions.ReadTimeout(f"no answer from {url}")

    BaseDatabaseWrapper.commit = commit  # type: ignore[method-assign]
    MailGateway.send = send  # type: ignore[method-assign]
    requests.Session.request = request  # type: ignore[assignment, method-assign]


def die() -> NoReturn:
    """End this process as a power cut would."""
    os._exit(DIED)


@dataclass(frozen=True, slots=True)
class Fork:
    """How a fork ended: `said` is what its work returned, None if it died."""

    died: bool
    said: Any


def in_a_fork(work: Callable[[], Any]) -> Fork:
    """Do `work` in a fork with a database connection of its own; what it returns must be JSON.

    A fork that waits for a lock of ours would wait for ever, because we wait for it: it is killed, as a
    worker can be killed that waits for another one.
    """
    child, pipe = _begun(work)
    fork = _ended(child, pipe)
    _wait_until_alone()
    return fork


def in_two_forks(work: Callable[[], Any]) -> list[Fork]:
    """Do `work` twice at the same time, in two forks that meet as their machine has it."""
    both = [_begun(work) for _ in range(2)]
    forks = [_ended(child, pipe) for child, pipe in both]
    _wait_until_alone()
    return forks


def _begun(work: Callable[[], Any]) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(work, writing)
    os.close(writing)
    return child, reading


def _ended(child: int, reading: int) -> Fork:
    with os.fdopen(reading, "rb") as pipe:
        while not select.select([pipe], [], [], _PATIENCE)[0]:
            if _beside_us(_WAITING):
                os.kill(child, signal.SIGKILL)
                _beside_us(_END_WAITING)
        told = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code in (DIED, -signal.SIGKILL):
        return Fork(died=True, said=None)
    if code != 0:
        raise RuntimeError(f"a fork ended with code {code}")
    return Fork(died=False, said=json.loads(told))


def _child(work: Callable[[], Any], writing: int) -> NoReturn:
    code = 1
    try:
        _let_go_of_what_is_the_parents()
        signal.alarm(_LONGEST)
        os.write(writing, json.dumps(work()).encode())
        code = 0
    finally:
        os._exit(code)


_PARENTS: list[Any] = []


def _let_go_of_what_is_the_parents() -> None:
    """Connections that the parent goes on using must not be used, nor closed, here."""
    from django.db import connections

    from callbill.domain.payments import gateway

    _PARENTS.append(connections["default"].connection)
    del connections["default"]
    gateway._made.cache_clear()


_WATCH: list[Any] = []
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %(name)s AND pid <> %(own)s"
_WAITING = f"{_OTHERS} AND %(own)s = ANY (pg_blocking_pids(pid))"
# A server process that waits for a lock does not notice that its client has died.
_END_WAITING = _WAITING.replace("count(*)", "count(pg_terminate_backend(pid))")


def _beside_us(question: str) -> int:
    """A number about other connections to our database, asked by a connection to another one."""
    import psycopg
    from django.db import connection

    if not _WATCH:
        given = {**connection.get_connection_params(), "dbname": "postgres"}
        wanted = {
            name: given[name] for name in ("host", "port", "user", "password", "dbname") if name in given
        }
        _WATCH.append(psycopg.connect(**wanted, autocommit=True))
    open_here = connection.connection
    own = open_here.info.backend_pid if open_here is not None and not open_here.closed else 0
    asked = {"name": connection.settings_dict["NAME"], "own": own}
    return int(_WATCH[0].execute(question, asked).fetchone()[0])


def _wait_until_alone() -> None:
    """PostgreSQL notices a moment later that a client has died, and frees its locks then."""
    end = time.monotonic() + _LONGEST
    while _beside_us(_OTHERS):
        if time.monotonic() > end:
            raise TimeoutError("the connection of a fork outlives it")
        time.sleep(0.003)
