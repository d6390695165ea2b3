"""`callbill demo`: everything at once, with a year of made-up data, under one parent."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from callbill.config.demo.sandbox import Sandbox
from callbill.config.processes import Program, ProgramEnded, StopAsked, Supervisor, port_is_free, stoppable

HELP = "run everything with a year of made-up data, to look at and try out"
NEEDS_DJANGO = False

SELLER_ADDRESS = "billing@cic.example"  # as in the demo's customers.toml
SANDBOX_SECRETS = {
    "STRIPE_SECRET_KEY": "sk_test_demo",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_demo",
    "STRIPE_WEBHOOK_SECRET": "whsec_demo",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Where."""
    parser.add_argument(
        "--port",
        type=int,
        default=os.environ.get("PORT", "8000"),
        help="port of the pages (PORT, else 8000); the Stripe sandbox takes the next one",
    )
    parser.add_argument("--months", type=int, default=12, help="how far back the story begins (default 12)")


def run(args: argparse.Namespace) -> int:
    """Start, live through the year (or go on from where it was), and serve until told to stop."""
    data = Path(os.environ.get("CALLBILL_DATA", "var")).resolve()
    sandbox = not os.environ.get("STRIPE_SECRET_KEY")
    if refusal := _refusal(args.port, with_sandbox=sandbox):
        print(refusal, file=sys.stderr)
        return 1
    say = _Teller()
    supervisor = Supervisor(say)
    with _only_one(data) as alone, stoppable():
        if not alone:
            print(f"A demo is running already on the data in {data}. Stop that one first.", file=sys.stderr)
            return 1
        try:
            _bring_up(supervisor, say, data, args, sandbox=sandbox)
            supervisor.watch()
        except StopAsked:
            print()
            code = 0
        except ProgramEnded as ended:
            print(ended, file=sys.stderr)
            code = 1
        finally:
            supervisor.stop()
        say("Stopped. Run it again to go on from here.")
    return code


def _refusal(port: int, *, with_sandbox: bool) -> str:
    """Why the demo cannot start here, and what to do; empty when it can."""
    for each in (port, port + 1) if with_sandbox else (port,):
        if not port_is_free(each):
            return (
                f"Port {each} is in use. Stop what is using it, or choose others: make demo PORT={port + 100}"
            )
    if "_live_" in os.environ.get("STRIPE_SECRET_KEY", ""):
        return "STRIPE_SECRET_KEY is a live key. The demo charges cards; give it a test key, or none."
    return ""


def _bring_up(
    supervisor: Supervisor, say: _Teller, data: Path, args: argparse.Namespace, *, sandbox: bool
) -> None:
    """Start every part in the order in which they need each other."""
    port = args.port
    _set_environment(data, port, sandbox=sandbox)
    say("Starting PostgreSQL and bringing the database up to date")
    from callbill.config.cli import start_django
    from callbill.config.commands.serve import let_go_of_database

    start_django()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    let_go_of_database()
    callbill = (sys.executable, "-m", "callbill.config.cli")
    if sandbox:
        say("Starting the Stripe sandbox")
        supervisor.start(_sandbox(data, port))
    say("Starting the web server")
    supervisor.start(
        Program(
            "web server",
            (*callbill, "serve", "--port", str(port), "--processes", "1", "--threads", "8"),
            f"http://127.0.0.1:{port}/account/login/",
        )
    )
    say(f"The pages are up at http://localhost:{port}/")
    from callbill.config.demo import story

    webhook = (_webhook_address(port), SANDBOX_SECRETS["STRIPE_WEBHOOK_SECRET"])
    story.live(
        data=data,
        months=args.months,
        say=say,
        check=supervisor.check,
        sandbox=_sandbox_address(port) if sandbox else "",
        webhook=webhook,
    )
    if sandbox:
        Sandbox(_sandbox_address(port)).tell(*webhook)
    say("Starting the worker")
    supervisor.start(Program("worker", (*callbill, "worker")))
    print(_addresses(port, sandbox=sandbox), flush=True)


def _set_environment(data: Path, port: int, *, sandbox: bool) -> None:
    """What every part reads; a value given by the person who starts the demo stays as it is."""
    environment = {
        "CALLBILL_BASE_URL": f"http://localhost:{port}",
        "CALLBILL_MAIL": "mailbox",
        "CALLBILL_MAIL_FROM": SELLER_ADDRESS,
    }
    if sandbox:
        address = _sandbox_address(port)
        environment |= SANDBOX_SECRETS | {
            "STRIPE_API_BASE": address,
            "STRIPE_JS_URL": f"{address}/endive/stripe.js",
        }
    for name, value in environment.items():
        os.environ[name] = os.environ.get(name) or value
    os.environ["CALLBILL_MODE"] = "demo"
    os.environ["CALLBILL_DATA"] = str(data)
    os.environ["PYTHONUNBUFFERED"] = "1"


def _webhook_address(port: int) -> str:
    return f"http://localhost:{port}/webhooks/stripe/"


def _sandbox_address(port: int) -> str:
    return f"http://localhost:{port + 1}"


def _sandbox(data: Path, port: int) -> Program:
    """The Stripe sandbox, which tells the web server what happened by webhooks."""
    state = data / "sandbox.sqlite"
    words = (
        *(sys.executable, "-m", "stripe_sandbox", "--port", str(port + 1), "--state", str(state)),
        *("--webhook-url", _webhook_address(port)),
        *("--webhook-secret", SANDBOX_SECRETS["STRIPE_WEBHOOK_SECRET"]),
    )
    return Program("Stripe sandbox", words, f"{_sandbox_address(port)}/_sandbox/clock")


def _addresses(port: int, *, sandbox: bool) -> str:
    """What a person wants to know once it runs."""
    from callbill.config.demo.story import LOGINS, PASSWORD

    here = f"http://localhost:{port}"
    places = [("Portal", f"{here}/"), ("Staff console", f"{here}/console/"), ("Mailbox", f"{here}/mailbox/")]
    if sandbox:
        places.append(("Stripe sandbox", f"{_sandbox_address(port)}/"))
    lines = ["", "Callbill is running.", ""]
    lines += [f"  {name:<16}{address}" for name, address in places]
    lines += ["", f"Sign in with the password {PASSWORD} as"]
    lines += [f"  {email:<34}{who}" for email, who in LOGINS]
    return "\n".join([*lines, "", "Ctrl-C stops everything; what happened is kept."])


class _Teller:
    """Prints what is happening, with the seconds since the start."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, sentence: str) -> None:
        print(f"{time.monotonic() - self.started:5.1f} s  {sentence}", flush=True)


@contextlib.contextmanager
def _only_one(data: Path) -> Iterator[bool]:
    """Whether this is the only demo on this data folder; it stays so inside."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
