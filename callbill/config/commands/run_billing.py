"""`callbill run-billing`: close every period that is due, issue its invoice, charge the default card."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

HELP = "close every billing period that is due, issue invoices and charge default cards"
NEEDS_DJANGO = True
_BAR = 30


def moment(text: str) -> datetime:
    """An ISO moment; without an offset it is UTC."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a moment; write it like 2021-02-01T09:00"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def configure(parser: argparse.ArgumentParser) -> None:
    """When, and whether to charge."""
    parser.add_argument("--now", type=moment, help="bill as of this moment (UTC without an offset)")
    parser.add_argument("--no-collect", action="store_true", help="issue only; the worker charges later")


def progress_bar(of_what: str) -> Callable[[int, int], None]:
    """Draws how far it is on the terminal, over itself; nothing where nobody watches."""
    on_terminal = sys.stderr.isatty()

    def draw(done: int, of: int) -> None:
        if on_terminal:
            bar = ("#" * (_BAR * done // of)).ljust(_BAR, ".")
            end = "\n" if done == of else ""
            print(f"\r  [{bar}] {done} of {of} {of_what}", end=end, file=sys.stderr, flush=True)

    return draw


def run(args: argparse.Namespace) -> int:
    """Bill, then collect and send what there is to send; say what happened."""
    from callbill.domain.invoicing.operations import run_billing
    from callbill.jobs.work import collect_and_tell
    from callbill.lib import clock

    now = args.now or clock.now()
    report = run_billing(now=now, progress=progress_bar("payers billed"))
    print(f"Looked at {report.payers} payers as of {now:%Y-%m-%d %H:%M %Z}: issued {len(report.issued)}.")
    for number in report.issued:
        print(f"  {number}")
    for problem in report.problems:
        print(f"  not billed: {problem}", file=sys.stderr)
    collected = True
    if not args.no_collect:
        bar = progress_bar("invoices charged")
        collected = collect_and_tell(now=now, say=print, progress=bar, clock=None if args.now else clock.now)
    return 0 if not report.problems and collected else 1
