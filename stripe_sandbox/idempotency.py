"""Idempotency-Key: one execution per key, its answer kept a day (docs.stripe.com/api/idempotent_requests)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .errors import ApiError
from .storage import Store

KEPT = 24 * 3600
LONGEST_KEY = 255
# Now and then an answer that is kept takes forgotten ones with it, so the table cannot grow for ever.
_PURGED_EVERY = 16
_PURGED_AT_ONCE = 320


@dataclass(frozen=True)
class Kept:
    """An answer kept under a key."""

    status: int
    body: str
    request_id: str


class Keys:
    """The keys in use and the answers kept. Keys belong to the whole account; only POST has them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: set[str] = set()
        self._kept = 0

    def begin(self, key: str, fingerprint: str, now: int) -> Kept | None:
        """Claim `key`: its kept answer if there is one; 409 while in use; 400 if used for another request."""
        if len(key) > LONGEST_KEY:
            raise ApiError(
                400,
                "invalid_request_error",
                f"Idempotency keys can be at most {LONGEST_KEY} characters long.",
            )
        if key in self._running:
            raise ApiError(
                409,
                "invalid_request_error",
                "There is currently another in-progress request using this Idempotency Key (that "
                "probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try "
                "again later.",
                code="idempotency_key_in_use",
            )
        row = self._store.db.execute(
            "SELECT created, fingerprint, status, body, request FROM idempotency WHERE key = ?", (key,)
        ).fetchone()
        if row and now - row[0] < KEPT:
            if row[1] != fingerprint:
                raise ApiError(
                    400,
                    "idempotency_error",
                    "Keys for idempotent requests can only be used with the same parameters they "
                    "were first used "
                    f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                )
            return Kept(row[2], row[3], row[4])
        self._running.add(key)
        return None

    def keep(self, key: str, fingerprint: str, now: int, answer: Kept) -> None:
        """Write the answer down; call it inside the transaction that did the work."""
        self._store.db.execute(
            "INSERT OR REPLACE INTO idempotency (key, created, fingerprint, status, body, request)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (key, now, fingerprint, answer.status, answer.body, answer.request_id),
        )
        self._kept += 1
        if self._kept % _PURGED_EVERY:
            return
        self._store.db.execute(
            "DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE created <= ? LIMIT ?)",
            (now - KEPT, _PURGED_AT_ONCE),
        )

    def end(self, key: str) -> None:
        """The request that claimed `key` is over."""
        self._running.discard(key)


def fingerprint_of(method: str, path: str, params: dict[str, Any]) -> str:
    """The same text for the same request, whatever the order of its parameters."""
    text = json.dumps([method, path, params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
