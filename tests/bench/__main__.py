"""Measure the main job on a database of its own and print one line per figure.

Figures are of this machine at this moment; compare only figures of one run.
"""

from __future__ import annotations

import io
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "calls-2021"
CALLS = int(os.environ.get("BENCH_CALLS", "51708"))


@contextmanager
def timed(what: str) -> Iterator[dict[str, object]]:
    """Time a block; what it puts into the dict is printed beside the seconds."""
    extra: dict[str, object] = {}
    began = time.perf_counter()
    yield extra
    seconds = time.perf_counter() - began
    print(f"{what:<44} {seconds:8.3f} s  {json.dumps(extra) if extra else ''}", flush=True)


def main() -> None:
    """Import, bill, look, print, quote."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="callbill-bench-") as folder:
        os.environ.update(CALLBILL_DATA=folder, CALLBILL_MODE="demo", CALLBILL_MAIL="mailbox")
        os.environ.pop("DATABASE_URL", None)
        from callbill.config.cli import start_django

        with timed("start PostgreSQL and Django"):
            start_django()
        _measure(Path(folder))


def _measure(folder: Path) -> None:
    from django.core.management import call_command

    from callbill.domain.contracts.operations import load_customers, read_customers_file
    from callbill.domain.invoicing.operations import run_billing
    from callbill.domain.invoicing.queries import billed_until, verify_all
    from callbill.domain.usage.operations import import_calls, read_profile
    from tests.bench.made_up import write_calls

    with timed("migrate"):
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
    now = datetime(2022, 1, 1, 9, tzinfo=UTC)
    file = read_customers_file(EXAMPLE / "customers.toml")
    load_customers(file=file, now=now, billed_until=billed_until)
    calls = folder / "calls.csv"
    write_calls(calls, count=CALLS)
    profile = read_profile((EXAMPLE / "profile.toml").read_text(), name="profile.toml")
    for what in ("import the calls", "import the same file again"):
        with timed(what) as extra, calls.open("rb") as stream:
            report = import_calls(stream=stream, profile=profile, file_name="calls.csv", now=now)
            extra.update(accepted=report.accepted, repeated=report.repeated, set_aside=report.set_aside)
    with timed("bill one month, three customers") as extra:
        extra["issued"] = len(run_billing(now=datetime(2021, 2, 1, 9, tzinfo=UTC)).issued)
    with timed("bill eleven months, three customers") as extra:
        extra["issued"] = len(run_billing(now=now).issued)
    with timed("verify all invoices") as extra:
        results = list(verify_all())
        extra.update(checked=len(results), wrong=sum(bool(wrong) for _, wrong in results))
    _measure_page()
    _measure_pdf(now)
    _measure_quotes()
    _measure_collecting()
    _measure_at_scale()
    _measure_sandbox()


def _measure_page() -> None:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from callbill.domain.customers.models import Company, Membership
    from callbill.domain.invoicing.models import Invoice
    from callbill.domain.users.models import User

    company = Company.objects.get(key="acme")
    user = User.objects.create_user("bench@acme.example", "a long enough password")
    Membership.objects.create(user=user, company=company, role="billing_administrator")
    number = Invoice.objects.filter(payer__company=company).latest("number").number
    client = Client()
    client.force_login(user)
    client.get(f"/invoices/{number}/")  # templates are compiled once
    with CaptureQueriesContext(connection) as queries:
        client.get(f"/invoices/{number}/")
    asked = len(queries)  # now: the next request empties the log
    times = []
    for _ in range(20):
        began = time.perf_counter()
        response = client.get(f"/invoices/{number}/")
        times.append(time.perf_counter() - began)
        assert response.status_code == 200
    median = sorted(times)[len(times) // 2]
    print(f"{'an invoice page, median of 20':<44} {median:8.3f} s  {json.dumps({'queries': asked})}")


def _measure_pdf(now: datetime) -> None:
    from callbill.domain.invoicing.models import Invoice
    from callbill.domain.invoicing.operations import issued_pdf

    first, second = Invoice.objects.order_by("number")[:2]
    with timed("one PDF, first") as extra:
        extra["bytes"] = len(issued_pdf(first.id, now=now))
    with timed("one PDF, next") as extra:
        extra["bytes"] = len(issued_pdf(second.id, now=now))


def _measure_quotes() -> None:
    import tomllib

    from callbill.rules.quote import quote

    contract = tomllib.load(io.BytesIO((EXAMPLE / "contracts" / "acme.toml").read_bytes()))
    with timed("1,000 quotes by quantity"):
        for number in range(1000):
            quote({"contract": contract, "period": "2021-03", "quantity": {"calls": str(number)}})


def _measure_collecting() -> None:
    from tests.bench.collecting import measure_collecting

    measure_collecting(timed)


def _measure_at_scale() -> None:
    from tests.bench.at_scale import measure_at_scale

    measure_at_scale(timed)


def _measure_sandbox() -> None:
    from tests.bench.sandbox import measure_sandbox

    measure_sandbox()


if __name__ == "__main__":
    main()
