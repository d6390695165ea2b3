"""From a file of calls to paid invoices: import, bill the twelve months of 2021, pay, print.

Standard output has one JSON line per invoice; what happens meanwhile goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

from callbill.config.demo.sandbox import Sandbox
from callbill.config.processes import Program, ProgramEnded, StopAsked, Supervisor, stoppable

HERE = Path(__file__).resolve().parent
CARD = "4242424242424242"
BEGAN = time.monotonic()


def main() -> int:
    """Run the example; 0 when every call came in and every invoice could be charged."""
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("file", type=Path, help="the file of calls, CSV or gzipped CSV")
    file: Path = parser.parse_args().file.resolve()
    if not file.is_file():
        print(f"There is no file {file}.", file=sys.stderr)
        return 1
    data = Path(os.environ.get("CALLBILL_DATA", "var/example-calls-2021")).resolve()
    if data.exists() and any(data.iterdir()):
        print(f"{data} is not empty. The example starts from an empty CALLBILL_DATA.", file=sys.stderr)
        return 1
    supervisor = Supervisor(say)
    try:
        with stoppable():
            return example(file, data, supervisor)
    except (ProgramEnded, StopAsked) as ended:
        print(ended or "Stopped.", file=sys.stderr)
        return 1
    finally:
        supervisor.stop()


def example(file: Path, data: Path, supervisor: Supervisor) -> int:
    """The story itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    os.environ.pop("DATABASE_URL", None)
    os.environ.update(
        CALLBILL_DATA=str(data),
        CALLBILL_MODE="demo",
        CALLBILL_MAIL="mailbox",
        STRIPE_SECRET_KEY="sk_test_example",
        STRIPE_PUBLISHABLE_KEY="pk_test_example",
        STRIPE_API_BASE=address,
    )
    say("Starting PostgreSQL and the Stripe sandbox")
    from callbill.config.cli import start_django

    start_django()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    port = address.rpartition(":")[2]
    words = (sys.executable, "-m", "stripe_sandbox", "--port", port, "--state", str(data / "sandbox.sqlite"))
    # The sandbox greets on standard output, which is for the invoices alone.
    quiet = ("/bin/sh", "-c", 'exec "$@" >&2', "sh", *words)
    supervisor.start(Program("Stripe sandbox", quiet, f"{address}/_sandbox/clock"))
    sandbox = Sandbox(address)

    load(sandbox)
    complete = import_file(file)
    collected = bill(sandbox)
    print_invoices()
    return 0 if complete and collected else 1


def load(sandbox: Sandbox) -> None:
    """Customers with their contracts, and a card for each."""
    from callbill.domain.contracts.operations import load_customers, read_customers_file
    from callbill.domain.customers.queries import viewer_of, visible_payers
    from callbill.domain.invoicing.queries import billed_until
    from callbill.domain.payments.operations import finish_card_setup, start_card_setup
    from callbill.domain.users.queries import user_by_email

    say("Loading three customers with their contracts and cards")
    now = datetime(2021, 1, 1, 9, tzinfo=UTC)
    sandbox.set_clock(now)
    file = read_customers_file(HERE / "customers.toml")
    load_customers(file=file, now=now, billed_until=billed_until)
    for email in ("ana@acme.example", "ben@borealis.example", "cora@cobalt.example"):
        user = user_by_email(email)
        assert user is not None
        viewer = viewer_of(user)
        payer = visible_payers(viewer).get()
        form = start_card_setup(viewer=viewer, payer_id=payer.id, ip=None, now=now)
        sandbox.fill_in_card(
            client_secret=form.client_secret,
            publishable_key=form.publishable_key,
            number=CARD,
            month=12,
            year=2029,
        )
        finish_card_setup(viewer=viewer, setup_id=form.setup_id, now=now)


def import_file(file: Path) -> bool:
    """Import the calls; True when no row was set aside."""
    from callbill.domain.usage.operations import import_calls, read_profile

    say(f"Importing {file.name}")
    began = time.monotonic()
    with file.open("rb") as stream:
        report = import_calls(
            stream=stream,
            profile=read_profile((HERE / "profile.toml").read_text(), name="profile.toml"),
            file_name=file.name,
            now=datetime(2022, 1, 1, 9, tzinfo=UTC),
        )
    say(
        f"{report.accepted} accepted, {report.repeated} repeated, {report.set_aside} set aside, "
        f"in {time.monotonic() - began:.1f} s"
    )
    return not report.set_aside


def bill(sandbox: Sandbox) -> bool:
    """Bill and charge at nine on the first of every month; True when nothing went wrong."""
    from callbill.domain.invoicing.operations import run_billing
    from callbill.jobs.work import collect_and_tell

    fine = True
    for month in range(2, 14):
        now = datetime(2021 + month // 13, month % 12 or 12, 1, 14, tzinfo=UTC)
        sandbox.set_clock(now)
        report = run_billing(now=now)
        say(f"{now:%d %B %Y}: {len(report.issued)} invoices issued")
        fine = collect_and_tell(now=now, say=say) and fine and not report.problems
    return fine


def print_invoices() -> None:
    """One JSON line per invoice and company, in order of number."""
    from callbill.domain.invoicing.models import Invoice
    from callbill.rules.money import Money

    for invoice in Invoice.objects.order_by("number").prefetch_related("sections__company"):
        (section,) = invoice.sections.all()
        first: date = invoice.first_day
        line = {
            "company": section.company.key,
            "period": f"{first:%Y-%m}",
            "number": invoice.number,
            "subtotal": Money(invoice.subtotal_minor, invoice.currency).text,
            "tax": Money(invoice.tax_minor, invoice.currency).text,
            "total": Money(invoice.total_minor, invoice.currency).text,
            "status": invoice.status,
        }
        print(json.dumps(line), flush=True)


def say(sentence: str) -> None:
    """Tell what is happening, with the seconds since the start."""
    print(f"{time.monotonic() - BEGAN:5.1f} s  {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
