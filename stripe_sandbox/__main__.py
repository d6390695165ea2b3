"""python -m stripe_sandbox --port 12111 --state sandbox.sqlite3"""

from __future__ import annotations

import argparse
import sqlite3
import sys

from .errors import ApiError
from .server import LOOPBACK, serve
from .settings import WEBHOOK_SECRET, Settings


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="stripe_sandbox", description="A Stripe to run against, without money."
    )
    parser.add_argument(
        "--port", type=int, default=12111, help="port on the loopback address (default 12111)"
    )
    parser.add_argument("--state", help="SQLite file that keeps everything; without it nothing is kept")
    parser.add_argument("--webhook-url", help="where to deliver signed events")
    parser.add_argument("--webhook-secret", default=WEBHOOK_SECRET, help="what they are signed with")
    parser.add_argument(
        "--sign-by-sandbox-clock",
        action="store_true",
        help="sign events with the sandbox's time, for a receiver whose clock is moved with it",
    )
    parser.add_argument("--webhook-retries", default="0.5,2,10,60,600", help="seconds between attempts")
    parser.add_argument(
        "--settle-after",
        type=float,
        default=Settings.settle_after,
        help="seconds from a charge to its balance transaction",
    )
    parser.add_argument("--latency", type=float, default=0.0, help="seconds every API request takes")
    given = parser.parse_args(arguments)
    try:
        retries = tuple(float(text) for text in given.webhook_retries.split(",") if text)
    except ValueError:
        parser.error(
            f"--webhook-retries must be numbers with commas between them, not {given.webhook_retries!r}"
        )
    settings = Settings(
        webhook_url=given.webhook_url,
        webhook_secret=given.webhook_secret,
        webhook_retries=retries,
        sign_by_sandbox_clock=given.sign_by_sandbox_clock,
        settle_after=given.settle_after,
        latency=given.latency,
    )
    print(f"Stripe sandbox on http://{LOOPBACK}:{given.port}, no real money", flush=True)
    try:
        serve(given.port, settings, given.state)
    except ApiError as error:
        parser.exit(1, f"--webhook-url {given.webhook_url}: {error}\n")
    except sqlite3.Error as error:
        parser.exit(1, f"--state {given.state}: {error}. Is another sandbox using this file?\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
