"""How many cards a collection run charges in a second, against the sandbox in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date

from django.conf import settings

from callbill.domain.payments import gateway, operations
from callbill.domain.payments.models import CollectionRun
from stripe_sandbox.handle import Handle
from tests.domain import world
from tests.domain.payments.shop import ISSUED, Shop, issued_row

Timed = Callable[[str], AbstractContextManager[dict[str, object]]]

CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", "100"))
INVOICES = 5  # of each


def measure_collecting(timed: Timed) -> None:
    """The same number of invoices by one worker, then by eight; without a pace."""
    with _sandbox() as sandbox:
        settings.STRIPE_API_BASE = sandbox.url
        settings.STRIPE_SECRET_KEY, settings.STRIPE_PUBLISHABLE_KEY = (
            sandbox.secret_key,
            sandbox.publishable_key,
        )
        gateway._made.cache_clear()
        shop = Shop(sandbox)
        payers = []
        for number in range(CUSTOMERS):
            company = world.company(f"bench-{number}", f"Bench {number}")
            payers.append(world.payer_of(company))
            boss = world.viewer(f"boss@bench-{number}.example", company=company, administrator=True)
            shop.add_card(viewer=boss, payer_id=payers[-1].id)
        for year, workers in ((2023, 1), (2024, 8)):
            for payer in payers:
                for month in range(1, INVOICES + 1):
                    issued_row(payer, date(year, month, 1), date(year, month + 1, 1), 100_00 + month)
            count = CUSTOMERS * INVOICES
            with timed(f"charge {count} invoices, {workers} at a time"):
                done = operations.collect_due(now=ISSUED, workers=workers)
            run = CollectionRun.objects.latest("started_at", "id")
            assert run.finished_at is not None
            assert done.attempts == {"succeeded": count}, done
            seconds = (run.finished_at - run.started_at).total_seconds()
            print(f"{'  charges a second':<44} {count / seconds:8.1f}", flush=True)


@contextmanager
def _sandbox() -> Iterator[Handle]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "stripe_sandbox", "--port", str(port)])
    handle = Handle(f"http://127.0.0.1:{port}")
    try:
        handle.wait_until_ready(lambda: process.poll() is None)
        yield handle
    finally:
        process.terminate()
        process.wait(timeout=20)
