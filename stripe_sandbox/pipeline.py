"""The way of every /v1 request: key, decoding, validation, faults, idempotency, execution with its events."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import sys
import traceback
from collections import deque
from typing import Any

from . import expansion, faults
from .clock import Clock
from .context import Context
from .endpoint import Endpoint, Router
from .errors import ApiError, server_error, unauthorized
from .faults import Faults
from .idempotency import Kept, Keys, fingerprint_of
from .ids import random_text
from .messages import Request, Response
from .resources import (
    account,
    balance_transactions,
    charges,
    customers,
    disputes,
    early_fraud_warnings,
    events,
    mandates,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    setup_intents,
    webhook_endpoints,
)
from .schema import read_params
from .settings import API_VERSION, Settings
from .storage import Store

_MODULES = (
    account,
    balance_transactions,
    charges,
    customers,
    disputes,
    early_fraud_warnings,
    events,
    mandates,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    setup_intents,
    webhook_endpoints,
)
# Made once: json.dumps makes an encoder for every call that asks for separators.
_ENCODED = json.JSONEncoder(separators=(",", ":")).encode
_SECRETS = {"number", "cvc", "client_secret", "key"}
_FOREIGN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Request-Id"}


class Pipeline:
    """Answers the API's requests, one at a time, each in one transaction."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self.store, self.clock, self.settings = store, clock, settings
        self.faults = Faults(store)
        self.keys = Keys(store)
        self.log: deque[dict[str, Any]] = deque(maxlen=1000)
        self.router = Router([endpoint for module in _MODULES for endpoint in module.ENDPOINTS])
        # Work that is due: when `Background` looks for it again by itself, and the order to look now.
        self.looks_again = math.inf
        self.wake = asyncio.Event()
        self._awaited: dict[int, asyncio.Event] = {}

    def landed(self, delivery: int) -> None:
        """A delivery was attempted: an answer may be waiting for it."""
        if delivery in self._awaited:
            self._awaited[delivery].set()

    async def _wait_for(self, early: list[int]) -> None:
        """Until deliveries that chaos wants before the answer were attempted once."""
        self._awaited.update((seq, asyncio.Event()) for seq in early)
        self.wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.webhook_timeout):
                for seq in early:
                    await self._awaited[seq].wait()
        for seq in early:
            del self._awaited[seq]

    async def answer(self, request: Request) -> Response:
        """The answer to a /v1 request."""
        request_id = f"req_{random_text(14)}"
        # An empty header is no key: else everybody who sends one would share it.
        key = request.headers.get("idempotency-key") or None
        entry: dict[str, Any] = {
            "id": request_id,
            "at": self.clock.now(),
            "method": request.method,
            "path": request.path,
            "idempotency_key": key,
            "status": None,
            "fault": None,
            "params": {},
            "replayed": False,
        }
        self.log.append(entry)
        try:
            response = await self._answer(request, request_id, entry)
        except ApiError as error:
            response = _answer_of(error.status, json.dumps(error.body(request_id)), error.headers)
        entry["status"] = response.status if response.ending == "complete" else response.ending
        response.headers.update(
            {
                "Request-Id": request_id,
                "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
                **_FOREIGN,
            }
        )
        if key is not None:
            response.headers["Idempotency-Key"] = key
        return response

    async def _answer(self, request: Request, request_id: str, entry: dict[str, Any]) -> Response:
        params = request.form()
        publishable = _check_key(request, params)
        found = self.router.find(request.method, request.path)
        if found is None:
            raise ApiError(
                404,
                "invalid_request_error",
                f"Unrecognized request URL ({request.method}: {request.path}). Please see "
                "https://stripe.com/docs or we can help at https://support.stripe.com/.",
            )
        endpoint, path = found
        if publishable and not endpoint.publishable:
            raise ApiError(
                403,
                "invalid_request_error",
                "This API call cannot be made with a publishable API key. Please use a secret API key.",
                code="secret_key_required",
            )
        entry["params"] = _masked(params)
        given = read_params(endpoint.params, params)
        fault = self.faults.take(request.method, request.path)
        if fault:
            entry["fault"] = fault["action"]
        instead = await faults.before(fault)
        if instead:
            return instead
        key = entry["idempotency_key"] if request.method == "POST" else None
        context = Context(
            store=self.store,
            clock=self.clock,
            settings=self.settings,
            params=given,
            path=path,
            publishable=publishable,
            request_id=request_id,
            idempotency_key=key,
            origin=request.origin,
        )
        context.muted = bool(fault and fault["action"] == "no_webhooks")
        if key is None:
            response = await self._execute(endpoint, context, fault, None, "")
        else:
            fingerprint = fingerprint_of(request.method, request.path, params)
            kept = self.keys.begin(key, fingerprint, context.now)
            if kept:
                entry["replayed"] = True
                headers = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
                return faults.after(fault, _answer_of(kept.status, kept.body, headers))
            try:
                response = await self._execute(endpoint, context, fault, key, fingerprint)
            finally:
                self.keys.end(key)
        return faults.after(fault, response)

    async def _execute(
        self,
        endpoint: Endpoint,
        context: Context,
        fault: dict[str, Any] | None,
        key: str | None,
        fingerprint: str,
    ) -> Response:
        # Lets a second request with the same key arrive while this one is in flight, as over a real network.
        await asyncio.sleep(self.settings.latency)
        context.now = self.clock.now()
        try:
            await faults.inside(fault)
        except ApiError as error:
            status, body, headers = (
                error.status,
                json.dumps(error.body(context.request_id or "")),
                error.headers,
            )
            with self.store.transaction():
                self._keep(context, key, fingerprint, status, body)
            return _answer_of(status, body, headers)
        try:
            with self.store.transaction():
                status, body = self._broken(fault, context, *self._run(endpoint, context))
                self._keep(context, key, fingerprint, status, body)
        except ApiError as error:
            if not error.kept:
                raise
            # What was begun is undone; the answer itself is kept all the same.
            body = json.dumps(error.body(context.request_id or ""))
            status, body = self._broken(fault, context, error.status, body)
            with self.store.transaction():
                self._keep(context, key, fingerprint, status, body)
        if self.store.soonest < self.looks_again:
            self.wake.set()
        if context.early:
            await self._wait_for(context.early)
        return _answer_of(status, body, {})

    def _run(self, endpoint: Endpoint, context: Context) -> tuple[int, str]:
        try:
            made = endpoint.handler(context)
            if context.params.get("expand"):
                made = expansion.expand(self.store, made, context.params["expand"], context.now)
            return 200, _ENCODED(made)
        except ApiError as error:
            if not error.keep_changes:
                raise
            return error.status, json.dumps(error.body(context.request_id or ""))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            raise server_error("The sandbox failed; its log on standard error says where.") from None

    def _broken(
        self, fault: dict[str, Any] | None, context: Context, status: int, body: str
    ) -> tuple[int, str]:
        """The answer, or the 500 that a fault puts in its place, whatever it was."""
        if not fault or fault["action"] != "500_after":
            return status, body
        broken = server_error()
        return broken.status, json.dumps(broken.body(context.request_id or ""))

    def _keep(self, context: Context, key: str | None, fingerprint: str, status: int, body: str) -> None:
        if key is not None:
            self.keys.keep(key, fingerprint, context.now, Kept(status, body, context.request_id or ""))


