"""Chaos on request: events that come late, twice, in another order, never, too early or wrongly signed.

The rules are notes in the store, so they survive a restart. Which events a share meets follows from
counting and the rule's seed, never from chance; it is written down in the transaction of the event.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .ids import new_id
from .storage import Document, Store

if TYPE_CHECKING:
    from .context import Context

_KIND = "chaos"
_SHARE = re.compile(r"^(\d{1,4})/([1-9]\d{0,3})$")
_SHARES = ("twin", "reorder", "drop", "before_answer")
_COUNTS = {"duplicate": 20, "wrong_signature": 20, "stale": 20, "times": 1_000_000}
_DEFAULTS: Document = {
    "for": "",
    "delay": 0,
    "duplicate": 0,
    "twin": False,
    "reorder": False,
    "drop": False,
    "before_answer": False,
    "wrong_signature": 0,
    "stale": 0,
    "times": None,
    "seed": 0,
}


@dataclass
class Plan:
    """What becomes of one event's deliveries: all rules that meet it taken together."""

    delay: float = 0
    copies: int = 1
    twin: bool = False
    drop: bool = False
    early: bool = False
    reorder: random.Random | None = None
    wrong: int = 0
    stale: int = 0


def add(store: Store, given: dict[str, Any]) -> Document:
    """Write a rule down and return it. ValueError when it makes no sense."""
    if unknown := given.keys() - _DEFAULTS.keys():
        raise ValueError(f"chaos has no {sorted(unknown)}; it has {sorted(_DEFAULTS)}")
    rule: Document = {**_DEFAULTS, **given}
    try:
        re.compile(rule["for"])
    except (re.error, TypeError) as error:
        raise ValueError(f"for is not a regular expression of event types: {error}") from None
    if not _is_number(rule["delay"]) or rule["delay"] < 0:
        raise ValueError("delay must be seconds of the sandbox's clock, 0 or more")
    for name, most in _COUNTS.items():
        if name == "times" and rule[name] is None:
            continue
        if not _is_whole(rule[name]) or not (name == "times") <= rule[name] <= most:
            raise ValueError(f"{name} must be a whole number up to {most}")
    if not _is_whole(rule["seed"]):
        raise ValueError("seed must be a whole number")
    for name in _SHARES:
        if not isinstance(rule[name], bool) and not (
            isinstance(rule[name], str) and _SHARE.match(rule[name])
        ):
            raise ValueError(f'{name} must be true, false or a share such as "1/3"')
    if all(rule[name] == _DEFAULTS[name] for name in _DEFAULTS.keys() - {"for", "times", "seed"}):
        raise ValueError("this rule would change nothing; say what is to happen")
    last = max((key for key, _ in store.notes(_KIND)), default="chaos_000000")
    rule["id"] = f"chaos_{int(last.partition('_')[2]) + 1:06d}"
    rule["seen"] = 0
    store.write_note(_KIND, rule["id"], rule)
    return rule


def rules(store: Store) -> list[Document]:
    """Every rule in force, with how many events it has met (`seen`)."""
    return [rule for _, rule in store.notes(_KIND)]


def clear(store: Store) -> None:
    """Make the weather fair again; what was decided already stays decided."""
    for key, _ in store.notes(_KIND):
        store.drop_note(_KIND, key)


def deliver(ctx: Context, event: Document, endpoints: list[str]) -> None:
    """Queue a new event for its endpoints the way the rules want it."""
    if not endpoints:
        return
    plan = _plan(ctx.store, event["type"])
    if ctx.muted:
        plan.drop = True
    events = [event]
    if plan.twin:
        events.append({**event, "id": new_id("event")})
        ctx.store.insert(events[1])
    for each in events:
        for endpoint in endpoints:
            if plan.drop:
                ctx.store.queue_delivery(each["id"], endpoint, None, "dropped")
                continue
            for _ in range(plan.copies):
                _queue(ctx, plan, each["id"], endpoint)


def _queue(ctx: Context, plan: Plan, event_id: str, endpoint: str) -> None:
    seq = ctx.store.queue_delivery(event_id, endpoint, ctx.clock.precise() + plan.delay)
    if plan.early and not plan.delay:
        ctx.early.append(seq)
    if plan.wrong or plan.stale or plan.reorder:
        ctx.store.db.execute(
            "INSERT INTO delivery_plan (seq, after, wrong, stale) VALUES (?, NULL, ?, ?)",
            (seq, plan.wrong, plan.stale),
        )
    if plan.reorder:
        _shuffle_in(ctx, plan.reorder, endpoint, seq)


def _shuffle_in(ctx: Context, dice: random.Random, endpoint: str, seq: int) -> None:
    """Give a delivery its place among those of the same request, which go out one after another."""
    order = ctx.order.setdefault(endpoint, [])
    # Never at the end, where it would have come anyway.
    order.insert(dice.randrange(len(order)) if order else 0, seq)
    ctx.store.db.executemany(
        "UPDATE delivery_plan SET after = ? WHERE seq = ?", zip([None, *order], order, strict=False)
    )


def _plan(store: Store, name: str) -> Plan:
    plan = Plan()
    for key, rule in store.notes(_KIND):
        if not re.search(rule["for"], name):
            continue
        number = rule["seen"] + rule["seed"]
        rule["seen"] += 1
        if rule["times"] is not None and rule["seen"] >= rule["times"]:
            store.drop_note(_KIND, key)
        else:
            store.write_note(_KIND, key, rule)
        plan.delay = max(plan.delay, rule["delay"])
        plan.copies += rule["duplicate"]
        plan.wrong = max(plan.wrong, rule["wrong_signature"])
        plan.stale = max(plan.stale, rule["stale"])
        plan.twin |= _meets(rule["twin"], number)
        plan.drop |= _meets(rule["drop"], number)
        plan.early |= _meets(rule["before_answer"], number)
        if _meets(rule["reorder"], number):
            plan.reorder = random.Random(number)  # noqa: S311 - seeded on purpose, decides nothing secret
    return plan


def _meets(share: bool | str, number: int) -> bool:
    """Whether the event with this number is in the share: the first `of` of every `all`."""
    if isinstance(share, bool):
        return share
    of, every = share.split("/")
    return number % int(every) < int(of)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
