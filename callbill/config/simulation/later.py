"""What was thought of later: drawn with dice of its own, so that old seeds keep all that they told before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from callbill.config.simulation.scenes import billed_on
from callbill.config.simulation.story import Step, Story

Scene = Callable[[random.Random, Story, int, Sequence[str]], Iterator[Step]]

# Before the worker's morning, as in scenes.py.
_EARLY, _RIGHT_BEFORE, _LAST = 382, 384, 389
_BEFORE_EVENING = 1109
_OFTEN = {"none": 0.25, "some": 0.25, "many": 0.4}


def added(story: Story, faults: str) -> Iterator[Step]:
    """Deeds of any day, and scenes of billing days."""
    dice = random.Random(f"later {story.seed} {story.days} {len(story.cast)} {faults}")  # noqa: S311 no secret
    for day in range(story.days):
        for deed, (weight, draw) in DEEDS.items():
            if dice.random() < 0.03 * weight * (3 if story.days < 10 else 1):
                yield Step(day, dice.randint(420, 1150), deed, dice.choice(story.payers), draw(dice))
    scenes = SCENES if faults == "none" else SCENES + BAD_DAYS
    for day in range(story.days - 2):
        billed = billed_on(story, day)
        if billed and dice.random() < _OFTEN[faults]:
            yield from dice.choice(scenes)(dice, story, day, billed)


def bounced(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """A payer's card is declined, its cheque comes, bounces, and is presented again under its number."""
    who, minute = dice.choice(billed), dice.randint(500, 900)
    yield Step(day, _RIGHT_BEFORE, "card_declines", who, {"code": "insufficient_funds", "times": 1})
    percent, cheque = dice.choice((60, 100, 100, 130)), f"cheque {dice.randint(100, 999)}"
    given: dict[str, Any] = {"place": 0, "percent": percent, "cheque": cheque}
    yield Step(day, minute, "bank_payment", who, given)
    again = day + dice.choice((0, 1))
    yield Step(again, minute + 20, "bank_return", who)
    if dice.random() < 0.7:
        yield Step(again, minute + 40, "bank_payment", who, {**given, "percent": 100})


def moves_over(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """On the eve of their billing day companies join their organization's invoice, or leave it."""
    today = (story.first_day + timedelta(days=day)).day
    for member in story.cast:
        if day and member.organization and member.billing_day == today:
            yield Step(day - 1, dice.randint(600, 1100), "change_payer", member.key, {"eve": True})


def wrong_key(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """The key is wrong when the morning's cards are charged; people go on paying."""
    yield Step(day, _EARLY, "bad_key", "", {"hours": dice.choice((1, 4, 13))})
    yield Step(day, dice.randint(500, 1000), "pay_now", dice.choice(billed), {"place": 0})


def no_mail(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """The mail server is down when the invoices go out."""
    yield Step(day, _EARLY, "mail_down", "", {"letters": dice.choice((1, 2, 5, 12, 40))})


def together(dice: random.Random, story: Story, day: int, billed: Sequence[str]) -> Iterator[Step]:
    """Two workers do the same work at the same time: the morning's, or the evening's, with new cards."""
    given = {"code": "insufficient_funds", "times": dice.choice((1, 3))}
    yield Step(day, _RIGHT_BEFORE, "card_declines", dice.choice(billed), given)
    if dice.random() < 0.5:
        yield Step(day, _LAST, "together")
        return
    card = {"number": "4242424242424242", "years": 3, "passes": True, "default": True, "returns": True}
    for place, who in enumerate(billed):
        yield Step(day, _BEFORE_EVENING - 20 + place, "add_card", who, card)
    yield Step(day, _BEFORE_EVENING, "together")


def _none(dice: random.Random) -> dict[str, Any]:
    return {}


DEEDS: dict[str, tuple[int, Callable[[random.Random], dict[str, Any]]]] = {"bank_return": (2, _none)}
SCENES: tuple[Scene, ...] = (bounced, moves_over)
BAD_DAYS: tuple[Scene, ...] = (wrong_key, no_mail, together)
