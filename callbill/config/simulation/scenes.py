"""Scenes: a few steps that belong together, so that bad weather meets money just where it moves.

A fault at any minute meets mostly nothing. In a scene the bank declines the very charges whose answers are
lost, the worker dies at the confirm and is noticed a day later when its keys are forgotten, the refund is
made while Stripe does not answer. `chances` puts one before the morning's work of a billing day and some
among the deeds of the day.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from callbill.config.simulation.story import Step, Story

Scene = Callable[[random.Random, Story, int, Sequence[str]], Iterator[Step]]

# Before the worker's morning (06:30), right before it, and right after it. What becomes of the next piece of
# work is planned last: what a bank does is a piece of work too.
_DAWN, _EARLY, _LAST, _AFTER = 360, 383, 389, 395
_SOFT = ("insufficient_funds", "generic_decline", "do_not_honor", "try_again_later")
_MAKE, _CONFIRM, _REFUND = "POST /v1/payment_intents$", "POST .*/confirm$", "POST /v1/refunds$"
_GOOD = "4242424242424242"


def billed_on(story: Story, day: int) -> tuple[str, ...]:
    """Who gets an invoice on this day's morning; on the first day, everybody."""
    today = (story.first_day + timedelta(days=day)).day
    found = (member.billed for member in story.cast if day == 0 or member.billing_day == today)
    return tuple(dict.fromkeys(found))


# --- the morning's charges ------------------------------------------------------------------------------
def crash(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """The worker dies where money moves or right after; often it is noticed when keys are forgotten."""
    of = dice.choice((_MAKE, _MAKE, _CONFIRM, _CONFIRM, "commit", "letter", ""))
    number = dice.randint(1, 25) if of in ("commit", "") else dice.choice((1, 1, 2))
    when = dice.choice(("before", "after", "after") if of in (_MAKE, _CONFIRM) else ("before", "after"))
    yield Step(day, _LAST, "kill", "", {"of": of, "number": number, "when": when})
    if dice.random() < (0.8 if of == _CONFIRM else 0.3):
        yield from _all_decline(dice, day, billed)
    if of in (_MAKE, _CONFIRM) and dice.random() < 0.6:
        yield Step(day, _AFTER, "asleep", "", {"hours": 26})


def no_answer(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """Charges are made and nobody hears of it, from Stripe's answers or its messages."""
    if dice.random() < 0.7:
        yield Step(day, _DAWN, "post", "", {"mode": dice.choice(("lost", "lost", "held"))})
    if dice.random() < 0.7:
        yield from _all_decline(dice, day, billed)
    given = {
        "path": dice.choice(("/v1/payment_intents/pi_", "/v1/payment_intents/pi_", "/confirm$")),
        "done": dice.random() < 0.85,
        "times": dice.choice((3, 6, 6, 12)),
        "reads": dice.random() < 0.7,
    }
    yield Step(day, _EARLY, "silence", "", given)


def side_by_side(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """Two workers and people with buttons charge the same invoices; messages come twice."""
    if dice.random() < 0.5:
        yield dice.choice(
            (
                Step(day, _DAWN, "post", "", {"mode": "doubled"}),
                Step(day, _DAWN, "post", "", {"mode": "mixed"}),
                Step(day, _DAWN, "chaos", "", {"mode": "told by two events", "of": ""}),
            )
        )
    given = {"of": dice.choice((_MAKE, _CONFIRM, _CONFIRM, "commit")), "number": dice.choice((1, 1, 2))}
    yield Step(day, _LAST, "beside", "", {**given, "minutes": dice.choice((0, 0, 16))})


def old_news(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """A charge is declined, the next one succeeds, and only then the message of the first arrives."""
    if dice.random() < 0.6:
        yield Step(day, _DAWN, "post", "", {"mode": "held"})
    else:
        yield Step(day, _DAWN, "chaos", "", {"mode": "a day late", "of": "payment_intent"})
    for who in billed:
        yield Step(day, _EARLY + 1, "card_declines", who, {"code": "insufficient_funds", "times": 1})
        yield Step(day, dice.randint(690, 720), "pay_now", who, {"place": 0})


# --- the day's deeds --------------------------------------------------------------------------------------
def refunded(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """A paid invoice is credited, and its refund meets a Stripe or a worker that is not well."""
    minute = dice.randint(730, 1000)
    if dice.random() < 0.6:
        yield Step(day, minute, "post", "", {"mode": "lost"})
    percent = dice.choice((10, 35, 50, 100))
    yield Step(day, minute + 1, "credit", dice.choice(billed), {"place": 0, "percent": percent})
    met = dice.choice(("silence", "silence", "kill", "beside", "fault"))
    details: dict[str, dict[str, Any]] = {
        "silence": {"path": "/v1/refunds$", "done": True, "times": 3, "reads": dice.random() < 0.5},
        "kill": {"of": _REFUND, "number": 1, "when": dice.choice(("before", "after", "after"))},
        "beside": {"of": _REFUND, "number": 1, "minutes": dice.choice((0, 16))},
        "fault": {"action": dice.choice(("reset_after", "500_after", "409")), "path": "/v1/refunds$"},
    }
    more = {"after": 0, "times": 3} if met == "fault" else {}
    yield Step(day, minute + 2, met, "", {**details[met], **more})
    yield Step(day, minute + 3, "refund", "", {"place": 0})
    if met == "kill" and dice.random() < 0.5:
        yield Step(day, minute + 4, "asleep", "", {"hours": 26})


def owes_less(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """A charge is declined, what is owed is lowered, and the rest is charged."""
    who = dice.choice(billed)
    yield Step(day, _EARLY + 1, "card_declines", who, {"code": dice.choice(_SOFT[:3]), "times": 1})
    percent = dice.choice((30, 50, 60))
    lower = dice.choice(("credit", "bank_payment"))
    yield Step(day, dice.randint(500, 560), lower, who, {"place": 0, "percent": percent})
    yield Step(day, dice.randint(570, 680), dice.choice(("pay_now", "retry_now")), who, {"place": 0})


def withdrawn(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """An unpaid invoice is voided and billed again, by a process that dies on the way or not."""
    who, minute = dice.choice(billed), dice.randint(500, 680)
    yield Step(day, _EARLY + 1, "card_declines", who, {"code": dice.choice(_SOFT[:3]), "times": 1})
    if dice.random() < 0.7:
        given = {"of": "commit", "number": dice.choice((1, 1, 2)), "when": dice.choice(("before", "after"))}
        yield Step(day, minute - 1, "kill", "", given)
    yield Step(day, minute, "void", who, {"place": 0, "again": dice.random() < 0.8})


def remembered(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """The switch hands over what it forgot in the weeks that were billed first."""
    minute = dice.randint(420, 1100)
    for number, back in enumerate((24, 31, 38)):
        yield Step(day, minute + number, "late_calls", "", {"days_back": back})


def last_months(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """A card is saved that expires soon."""
    given = {"number": _GOOD, "years": 0, "days_left": dice.choice((18, 45)), "passes": True}
    more = {"default": True, "returns": True}
    yield Step(day, dice.randint(420, 1100), "add_card", dice.choice(billed), {**given, **more})


def _all_decline(dice: random.Random, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """The banks of all who are charged this morning decline."""
    code = dice.choice(_SOFT)
    for who in billed:
        yield Step(day, _EARLY + 1, "card_declines", who, {"code": code, "times": 3})


MORNINGS: tuple[Scene, ...] = (crash, crash, crash, no_answer, no_answer, side_by_side, old_news)
AMONG_DEEDS: tuple[Scene, ...] = (refunded, refunded, owes_less, withdrawn, remembered, last_months)
