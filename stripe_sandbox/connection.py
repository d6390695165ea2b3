"""HTTP/1.1 on one connection: requests read, answers written the way they are to end.

Written here and not taken from a server library for two reasons: an answer must be able to end badly (never,
with a reset, in the middle of its body), and half of a payment's time went into general machinery.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote

from .messages import HALF, LARGEST_BODY, RESET, SILENT, Request, Response

Answer = Callable[[Request], Awaitable[Response]]
_LONGEST_HEAD = 64 * 1024
_WORDS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class NotHttp(Exception):
    """The bytes are no request this server reads."""


class Connection(asyncio.Protocol):
    """Answers one connection's requests, one after another."""

    def __init__(self, answer: Answer, host: str, open_ones: set[Connection]) -> None:
        self._answer, self._host, self._open = answer, host, open_ones
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio. What is being executed goes on, as at Stripe: only its answer finds nobody."""
        self._lost.set()
        self._open.discard(self)

    def data_received(self, data: bytes) -> None:
        """asyncio."""
        self._buffer += data
        if self._task is None:
            self._next()

    def eof_received(self) -> bool:
        """asyncio. Who has said everything may still be listening."""
        return self._task is not None

    def close(self) -> None:
        """Drop the connection."""
        if self._transport:
            self._transport.abort()

    def _next(self) -> None:
        assert self._transport is not None
        try:
            found = parse(self._buffer, self._host)
        except NotHttp as error:
            body = f"{error}\n".encode()
            self._transport.write(_head(Response(400, body, "text/plain; charset=utf-8"), keep=False) + body)
            self._transport.close()
            return
        if found is None:
            if self._buffer.partition(b"\r\n\r\n")[0].lower().endswith(b"expect: 100-continue"):
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        request, self._buffer = found
        self._task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        try:
            response = await self._answer(request)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            response = Response(500, b"The sandbox failed; its standard error says where.\n", "text/plain")
        await self._write(request, response)
        self._task = None
        if self._buffer and not self._lost.is_set():
            self._next()

    async def _write(self, request: Request, response: Response) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if response.ending == SILENT:
            await self._lost.wait()
            return
        if response.ending == RESET:
            transport.abort()
            return
        keep = request.headers.get("connection", "").lower() != "close"
        head = _head(response, keep=keep)
        if response.ending == HALF:
            transport.write(head + response.body[: len(response.body) // 2])
            await asyncio.sleep(0.05)
            transport.abort()
            return
        transport.write(head if request.method == "HEAD" else head + response.body)
        if not keep:
            transport.close()


def _head(response: Response, *, keep: bool) -> bytes:
    lines = [
        _WORDS[response.status],
        f"content-type: {response.content_type}\r\ncontent-length: {len(response.body)}\r\n",
        *(f"{name.lower()}: {value}\r\n" for name, value in response.headers.items()),
        "\r\n" if keep else "connection: close\r\n\r\n",
    ]
    return "".join(lines).encode("latin-1", "replace")


def parse(buffer: bytes, host: str) -> tuple[Request, bytes] | None:
    """The first request in `buffer` and what follows it; None while it is not whole. Raises NotHttp."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > _LONGEST_HEAD:
            raise NotHttp("The head of this request is too long.")
        return None
    first, *rest = buffer[:end].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise NotHttp("This is not HTTP/1.1.")
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon:
            raise NotHttp("A header has no colon.")
        headers[name.strip().lower()] = value.strip()
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    read = _chunked if "transfer-encoding" in headers else _counted
    whole = read(buffer, end + 4, headers)
    if whole is None:
        return None
    body, rest_at = whole
    path, _, query = words[1].partition("?")
    origin = f"http://{headers.get('host') or host}"
    return Request(words[0], unquote(path), query, headers, body, origin), buffer[rest_at:]


def _counted(buffer: bytes, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    """A body of so many bytes, and where it ends."""
    text = headers.get("content-length", "0")
    if not text.isdigit():
        raise NotHttp("Content-Length is not a number.")
    if int(text) > LARGEST_BODY:
        raise NotHttp("The body is too large.")
    stop = start + int(text)
    return (buffer[start:stop], stop) if len(buffer) >= stop else None


def _chunked(buffer: bytes, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    """A body in chunks, and where it ends (after its trailers)."""
    body = b""
    while True:
        line_end = buffer.find(b"\r\n", start)
        if line_end < 0:
            return None
        try:
            size = int(buffer[start:line_end].partition(b";")[0], 16)
        except ValueError:
            raise NotHttp("A chunk has no size.") from None
        if size < 0 or len(body) + size > LARGEST_BODY:
            raise NotHttp("The body is too large.")
        if size == 0:
            end = buffer.find(b"\r\n\r\n", line_end)
            return None if end < 0 else (body, end + 4)
        start = line_end + 2 + size + 2
        if len(buffer) < start:
            return None
        body += buffer[line_end + 2 : start - 2]
