"""A small HTTP server that receives webhooks and answers what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import stripe


class Receiver:
    """Keeps (signature, body) of everything it is sent; `answers` are the next statuses, then 200.

    Whatever `verify` refuses with an exception is answered with 400.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.answers: list[int] = []
        self.verify: Callable[[str, bytes], object] = lambda signature, body: None
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    outer.received.append((self.headers["Stripe-Signature"], body))
                    status = outer.answers.pop(0) if outer.answers else 200
                try:
                    outer.verify(self.headers["Stripe-Signature"], body)
                except stripe.SignatureVerificationError:
                    status = 400
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
