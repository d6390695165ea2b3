"""Telling endpoints what happened: signed, retried, and everything else that is due later.

Stripe signs `<t>.<body>` with HMAC-SHA256 (docs.stripe.com/webhooks#verify-manually), anew for every attempt.
The time in a signature is the machine's unless the settings say the sandbox's: it must be the receiver's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import http.client
import json
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from . import chaos, later
from .pipeline import Pipeline
from .storage import Document, Store

AT_ONCE = 4
_BATCH = 200
_GATHER = 0.004
# Due and not waiting for another one's first attempt (chaos.py puts deliveries into a new order that way).
_READY = """
SELECT d.seq, d.event, d.endpoint, d.attempts FROM delivery d LEFT JOIN delivery_plan p ON p.seq = d.seq
WHERE d.state = 'pending' AND d.due <= ? AND NOT EXISTS (
    SELECT 1 FROM delivery b
    WHERE b.seq = p.after AND b.state = 'pending' AND b.attempts = '[]' AND b.due <= ?)
ORDER BY d.due, d.seq LIMIT ?
"""
# Counted anew each time: an endpoint that has the event already may be sent it again, doubled or by hand.
_NOT_REACHED = """
SELECT count(DISTINCT endpoint) FROM delivery WHERE event = ? AND endpoint NOT IN (
    SELECT endpoint FROM delivery WHERE event = ? AND state = 'succeeded')
"""

STALE = 600


def signature(secrets: Sequence[str], body: bytes, moment: int) -> str:
    """The value of the header Stripe-Signature: one v1 for each secret in force, and the v0 of test mode."""
    signed = f"{moment}.".encode() + body
    parts = [f"v1={hmac.new(each.encode(), signed, hashlib.sha256).hexdigest()}" for each in secrets]
    return ",".join([f"t={moment}", *parts, f"v0={hashlib.sha256(signed).hexdigest()}"])


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
                self.store.soonest = math.inf
                busy = self.do_due()
                self._start_deliveries()
                if busy:
                    await asyncio.sleep(0)
                    continue
                with contextlib.suppress(TimeoutError):
                    # Not wait_for, which loses the order to stop when it comes together with the awaited.
                    pause = self._pause()
                    self.pipeline.looks_again = math.inf if pause is None else self.clock.precise() + pause
                    async with asyncio.timeout(pause):
                        await self.pipeline.wake.wait()
                    # Many requests at once are looked through together.
                    await asyncio.sleep(_GATHER)
        finally:
            for task in self._flying.values():
                task.cancel()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def do_due(self) -> bool:
        """Do what is due; True when there may be more."""
        due = self.store.next_due()
        if due is None or due > self.clock.precise():
            return False
        with self.store.transaction():
            return later.do_due(self.store, self.clock, self.settings, _BATCH) == _BATCH

    def _start_deliveries(self) -> None:
        free = AT_ONCE - len(self._flying)
        if free <= 0:
            return
        moment = self.clock.precise()
        rows = self.store.db.execute(_READY, (moment, moment, free + len(self._flying))).fetchall()
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
            # As at Stripe: one that is switched off when its turn comes is not told of this event later.
            if endpoint is None or event is None or endpoint["status"] != "enabled":
                self._settle(seq, event_id, "failed", None, attempts)
                return
            body = json.dumps(event, indent=2).encode()
            header, flaw = self._signed(seq, endpoint_id, body, len(attempts))
            loop = asyncio.get_running_loop()
            status, problem = await loop.run_in_executor(
                self._pool, post, endpoint["url"], body, header, self.settings.webhook_timeout
            )
            attempts.append({"at": self.clock.now(), "status": status, "error": problem, "flaw": flaw})
            if status is not None and 200 <= status < 300:
                self._settle(seq, event_id, "succeeded", None, attempts)
            elif len(attempts) > len(self.settings.webhook_retries):
                self._settle(seq, event_id, "failed", None, attempts)
            else:
                due = self.clock.precise() + self.settings.webhook_retries[len(attempts) - 1]
                self._settle(seq, event_id, "pending", due, attempts)
        finally:
            self._flying.pop(seq, None)
            self.pipeline.landed(seq)
            self.pipeline.wake.set()

    def _signed(self, seq: int, endpoint_id: str, body: bytes, attempt: int) -> tuple[str, str | None]:
        """The signature of one attempt, and what chaos made wrong with it."""
        row = self.store.db.execute("SELECT wrong, stale FROM delivery_plan WHERE seq = ?", (seq,)).fetchone()
        wrong, stale = row or (0, 0)
        moment = int(self.clock.precise() if self.settings.sign_by_sandbox_clock else time.time())
        if attempt < wrong:
            return signature(["whsec_of_somebody_else"], body, moment), "wrong_signature"
        secrets = signing_secrets(self.store, endpoint_id, self.clock.precise())
        if attempt < wrong + stale:
            return signature(secrets, body, moment - STALE), "stale"
        return signature(secrets, body, moment), None

    def _settle(
        self, seq: int, event_id: str, state: str, due: float | None, attempts: list[Document]
    ) -> None:
        with self.store.transaction():
            # Not by its number alone: after a reset that may be another event's.
            settled = self.store.db.execute(
                "UPDATE delivery SET state = ?, due = ?, attempts = ? WHERE seq = ? AND event = ?"
                " RETURNING endpoint",
                (state, due, json.dumps(attempts), seq, event_id),
            ).fetchone()
            if state != "succeeded" or settled is None:
                return
            # What was lost on the way to this endpoint before has now arrived.
            self.store.db.execute(
                "UPDATE delivery SET state = 'made_good' WHERE event = ? AND endpoint = ?"
                " AND state IN ('failed', 'dropped')",
                (event_id, settled[0]),
            )
            event = self.store.get("event", event_id)
            waiting_for = self.store.db.execute(_NOT_REACHED, (event_id, event_id)).fetchone()[0]
            if event and event["pending_webhooks"] != waiting_for:
                event["pending_webhooks"] = waiting_for
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


def post(url: str, body: bytes, signed: str, timeout: float) -> tuple[int | None, str | None]:
    """One attempt: the status the endpoint answered, or what went wrong. Redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (sandbox)",
        "Stripe-Signature": signed,
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


