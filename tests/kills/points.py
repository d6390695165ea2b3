"""Where work meets the world: counted from outside, died at, and broken on request.

A point is a commit, a write that commits itself (outside a transaction), one try of a request to Stripe, or
a letter handed over. Each can be died at before and after it happens. Nothing of this is in the product: the
functions of Django, the SDK and the mail port are wrapped once in a process (`install`), and do as ever while
nothing is watched.

What may meet a fault is asked of the outside: a request to Stripe, or a letter given to the mail port.
"""

from __future__ import annotations

import gc
import os
import re
import smtplib
import threading
import traceback
from collections.abc import Callable, Container
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ClassVar

import requests
import stripe
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from callbill.domain.payments import gateway
from callbill.gateways.email import MailGateway
from stripe_sandbox.handle import Handle
from tests.killing import wait_until_gone
from tests.kills.mail import MAIL_FAULTS

DIED = 137
# How often the SDK tries a request; a fault that outlasts it meets them all.
TRIES = 3
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_TIMEOUTS = ("timeout_before", "timeout_after")


@dataclass
class Watch:
    """What is done to the work of this process, and what it met.

    The process dies at point `kill` (0: never), "before" or "after". Request `at` (0: none) meets `fault`,
    in each of its tries: one of Stripe's, or one of the mail's where a letter is what is asked.
    """

    sandbox: Handle
    kill: int = 0
    when: str = "before"
    fault: str = ""
    at: int = 0
    points: int = 0
    requests: int = 0
    hits: int = 0
    trace: list[str] = field(default_factory=list)
    tell: Callable[[bytes], object] | None = None
    _lock: Any = field(default_factory=threading.Lock)

    def before(self, kind: str) -> int:
        """A point is reached; its number."""
        with self._lock:
            self.points += 1
            number = self.points
            self.trace.append(kind)
            if self.tell:
                self.tell(kind.encode())
        if number == self.kill and self.when == "before":
            os._exit(DIED)
        return number

    def after(self, number: int) -> None:
        """The point has happened, well or badly."""
        if number == self.kill and self.when == "after":
            os._exit(DIED)

    def breaks(self, faults: Container[str]) -> bool:
        """Whether this try of a request meets the fault, which must be one of `faults`."""
        if self.fault not in faults or self.requests != self.at or self.hits >= TRIES:
            return False
        self.hits += 1
        if self.tell:
            self.tell(b"!")
        return True


class Watched:
    """The watch of this process, if there is one."""

    now: ClassVar[Watch | None] = None


