"""Faults on request: the next N requests that match meet a network or a Stripe that misbehaves."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from .errors import ApiError, server_error
from .messages import HALF, RESET, SILENT, Response, json_response
from .storage import Document, Store

# Before the request is looked at, inside (after the idempotency key was claimed), and after it was executed.
BEFORE = ("slow_before", "timeout_before", "reset_before", "429", "lock_timeout", "409", "503", "html")
INSIDE = ("slow", "500_before")
AFTER = ("timeout_after", "reset_after", "reset_mid_body", "500_after", "no_webhooks")
ACTIONS = BEFORE + INSIDE + AFTER


class Faults:
    """The faults waiting to happen; written down, so that they survive a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, Document] = dict(store.notes("fault"))

    def add(self, given: dict[str, Any]) -> Document:
        """Plan a fault: an `action`, for requests that match `path` (regular expression) and `method`.

        It happens `times` times (1) after `after` matching requests went through (0); `seconds` is for
        slow and slow_before, `should_retry` for 429. ValueError when it makes no sense.
        """
        known = {"action", "path", "method", "times", "after", "seconds", "should_retry"}
        if unknown := given.keys() - known:
            raise ValueError(f"a fault has no {sorted(unknown)}; it has {sorted(known)}")
        if given.get("action") not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}")
        fault: Document = {"path": ".*", "method": None, "times": 1, "after": 0, "seconds": 1, **given}
        try:
            re.compile(fault["path"])
        except (re.error, TypeError) as error:
            raise ValueError(f"path is not a regular expression: {error}") from None
        for name in ("times", "after"):
            if not isinstance(fault[name], int) or isinstance(fault[name], bool) or fault[name] < 0:
                raise ValueError(f"{name} must be a whole number, 0 or more")
        if not isinstance(fault["seconds"], (int, float)) or fault["seconds"] < 0:
            raise ValueError("seconds must be a number, 0 or more")
        # Numbered, so that after a restart they wait in the same order.
        numbers = [int(each[6:]) for each in self._waiting if each[6:].isdigit()]
        fault["id"] = f"fault_{max(numbers, default=0) + 1:06d}"
        self._waiting[fault["id"]] = fault
        self._store.write_note("fault", fault["id"], fault)
        return fault

    def all(self) -> list[Document]:
        """Every fault still to happen."""
        return list(self._waiting.values())

    def clear(self) -> None:
        """Plan none."""
        for fault_id in list(self._waiting):
            self._store.drop_note("fault", fault_id)
        self._waiting.clear()

    def take(self, method: str, path: str) -> Document | None:
        """The fault that this request meets, used up by one."""
        for fault in self._waiting.values():
            if fault["method"] not in (None, method) or not re.search(fault["path"], path):
                continue
            if fault["after"] > 0:
                fault["after"] -= 1
                self._store.write_note("fault", fault["id"], fault)
                continue
            fault["times"] -= 1
            if fault["times"] <= 0:
                del self._waiting[fault["id"]]
                self._store.drop_note("fault", fault["id"])
            else:
                self._store.write_note("fault", fault["id"], fault)
            return fault
        return None


async def before(fault: Document | None) -> Response | None:
    """What happens instead of looking at the request: an answer, or an ApiError raised; None to go on."""
    action = fault["action"] if fault else None
    if fault and action == "slow_before":
        await asyncio.sleep(fault["seconds"])
    if action == "timeout_before":
        return Response(ending=SILENT)
    if action == "reset_before":
        return Response(ending=RESET)
    if action == "html":
        return Response(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")
    if action == "429":
        retry = (fault or {}).get("should_retry")
        headers = {} if retry is None else {"Stripe-Should-Retry": "true" if retry else "false"}
        raise ApiError(
            429,
            "invalid_request_error",
            "Too many requests in a period of time.",
            code="rate_limit",
            headers=headers,
        )
    if action == "lock_timeout":
        raise ApiError(
            429,
            "invalid_request_error",
            "This object cannot be accessed right now because another API request or "
            "Stripe process is currently accessing it. If you see this error intermittently, retry "
            "the request.",
            code="lock_timeout",
            headers={"Stripe-Should-Retry": "true"},
        )
    if action == "409":
        raise ApiError(
            409,
            "invalid_request_error",
            "There is currently another in-progress request using this Idempotency Key.",
            code="idempotency_key_in_use",
        )
    if action == "503":
        return json_response({"error": {"type": "api_error", "message": "Service unavailable"}}, 503)
    return None


async def inside(fault: Document | None) -> None:
    """What happens between claiming the key and executing."""
    if fault and fault["action"] == "slow":
        await asyncio.sleep(fault["seconds"])
    if fault and fault["action"] == "500_before":
        raise server_error()


def after(fault: Document | None, response: Response) -> Response:
    """What becomes of the answer."""
    endings = {"timeout_after": SILENT, "reset_after": RESET, "reset_mid_body": HALF}
    if fault and fault["action"] in endings:
        response.ending = endings[fault["action"]]
    return response
