"""Running a sandbox: `serve` as a program of its own, `running` inside a test's process."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from .app import Sandbox
from .handle import Handle
from .settings import WEBHOOK_SECRET, Settings

LOOPBACK = "127.0.0.1"


def _config(sandbox: Sandbox, **more: Any) -> uvicorn.Config:
    # proxy_headers off: nothing may stand between uvicorn's `send` and us; asgi.py resets through it.
    return uvicorn.Config(
        sandbox,
        http="h11",
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
        **more,
    )


def serve(port: int, settings: Settings, state: str | None = None) -> None:
    """Serve on the loopback address until the process is told to stop."""
    uvicorn.Server(_config(Sandbox(settings, state), host=LOOPBACK, port=port)).run()


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
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    server = uvicorn.Server(_config(sandbox))
    thread = threading.Thread(target=server.run, args=([listener],), name="stripe-sandbox", daemon=True)
    thread.start()
    handle = Handle(f"http://{LOOPBACK}:{listener.getsockname()[1]}", webhook_secret)
    try:
        handle.wait_until_ready(thread.is_alive)
        yield handle
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
