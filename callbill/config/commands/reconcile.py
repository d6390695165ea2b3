"""`callbill reconcile`: compare attempts, books and Stripe, apply what is late, say every difference."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callbill.domain.reconciliation.models import ReconciliationRun
    from callbill.domain.reconciliation.queries import DifferenceView

HELP = "compare payment attempts, the books and Stripe; say every difference and what to do"
NEEDS_DJANGO = True
_BAR = 24


def configure(parser: argparse.ArgumentParser) -> None:
    """How far back, and for people or programs."""
    parser.add_argument(
        "--days",
        type=_days,
        metavar="N",
        help="how far back Stripe's lists are read at least (30); further for what is still different",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3660):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to 3660")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """0 when nothing differs, 1 when something does or Stripe could not be read."""
    from callbill.domain.reconciliation.operations import DAYS, STEPS, AlreadyReconciling, reconcile
    from callbill.domain.reconciliation.queries import differences
    from callbill.lib import clock

    progress = _bar(len(STEPS)) if sys.stderr.isatty() and not args.json else None
    try:
        done = reconcile(now=clock.now(), trigger="command", days=args.days or DAYS, progress=progress)
    except AlreadyReconciling as refused:
        print(refused, file=sys.stderr)
        return 1
    if progress:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    found = [] if done.problem else differences()
    if args.json:
        print(json.dumps(_as_json(done, found), ensure_ascii=False))
    else:
        _say(done, found)
    return 1 if done.problem or any(not each.is_note for each in found) else 0


def _bar(steps: int) -> Callable[[str, int, int], None]:
    """One line on a terminal: which step of how many, and how much of it was read."""

    def tell(step: str, number: int, count: int) -> None:
        full = _BAR * (number - 1) // steps
        bar = "█" * full + "░" * (_BAR - full)
        read = f" {count:,}" if count else ""
        print(f"\r\x1b[K{bar} {number} of {steps}: {step}{read}", end="", file=sys.stderr, flush=True)

    return tell


def _say(done: ReconciliationRun, found: list[DifferenceView]) -> None:
    counted = (
        *((done.charges, "charge"), (done.refunds, "refund"), (done.chargebacks, "dispute")),
        *((done.payouts, "payout"), (done.transactions, "movement")),
    )
    read = [f"{count:,} {thing}{'' if count == 1 else 's'}" for count, thing in counted]
    compared = f"{', '.join(read)} on Stripe's balance, since {done.since:%Y-%m-%d}"
    if done.problem:
        print(f"Not compared to the end: {done.problem}", file=sys.stderr)
        print(f"Read until then: {compared}. Differences stay as they were found before.", file=sys.stderr)
        return
    print(f"Compared with our attempts and the books: {compared}.")
    if done.caught_up:
        print(f"Late and applied now: {done.caught_up:,} (messages that never came, answers that were lost).")
    for each in found:
        amount = f" ({each.amount})" if each.amount else ""
        payer = f", {each.payer_name}" if each.payer_name else ""
        print(f"\n{'Note: ' if each.is_note else ''}{each.title}{payer}{amount}")
        print(f"  {each.what}")
        print(f"  → {each.what_to_do}")
    wrong = sum(not each.is_note for each in found)
    print(f"\n{wrong} difference{'' if wrong == 1 else 's'}." if wrong else "Nothing differs.")


def _as_json(done: ReconciliationRun, found: list[DifferenceView]) -> dict[str, object]:
    names = ("charges", "refunds", "chargebacks", "transactions", "payouts", "caught_up")
    return {
        "since": done.since.isoformat(),
        "problem": done.problem,
        "compared": {name: getattr(done, name) for name in names},
        "differences": [
            {
                "kind": each.kind,
                "note": each.is_note,
                "payer": each.payer_name,
                "amount_minor": each.amount.minor if each.amount else None,
                "currency": each.amount.currency if each.amount else "",
                "what": each.what,
                "what_to_do": each.what_to_do,
                "found_at": each.found_at.isoformat(),
            }
            for each in found
        ],
    }
