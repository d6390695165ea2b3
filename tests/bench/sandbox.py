"""How many payments the sandbox makes and confirms in a second, over HTTP, alone in its process.

The beginning is compared with the end of many payments (BENCH_PAYMENTS, 100000 for what is promised), by
the clock on the wall and by the processor's seconds of the sandbox, which other programs disturb less.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

PAYMENTS = int(os.environ.get("BENCH_PAYMENTS", "10000"))
_SHARES = 10
_PER_CUSTOMER = 100
_WARMING = 1000
_LENGTH = re.compile(rb"content-length: (\d+)")
ROOT = Path(__file__).resolve().parents[2]


class _Sandbox:
    """A sandbox in a process of its own, and one kept connection to it.

    The connection is a bare socket: http.client takes as much of the processors as the sandbox itself.
    """

    def __init__(self, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = [sys.executable, "-m", "stripe_sandbox", "--port", str(port), *flags]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
        self._number = 0
        self._socket = self._connected(port)

    def __enter__(self) -> _Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self.process.terminate()
        self.process.wait(60)

    def _connected(self, port: int) -> socket.socket:
        for _ in range(400):
            try:
                made = socket.create_connection(("127.0.0.1", port), timeout=60)
            except OSError:
                time.sleep(0.05)
            else:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return made
        raise RuntimeError("the sandbox did not start")

    def post(self, path: str, **params: Any) -> Any:
        """One POST under a key of its own."""
        self._number += 1
        body = urlencode(params).encode()
        head = (
            f"POST /v1/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer sk_test_bench\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Idempotency-Key: bench-{self._number}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        answered, answer = self._answer()
        found = json.loads(answer)
        assert answered.startswith(b"HTTP/1.1 200 "), found
        return found

    def _answer(self) -> tuple[bytes, bytes]:
        """The head and the body of the next answer."""
        head, end, body = b"", b"", b""
        while not end:
            head += self._received()
            head, end, body = head.partition(b"\r\n\r\n")
        length = int(_LENGTH.findall(head)[0])
        while len(body) < length:
            body += self._received()
        return head, body

    def _received(self) -> bytes:
        data = self._socket.recv(65536)
        assert data, "the sandbox closed the connection"
        return data

    def processor(self) -> float:
        """The processor's seconds the sandbox has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pay(self, number: int) -> None:
        """So many payments: made in one request, confirmed with a saved card in another."""
        card = ""
        for at in range(number):
            if at % _PER_CUSTOMER == 0:
                customer = self.post("customers", name="Bench")["id"]
                card = self.post("payment_methods/pm_card_visa/attach", customer=customer)["id"]
            intent = self.post(
                "payment_intents",
                amount=5000,
                currency="usd",
                customer=customer,
                **{"allowed_payment_method_types[]": "card"},
            )
            paid = self.post(
                f"payment_intents/{intent['id']}/confirm", payment_method=card, off_session="true"
            )
            assert paid["status"] == "succeeded"


def measure_sandbox() -> None:
    """Print what a payment takes the sandbox in memory and with a file, in the first and the last tenth."""
    for what, with_file in (("memory", False), ("file", True)):
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="callbill-bench-"))
            flags = ("--state", f"{folder}/state.sqlite3") if with_file else ()
            sandbox = stack.enter_context(_Sandbox(*flags))
            # Payments settle after two seconds: the first tenth is measured with that going on.
            sandbox.pay(_WARMING)
            taken = [_taken(sandbox, PAYMENTS // _SHARES) for _ in range(_SHARES)]
        first, last = taken[0], taken[-1]
        print(f"sandbox, {what}, {PAYMENTS:,} payments, create and confirm, one client")
        for name, each in (("first tenth", first), ("last tenth", last)):
            print(
                f"  {name:<12} {1 / each.wall:6.0f} /s; its processor {each.processor * 1000:.2f} ms"
                f" a payment ({1 / each.processor:.0f} /s), the client's {each.client * 1000:.2f} ms"
            )
        slower = last.processor / first.processor
        # The client's work does not change: what it takes more of is the machine's doing.
        machine = last.client / first.client
        print(f"  processor, last to first {slower:.2f}; by the client's {slower / machine:.2f}", flush=True)


@dataclass(frozen=True)
class _Taken:
    """Seconds a payment took: on the wall, of the sandbox's processor time, of this process's."""

    wall: float
    processor: float
    client: float


def _taken(sandbox: _Sandbox, number: int) -> _Taken:
    wall, processor, client = time.perf_counter(), sandbox.processor(), time.process_time()
    sandbox.pay(number)
    return _Taken(
        (time.perf_counter() - wall) / number,
        (sandbox.processor() - processor) / number,
        (time.process_time() - client) / number,
    )


if __name__ == "__main__":
    measure_sandbox()
