"""Running a sandbox: `serve` as a program of its own, `running` inside a test's process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

from .app import Sandbox
from .connection import Connection
from .handle import Handle
from .settings import WEBHOOK_SECRET, Settings

LOOPBACK = "127.0.0.1"


def serve(port: int, settings: Settings, state: str | None = None) -> None:
    """Serve on the loopback address until the process is told to stop."""
    with _listening(port) as listener:
        asyncio.run(_until_told(Sandbox(settings, state), listener))


async def _until_told(sandbox: Sandbox, listener: socket.socket) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await _serve(sandbox, listener, stop)


async def _serve(sandbox: Sandbox, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answer until `stop` is set; then drop who is still connected."""
    connections: set[Connection] = set()
    host = "{}:{}".format(*listener.getsockname())
    background = asyncio.create_task(sandbox.live())
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(sandbox.answer, host, connections), sock=listener
    )
    try:
        await stop.wait()
    finally:
        server.close()
        for connection in list(connections):
            connection.close()
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)


def _listening(port: int) -> socket.socket:
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    return listener


@contextlib.contextmanager
def running(
    port: int = 0,
    state: str | None = None,
    webhook_url: str | None = None,
    webhook_secret: str = WEBHOOK_SECRET,
    **settings: Any,
) -> Iterator[Handle]:
    """A sandbox in a thread of this process, on a free port when `port` is 0; yields the Handle to it.

    `settings` are fields of Settings, for instance webhook_retries=(0.1,) or settle_after=60.
    """
    sandbox = Sandbox(
        Settings(webhook_url=webhook_url, webhook_secret=webhook_secret, **settings),
        str(state) if state else None,
    )
    listener = _listening(port)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_serve(sandbox, listener, stop))

    thread = threading.Thread(target=run, name="stripe-sandbox", daemon=True)
    thread.start()
    handle = Handle(f"http://{LOOPBACK}:{listener.getsockname()[1]}", webhook_secret)
    try:
        handle.wait_until_ready(thread.is_alive)
        yield handle
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        listener.close()