def _answer_of(status: int, body: str, headers: dict[str, str]) -> Response:
    return Response(status, body.encode(), headers=dict(headers))


def _check_key(request: Request, params: dict[str, Any]) -> bool:
    """Whether the key is a browser's; 401 for none, a live one or anything else."""
    header = request.headers.get("authorization", "")
    kind, _, rest = header.partition(" ")
    key = rest.strip()
    if kind.lower() == "basic":
        try:
            key = base64.b64decode(rest).decode().partition(":")[0]
        except ValueError:
            key = ""
    if not key and isinstance(params.get("key"), str):
        key = params["key"]
    if not key:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if key.startswith(("sk_live_", "pk_live_", "rk_live_")):
        raise unauthorized(
            "This is a sandbox without real money: it refuses live keys. Use a key that begins with "
            "sk_test_ or pk_test_."
        )
    if key.startswith(("sk_test_", "rk_test_")):
        return False
    if key.startswith("pk_test_"):
        return True
    raise unauthorized(f"Invalid API Key provided: {key[:8]}{'*' * 8}")


def _masked(params: Any) -> Any:
    """Parameters for the log, without card numbers and secrets."""
    if isinstance(params, dict):
        return {
            name: "(not logged)" if name in _SECRETS else _masked(value) for name, value in params.items()
        }
    if isinstance(params, list):
        return [_masked(value) for value in params]
    return params
