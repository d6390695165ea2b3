"""Requests and answers on the wire, also the broken ones: no answer, a reset, half a body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from . import forms

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# How an answer ends: as it should; never sent; connection reset before it; reset in the middle of the body.
COMPLETE, SILENT, RESET, HALF = "complete", "silent", "reset", "half"
LARGEST_BODY = 1_000_000


@dataclass
class Request:
    """One HTTP request, read to its end."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    origin: str

    def form(self) -> dict[str, Any]:
        """Parameters of query string and body, decoded as Stripe does."""
        parts = [self.query] if self.query else []
        if self.body:
            parts.append(self.body.decode("utf-8", "replace"))
        return forms.decode("&".join(parts))

    def fields(self) -> dict[str, str]:
        """A simple HTML form's fields."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}

    def json(self) -> Any:
        """The JSON body; {} when empty; ValueError when it is not JSON."""
        return json.loads(self.body) if self.body else {}


@dataclass
class Response:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    ending: str = COMPLETE


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    return Response(status, json.dumps(value, separators=(",", ":")).encode(), headers=headers or {})


def redirect(to: str) -> Response:
    """303: go and look there."""
    return Response(303, headers={"Location": to})


async def read(scope: Scope, receive: Receive) -> Request:
    """The whole request; at most a megabyte of body, the rest is dropped."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        if len(body) < LARGEST_BODY:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    host = headers.get("host") or "{}:{}".format(*(scope.get("server") or ("127.0.0.1", 80)))
    return Request(
        scope["method"],
        scope["path"],
        scope["query_string"].decode("latin-1"),
        headers,
        body,
        f"{scope.get('scheme', 'http')}://{host}",
    )


async def write(response: Response, receive: Receive, send: Send) -> None:
    """Send the answer the way it is to end."""
    if response.ending == SILENT:
        await _until_disconnect(receive)
        return
    if response.ending == RESET:
        await _reset(send)
        return
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        **response.headers,
    }
    wire = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": wire})
    if response.ending == HALF:
        await send(
            {
                "type": "http.response.body",
                "body": response.body[: len(response.body) // 2],
                "more_body": True,
            }
        )
        await asyncio.sleep(0.05)
        await _reset(send)
        return
    await send({"type": "http.response.body", "body": response.body})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reset(send: Send) -> None:
    """Drop the connection. ASGI has no word for it, so this reaches for uvicorn's transport behind `send`."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    await asyncio.sleep(0)  # lets uvicorn notice, or it complains that nothing was sent
