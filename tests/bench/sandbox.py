"""How many payments the sandbox makes and confirms in a second, over HTTP, alone in its process.

The rate at the beginning is compared with the rate after many payments; both by the clock on the wall and by
the processor's seconds of the sandbox, which other programs on the machine disturb less.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

PAYMENTS = int(os.environ.get("BENCH_PAYMENTS", "10000"))
_SHARES = 10
_PER_CUSTOMER = 100
ROOT = Path(__file__).resolve().parents[2]


class _Sandbox:
    """A sandbox in a process of its own, and one kept connection to it."""

    def __init__(self, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [sys.executable, "-m", "stripe_sandbox", "--port", str(self.port), *flags]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
        self._number = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self._wait()

    def __enter__(self) -> _Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _wait(self) -> None:
        for _ in range(400):
            try:
                self._connection.connect()
            except OSError:
                time.sleep(0.05)
            else:
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return
        raise RuntimeError("the sandbox did not start")

    def post(self, path: str, **params: Any) -> Any:
        """One POST under a key of its own."""
        self._number += 1
        headers = {
            "Authorization": "Bearer sk_test_bench",
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": f"bench-{self._number}",
        }
        self._connection.request("POST", f"/v1/{path}", urlencode(params), headers)
        answer = self._connection.getresponse()
        found = json.loads(answer.read())
        assert answer.status == 200, found
        return found

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
    """Print payments a second for the sandbox in memory and with a file, first and last tenth."""
    for what, with_file in (("memory", False), ("file", True)):
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="callbill-bench-"))
            flags = ("--state", f"{folder}/state.sqlite3") if with_file else ()
            sandbox = stack.enter_context(_Sandbox(*flags))
            sandbox.pay(_PER_CUSTOMER)
            rates = [_rate(sandbox, PAYMENTS // _SHARES) for _ in range(_SHARES)]
        first, last = rates[0], rates[-1]
        title = f"sandbox, {what}, {PAYMENTS:,} payments"
        print(
            f"{title:<44} {first[0]:8.0f} /s in the first tenth, {last[0]:.0f} /s in the last;"
            f" by its processor time {first[1]:.0f} and {last[1]:.0f} ({last[1] / first[1]:.2f})",
            flush=True,
        )


def _rate(sandbox: _Sandbox, number: int) -> tuple[float, float]:
    wall, processor = time.perf_counter(), sandbox.processor()
    sandbox.pay(number)
    return number / (time.perf_counter() - wall), number / (sandbox.processor() - processor)


if __name__ == "__main__":
    measure_sandbox()