def _point(kind: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        watch = Watched.now
        if watch is None:
            return plain(*args, **kwargs)
        number = watch.before(kind)
        try:
            return plain(*args, **kwargs)
        finally:
            watch.after(number)

    return call


def _statement(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A write outside a transaction is its own commit."""
    point = _point("w", plain)

    @wraps(plain)
    def call(self: CursorWrapper, sql: Any, params: Any, *rest: Any) -> Any:
        alone = Watched.now is not None and not self.db.in_atomic_block and _WRITES.match(str(sql))
        return (point if alone else plain)(self, sql, params, *rest)

    return call


def _request(plain: Callable[..., Any]) -> Callable[..., Any]:
    """One request; the SDK may try it several times."""

    @wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        if Watched.now is not None:
            Watched.now.requests += 1
        return plain(*args, **kwargs)

    return call


def _try(plain: Callable[..., Any]) -> Callable[..., Any]:
    """One try of a request.

    Time-outs are made where the client gives up, so that nobody waits for them: lost on the way there, or on
    the way back after the sandbox has really done it. Everything else the sandbox does itself.
    """

    @wraps(plain)
    def send(client: Any, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        watch = Watched.now
        if watch is None or not watch.breaks(FAULTS):
            return plain(client, method, url, headers, post_data)
        if watch.fault in _TIMEOUTS:
            if watch.fault == "timeout_after":
                plain(client, method, url, headers, post_data)
            client._handle_request_error(requests.exceptions.ReadTimeout("Read timed out."))
        action, more = FAULTS[watch.fault]
        path = re.escape(url.removeprefix(watch.sandbox.url).partition("?")[0])
        watch.sandbox.fault(action, path=f"^{path}$", method=method.upper(), **more)
        return plain(client, method, url, headers, post_data)

    return _point("r", send)


def _letter(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A letter is given to the mail port; what is wrong with the mail is so only for this one."""

    @wraps(plain)
    def send(*args: Any, **kwargs: Any) -> Any:
        watch = Watched.now
        if watch is None:
            return plain(*args, **kwargs)
        watch.requests += 1
        with MAIL_FAULTS[watch.fault].happening() if watch.breaks(MAIL_FAULTS) else nullcontext():
            return plain(*args, **kwargs)

    return _point("s", send)


FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "timeout_before": ("timeout_before", {}),
    "timeout_after": ("timeout_after", {}),
    "reset_before": ("reset_before", {}),
    "reset_after": ("reset_after", {}),
    "reset_mid_body": ("reset_mid_body", {}),
    "500_before": ("500_before", {}),
    "500_after": ("500_after", {}),
    "429": ("429", {}),
    "429 retry": ("429", {"should_retry": True}),
    "lock_timeout": ("lock_timeout", {}),
    "409": ("409", {}),
    "503": ("503", {}),
    "html": ("html", {}),
}


def install() -> Callable[[], None]:
    """Wrap what is watched; returns what takes the wrappers off again."""
    places: list[tuple[Any, str, Callable[[Any], Any]]] = [
        (BaseDatabaseWrapper, "commit", lambda plain: _point("c", plain)),
        (CursorWrapper, "_execute", _statement),
        (stripe.HTTPClient, "request_with_retries", _request),
        (stripe.RequestsClient, "request", _try),
        (MailGateway, "send", _letter),
        (MailGateway, "was_delivered", lambda plain: _point("m", plain)),
        (os, "link", lambda plain: _point("m", plain)),
        (smtplib.SMTP, "data", lambda plain: _point("m", plain)),
        # The SDK's own retries, without their waiting.
        (stripe.HTTPClient, "INITIAL_DELAY", lambda plain: 0.0),
        (stripe.HTTPClient, "MAX_DELAY", lambda plain: 0.0),
    ]
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for (owner, name, wrap), (_, _, plain) in zip(places, kept, strict=True):
        setattr(owner, name, wrap(plain))

    def undo() -> None:
        for owner, name, plain in kept:
            setattr(owner, name, plain)

    return undo


@dataclass(frozen=True)
class Ended:
    """How a fork ended: killed or not, the points it met, how often it met its fault and where first."""

    died: bool
    trace: str
    hits: int
    first_hit: int
    problem: str


_parents_connections: list[Any] = []


def in_a_fork(work: Callable[[], None], watch: Watch) -> Ended:
    """Do `work` in a fork of this process under `watch`, and wait until its end is known to the database."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            gc.disable()
            # The parent's connections stay the parent's.
            _parents_connections.extend(each.connection for each in connections.all(initialized_only=True))
            for each in connections.all(initialized_only=True):
                each.connection = None
            gateway._made.cache_clear()
            os.environ["PGAPPNAME"] = f"killed-{os.getpid()}"
            watch.tell = lambda said: os.write(writing, said)
            Watched.now = watch
            work()
            status = 0
        except BaseException:
            os.write(writing, b"?" + traceback.format_exc(limit=-4).encode())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said, _, problem = pipe.read().decode().partition("?")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    wait_until_gone(f"killed-{child}")
    if code not in (0, DIED) and not problem:
        problem = f"it ended with {code}"
    return Ended(code == DIED, said.replace("!", ""), said.count("!"), len(said.partition("!")[0]), problem)
