"""HTTP/1.1 on one connection: answers written the way they are to end.

No server library: an answer must be able to end badly (never, with a reset, in the middle of its body), for
which they have no words. Requests are read by httptools (`reading`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from .messages import HALF, RESET, SILENT, Request, Response
from .reading import NotHttp, Reader

Answer = Callable[[Request], Awaitable[Response]]
# A reset throws away what has not left yet, and half a body is to arrive before it.
_HALF_FIRST = 0.05
# Whoever closes so says RST and not FIN (SO_LINGER with no time to linger).
_AT_ONCE = struct.pack("ii", 1, 0)
_WORDS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


class Connection(asyncio.Protocol):
    """Answers one connection's requests, one after another."""

    def __init__(self, answer: Answer, host: str, open_ones: set[Connection]) -> None:
        self._answer, self._open = answer, open_ones
        self._reader = Reader(host)
        self._waiting: deque[Request] = deque()
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
        assert self._transport is not None
        try:
            self._waiting.extend(self._reader.feed(data))
        except NotHttp as error:
            body = f"{error}\n".encode()
            self._transport.write(_head(Response(400, body, "text/plain; charset=utf-8"), keep=False) + body)
            self._transport.close()
            return
        if self._reader.wants_to_be_asked():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._next()

    def eof_received(self) -> bool:
        """asyncio. Who has said everything may still be listening."""
        return self._task is not None

    def close(self) -> None:
        """Drop the connection."""
        if self._transport:
            self._transport.abort()

    def _next(self) -> None:
        if self._task is None and self._waiting and not self._lost.is_set():
            request = self._waiting.popleft()
            self._task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        try:
            response = await self._answer(request)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            response = Response(500, b"The sandbox failed; its standard error says where.\n", "text/plain")
        await self._write(request, response)
        self._task = None
        self._next()

    async def _write(self, request: Request, response: Response) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if response.ending == SILENT:
            await self._lost.wait()
            return
        if response.ending == RESET:
            _reset(transport)
            return
        keep = request.keep_alive
        head = _head(response, keep=keep)
        if response.ending == HALF:
            transport.write(head + response.body[: len(response.body) // 2])
            await asyncio.sleep(_HALF_FIRST)
            _reset(transport)
            return
        transport.write(head if request.method == "HEAD" else head + response.body)
        if not keep:
            transport.close()


def _reset(transport: asyncio.Transport) -> None:
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


def _head(response: Response, *, keep: bool) -> bytes:
    lines = [
        _WORDS[response.status],
        f"content-type: {response.content_type}\r\ncontent-length: {len(response.body)}\r\n",
        *(f"{name.lower()}: {value}\r\n" for name, value in response.headers.items()),
        "\r\n" if keep else "connection: close\r\n\r\n",
    ]
    return "".join(lines).encode("latin-1", "replace")
