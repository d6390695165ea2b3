"""The way of Stripe's messages: what the sandbox sends is received here and carried to our webhook view.

The sandbox posts to a receiver that keeps what comes, signature and all. `Post.carry` brings it to the real
view, at moments and in an order of the story's choosing: that is where messages are doubled, mixed up, held
back or lost on the way, the same each time. Stripe signs each delivery with the time it is sent; the sandbox
lives by the machine's clock there, so what it signed genuinely is signed again for the story's time.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from callbill.config.simulation.stripe_side import StripeSide
from callbill.lib import clock

HELD = timedelta(hours=30)
STALE = timedelta(minutes=20)
_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came: its body and the header Stripe-Signature."""

    body: bytes
    signature: str
    ready: bool = False  # signed for the story's time already

    @property
    def event(self) -> str:
        """The event's id."""
        return str(json.loads(self.body)["id"])

    @property
    def kind(self) -> str:
        """The event's type."""
        return str(json.loads(self.body)["type"])


@dataclass(slots=True)
class Chaos:
    """What happens to messages on the way: they are doubled, mixed, held, lost, forged or stale."""

    mode: str
    dice: random.Random


@dataclass(slots=True)
class Carried:
    """How many messages were brought to the view, and how many of them it took."""

    brought: int = 0
    taken: int = 0
    kinds: list[str] = field(default_factory=list)


class Post:
    """Receives from the sandbox; carries to the view."""

    def __init__(self) -> None:
        self._came: deque[Letter] = deque()
        self._held: list[tuple[datetime, Letter]] = []
        self._order: dict[str, int] = {}
        post = self

        class Receiver(BaseHTTPRequestHandler):
            """Takes what the sandbox sends."""

            def do_POST(self) -> None:
                """Keep it and say so."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                post._came.append(Letter(body, self.headers.get("Stripe-Signature", "")))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.address = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True, name="post").start()

    def close(self) -> None:
        """Receive no more."""
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """A new world begins."""
        self._came.clear()
        self._held.clear()
        self._order.clear()

    @property
    def holds_something(self) -> bool:
        """Whether messages were held back on the way, or have come and were not carried yet."""
        return bool(self._held or self._came)

    def carry(self, stripe: StripeSide, *, now: datetime, secret: str, chaos: Sequence[Chaos]) -> Carried:
        """Bring to the view what Stripe has sent by now, and what was held back until now."""
        self._wait(stripe)
        letters = [letter for until, letter in self._held if until <= now]
        self._held = [(until, letter) for until, letter in self._held if until > now]
        came = [self._came.popleft() for _ in range(len(self._came))]
        letters += sorted(came, key=lambda letter: self._order.get(letter.event, 0))
        for each in chaos:
            letters = self._meet(each, letters, now, secret)
        done = Carried()
        for letter in letters:
            done.brought += 1
            done.taken += _at_our_door(letter.body, _signed_for(letter, secret, now)) == 200
            done.kinds.append(letter.kind)
        return done

    def _wait(self, stripe: StripeSide) -> None:
        """Until the sandbox has sent what it has to send by now."""
        stripe.wait_until_idle()
        end = time.monotonic() + _SECONDS
        while True:
            now = stripe.switch("GET", "/clock")["now"] + 1  # whole seconds: what is due within this one, too
            rows = stripe.switch("GET", "/deliveries")
            if not any(row["state"] == "pending" and (row["next_attempt"] or 0) <= now for row in rows):
                break
            if time.monotonic() > end:
                raise TimeoutError("the sandbox does not send what it has to send")
            time.sleep(0.003)
        self._order.update({row["event"]: row["id"] for row in rows})

    def _meet(self, chaos: Chaos, letters: list[Letter], now: datetime, secret: str) -> list[Letter]:
        if chaos.mode == "doubled":
            return [twice for letter in letters for twice in (letter, letter)]
        if chaos.mode == "mixed":
            chaos.dice.shuffle(letters)
            return letters
        if chaos.mode == "lost":
            return []
        if chaos.mode == "held":
            until = now + HELD
            self._held += [(until, letter) for letter in letters]
            return []
        if chaos.mode == "forged":
            return [
                *letters,
                *(Letter(each.body, _sign(each.body, "whsec_not_ours", now)) for each in letters),
            ]
        assert chaos.mode == "stale", chaos.mode
        old = now - STALE
        return [*letters, *(Letter(m.body, _sign(m.body, secret, old), True) for m in letters)]


def _signed_for(letter: Letter, secret: str, now: datetime) -> str:
    """The signature as it would be, had the sandbox lived by the story's clock; a false one stays false."""
    if letter.ready:
        return letter.signature
    parts = dict(part.partition("=")[::2] for part in letter.signature.split(","))
    moment = int(parts.get("t", "0"))
    if not hmac.compare_digest(parts.get("v1", ""), _mac(letter.body, secret, moment)):
        return letter.signature
    age = (clock.now() - clock.offset()) - datetime.fromtimestamp(moment, UTC)
    return _sign(letter.body, secret, now - age)


def _sign(body: bytes, secret: str, now: datetime) -> str:
    moment = int(now.timestamp())
    return f"t={moment},v1={_mac(body, secret, moment)}"


def _mac(body: bytes, secret: str, moment: int) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def _at_our_door(body: bytes, signature: str) -> int:
    """What the webhook view answers."""
    from django.core.handlers.wsgi import WSGIRequest

    from callbill.web.webhooks.views import stripe as view

    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/webhooks/stripe/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_STRIPE_SIGNATURE": signature,
        "wsgi.input": io.BytesIO(body),
    }
    return int(view(WSGIRequest(environ)).status_code)
