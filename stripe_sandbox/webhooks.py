"""Telling endpoints what happened: signed, retried, and everything else that is due later.

Stripe signs `<t>.<body>` with HMAC-SHA256 (docs.stripe.com/webhooks#verify-manually). The time in a
signature is the machine's, not the sandbox's moved clock, because receivers compare it with theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from . import later
from .pipeline import Pipeline
from .storage import Document

AT_ONCE = 4
_BATCH = 200


def signature(secret: str, body: bytes, moment: int) -> str:
    """The value of the header Stripe-Signature."""
    signed = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={signed}"


class Background:
    """The task beside the server: does what is due and delivers events, a few at once."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.store, self.clock, self.settings = pipeline.store, pipeline.clock, pipeline.settings
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sandbox-delivery")
        self._flying: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self.pipeline.wake.clear()
                busy = self.do_due()
                self._start_deliveries()
                if busy:
                    await asyncio.sleep(0)
                    continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.pipeline.wake.wait(), self._pause())
        finally:
            for task in self._flying.values():
                task.cancel()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def do_due(self) -> bool:
        """Do what is due; True when there may be more."""
        moment = self.clock.precise()
        due = self.store.next_due()
        if due is None or due > moment:
            return False
        with self.store.transaction():
            done = later.do_due(self.store, self.clock, self.settings, _BATCH)
        return done == _BATCH

    def _start_deliveries(self) -> None:
        free = AT_ONCE - len(self._flying)
        if free <= 0:
            return
        rows = self.store.db.execute(
            "SELECT seq, event, endpoint, attempts FROM delivery WHERE state = 'pending' AND due <= ?"
            " ORDER BY due, seq LIMIT ?",
            (self.clock.precise(), free + len(self._flying)),
        ).fetchall()
        for seq, event_id, endpoint_id, attempts in rows:
            if seq in self._flying or len(self._flying) >= AT_ONCE:
                continue
            self._flying[seq] = asyncio.create_task(
                self._deliver(seq, event_id, endpoint_id, json.loads(attempts))
            )

    async def _deliver(self, seq: int, event_id: str, endpoint_id: str, attempts: list[Document]) -> None:
        try:
            endpoint = self.store.get("webhook_endpoint", endpoint_id)
            event = self.store.get("event", event_id)
            secret = self.store.note("signing", endpoint_id).get("secret", "")
            if endpoint is None or event is None:
                self._settle(seq, event_id, "failed", None, attempts)
                return
            body = json.dumps(event, indent=2).encode()
            loop = asyncio.get_running_loop()
            status, problem = await loop.run_in_executor(
                self._pool, post, endpoint["url"], body, secret, self.settings.webhook_timeout
            )
            attempts.append({"at": self.clock.now(), "status": status, "error": problem})
            if status is not None and 200 <= status < 300:
                self._settle(seq, event_id, "succeeded", None, attempts)
            elif len(attempts) > len(self.settings.webhook_retries):
                self._settle(seq, event_id, "failed", None, attempts)
            else:
                wait = self.settings.webhook_retries[len(attempts) - 1]
                self._settle(seq, event_id, "pending", self.clock.precise() + wait, attempts)
        finally:
            self._flying.pop(seq, None)
            self.pipeline.wake.set()

    def _settle(
        self, seq: int, event_id: str, state: str, due: float | None, attempts: list[Document]
    ) -> None:
        with self.store.transaction():
            self.store.db.execute(
                "UPDATE delivery SET state = ?, due = ?, attempts = ? WHERE seq = ?",
                (state, due, json.dumps(attempts), seq),
            )
            event = self.store.get("event", event_id)
            if state == "succeeded" and event and event["pending_webhooks"]:
                event["pending_webhooks"] -= 1
                self.store.replace(event)

    def _pause(self) -> float | None:
        """Seconds until something is due; None to wait for a request."""
        moments = [self.store.next_due()]
        if len(self._flying) < AT_ONCE:
            rows = self.store.db.execute(
                "SELECT seq, due FROM delivery WHERE state = 'pending' ORDER BY due LIMIT ?", (AT_ONCE,)
            )
            moments.append(next((due for seq, due in rows if seq not in self._flying), None))
        due = [moment for moment in moments if moment is not None]
        return max(0.01, min(due) - self.clock.precise()) if due else None


def post(url: str, body: bytes, secret: str, timeout: float) -> tuple[int | None, str | None]:
    """One attempt: the status the endpoint answered, or what went wrong. Redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (sandbox)",
        "Stripe-Signature": signature(secret, body, int(time.time())),
        "Connection": "close",
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status, None
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"[:200]
    finally:
        connection.close()


def deliveries(pipeline: Pipeline, event_id: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """What was, is and will be delivered, newest first."""
    columns = "SELECT seq, event, endpoint, state, due, attempts FROM delivery"
    if event_id:
        rows = pipeline.store.db.execute(f"{columns} WHERE event = ? ORDER BY seq DESC", (event_id,))
    else:
        rows = pipeline.store.db.execute(f"{columns} ORDER BY seq DESC LIMIT ?", (limit,))
    return [
        {
            "id": row[0],
            "event": row[1],
            "endpoint": row[2],
            "state": row[3],
            "next_attempt": row[4],
            "attempts": json.loads(row[5]),
        }
        for row in rows
    ]
