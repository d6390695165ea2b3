"""What happens by itself when the sandbox's clock reaches its time: settlements, decisions, payouts.

Each thing is done as of the moment it was due, also when the clock was moved far past it, so a month that
passes at once leaves the same traces as a month that passes day by day.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import partial

from .clock import Clock
from .context import Context
from .resources import charging, disputing, payment_intents, payouts, refunds
from .settings import Settings
from .storage import Store

ACTIONS: dict[str, Callable[[Context, str], None]] = {
    "settle": charging.settle_later,
    "payment_decided": payment_intents.decide_later,
    "refund_succeeds": refunds.succeed_later,
    "refund_fails": refunds.fail_later,
    "disputed_as_fraudulent": partial(disputing.raise_later, reason="fraudulent"),
    "disputed_as_not_received": partial(disputing.raise_later, reason="product_not_received"),
    "inquired": partial(disputing.raise_later, reason="general", inquiry=True),
    "warned": disputing.warn_later,
    "dispute_due": disputing.due_later,
    "dispute_won": disputing.win_later,
    "dispute_lost": disputing.lose_later,
    "inquiry_escalates": disputing.escalate_later,
    "inquiry_ends": disputing.end_inquiry_later,
    "payout_leaves": payouts.leave_later,
    "payout_arrives": payouts.arrive_later,
    "payout_bounces": payouts.bounce_later,
}

_TOGETHER = 50


def do_due(store: Store, clock: Clock, settings: Settings, most: int | None = None) -> int:
    """Do what is due, earliest first, at most `most` things; how many were done. Runs in a transaction."""
    done = 0
    while most is None or done < most:
        number = _TOGETHER if most is None else min(_TOGETHER, most - done)
        store.db.execute("SAVEPOINT later")
        try:
            found = _do(store, clock, settings, number)
        except Exception:
            # All of them again, each by itself: one that fails is told, and the others do not wait for it.
            store.db.execute("ROLLBACK TO later")
            found = _do_apart(store, clock, settings, number)
        store.db.execute("RELEASE later")
        done += found
        if found < number:
            break
    return done


def _do(store: Store, clock: Clock, settings: Settings, most: int) -> int:
    done = 0
    while done < most and (taken := store.take_due(clock.precise())):
        due, action, target = taken
        ACTIONS[action](Context(store=store, clock=clock, settings=settings, moment=due), target)
        done += 1
    return done


def _do_apart(store: Store, clock: Clock, settings: Settings, most: int) -> int:
    done = 0
    while done < most and (taken := store.take_due(clock.precise())):
        due, action, target = taken
        store.db.execute("SAVEPOINT one")
        try:
            ACTIONS[action](Context(store=store, clock=clock, settings=settings, moment=due), target)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            store.db.execute("ROLLBACK TO one")
        store.db.execute("RELEASE one")
        done += 1
    return done