def signing_secrets(store: Store, endpoint_id: str, moment: float) -> list[str]:
    """The secrets that sign for an endpoint now: its own, and the one before it while that is kept."""
    note = store.note("signing", endpoint_id)
    old = note.get("old")
    return [note.get("secret", ""), *([old["secret"]] if old and moment < old["until"] else [])]


def switch(pipeline: Pipeline, method: str, parts: list[str], given: Any) -> Any:
    """/_sandbox/webhooks: how many deliveries wait, the chaos they meet, a new signing secret."""
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    store = pipeline.store
    match (method, parts):
        case ("GET", []):
            return waiting(pipeline)
        case ("GET", ["chaos"]):
            return chaos.rules(store)
        case ("POST", ["chaos"]):
            with store.transaction():
                return chaos.add(store, given)
        case ("DELETE", ["chaos"]):
            with store.transaction():
                chaos.clear(store)
            return []
        case ("POST", ["roll"]):
            with store.transaction():
                return roll(pipeline, given)
    raise LookupError(f"there is no {method} /_sandbox/webhooks/{'/'.join(parts)}")


def waiting(pipeline: Pipeline) -> Document:
    """Deliveries that are `pending`, those of them that are `due` now, and when the `next` one is."""
    moment = pipeline.clock.precise()
    pending, due, following = pipeline.store.db.execute(
        "SELECT count(*), count(CASE WHEN due <= ? THEN 1 END), min(due) FROM delivery"
        " WHERE state = 'pending'",
        (moment,),
    ).fetchone()
    return {"now": moment, "pending": pending, "due": due, "next": following}


def roll(pipeline: Pipeline, given: dict[str, Any]) -> Document:
    """Give `endpoint` (may be left out when there is one) a new `secret`; the old signs too for `keep` s."""
    endpoints = pipeline.store.select("webhook_endpoint", [], limit=16)
    chosen = [each["id"] for each in endpoints if given.get("endpoint") in (None, each["id"])]
    if len(chosen) != 1:
        raise ValueError(
            f"say which endpoint: {', '.join(each['id'] for each in endpoints) or 'there is none'}"
        )
    secret, keep = given.get("secret"), given.get("keep", 86400)
    if not isinstance(secret, str) or not secret.startswith("whsec_"):
        raise ValueError("secret must begin with whsec_")
    if not isinstance(keep, (int, float)) or keep < 0:
        raise ValueError("keep must be seconds, 0 or more")
    old = pipeline.store.note("signing", chosen[0]).get("secret", "")
    until = pipeline.clock.precise() + keep
    pipeline.store.write_note(
        "signing", chosen[0], {"secret": secret, "old": {"secret": old, "until": until}}
    )
    return {"endpoint": chosen[0], "old_until": int(until)}
