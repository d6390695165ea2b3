"""What may happen in a story, and how likely: people's deeds and the weather around them, drawn from dice."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

from callbill.config.simulation.scenes import AMONG_DEEDS, MORNINGS, billed_on
from callbill.config.simulation.story import Step, Story

Details = dict[str, Any]
_GOOD = ("4242424242424242", "5555555555554444", "378282246310005")
_OTHER = (
    "4000000000000341",  # declined when charged
    "4000002500003155",  # 3D Secure when it is saved
    "4000002760003184",  # 3D Secure each time
    "4000003800000446",
    "4000008260003178",
    "4000000000000002",  # refused when it is saved
    "4000000000009995",
    "4000000000009987",
    "4000000000009979",
    "4000000000000069",
    "4000000000000127",
    "4000000000000119",
    "4000000000006975",
    "4100000000000019",  # blocked as fraud
    "4000000000007726",  # refunds arrive later
    "4000000000005126",  # refunds fail
    "4000000000000259",  # disputed
    "4000000000002685",
    "4000000000001976",  # asked about
    "4000000000005423",  # warned of
    "4242424242424241",  # no such number
)
_DECLINES = (
    *("insufficient_funds", "insufficient_funds", "generic_decline", "do_not_honor", "processing_error"),
    *("lost_card", "stolen_card", "expired_card", "authentication_required", "card_velocity_exceeded"),
    "try_again_later",
)
_INTENTS, _CONFIRM, _REFUNDS = "/v1/payment_intents$", "/confirm$", "/v1/refunds$"
_PATHS = (_CONFIRM, _CONFIRM, _CONFIRM, _INTENTS, "/v1/payment_intents/pi_", "/v1/")
_ANSWERS = (
    *("reset_before", "reset_after", "reset_mid_body", "500_before", "500_after"),
    *("429", "lock_timeout", "409", "503", "html"),
)
_BEFORE_BILLING, _MORNING_IS_OVER = 385, 400


def calls(story: Story) -> Iterator[Step]:
    """The switch hands over its calls every other morning."""
    done = story.begins
    for day in range(0, story.days, 2):
        until = story.first_day + timedelta(days=day)
        yield Step(day, 300, "calls", "", {"from": done.isoformat(), "until": until.isoformat()})
        done = until


def people(dice: random.Random, story: Story) -> Iterator[Step]:
    """What customers, staff and their banks do."""
    paying = tuple(dict.fromkeys(member.billed for member in story.cast))
    for place, key in enumerate(paying):
        if dice.random() < 0.95:
            number = dice.choice(_GOOD) if dice.random() < 0.8 else dice.choice(_OTHER)
            yield Step(0, 320 + place, "add_card", key, _card(dice, number=number))
    names = [name for name, (weight, _) in DEEDS.items() for _ in range(weight)]
    often = 3 if story.days < 10 else 1  # a short story is a busy one
    for day in range(story.days):
        if is_billed(story, day) and dice.random() < 0.5:
            yield Step(day, _BEFORE_BILLING - 1, "card_declines", dice.choice(paying), _declines(dice))
        for _ in range(sum(dice.random() < 0.4 for _ in range(often * len(story.cast)))):
            deed = dice.choice(names)
            who = dice.choice(paying if dice.random() < 0.8 else story.payers)
            yield Step(day, dice.randint(420, 1150), deed, who, DEEDS[deed][1](dice))


def played(dice: random.Random, story: Story, faults: str) -> Iterator[Step]:
    """Scenes of billing days: with `faults` many on nearly each of them, some on a few, none on none."""
    chance = {"none": 0.0, "some": 0.3, "many": 0.9}[faults]
    for day in range(story.days - 2):
        billed = billed_on(story, day)
        if not billed:
            continue
        if dice.random() < chance:
            yield from dice.choice(MORNINGS)(dice, story, day, billed)
        for _ in range(2):
            if dice.random() < chance:
                yield from dice.choice(AMONG_DEEDS)(dice, story, day, billed)


def weather(
    dice: random.Random, story: Story, done: Sequence[Step], faults: str, scenes: Collection[Step]
) -> Iterator[Step]:
    """Networks, Stripe and processes that fail, before the worker's morning or a deed of `done`.

    A morning that is a scene of its own in `scenes` is left alone.

    `faults` is none, some or many. On billing days and when a deed talks to Stripe it matters most.
    """
    if faults == "none":
        return
    least, most, percent = {"some": (0, 2, 25), "many": (0, 3, 50)}[faults]
    names = [name for name, (weight, _) in WEATHER.items() for _ in range(weight)]
    staged = {step.day for step in scenes if step.deed in WEATHER and step.minute < _MORNING_IS_OVER}
    for day in sorted(set(range(story.days - 2)) - staged):
        many = dice.randint(least, most) if is_billed(story, day) else int(dice.randint(1, 200) <= percent)
        for _ in range(many):
            name = dice.choice(names)
            yield Step(day, _BEFORE_BILLING, name, "", WEATHER[name][1](dice, _MOST_POINTS))
    for step in done:
        matters = step.deed in _AT_STRIPE and step.minute > _BEFORE_BILLING and step.day < story.days - 2
        if matters and dice.randint(1, 100) <= percent:
            name = dice.choice(_BEFORE_A_DEED)
            given = WEATHER[name][1](dice, _POINTS_OF_A_DEED)
            if "path" in given:  # the request that this deed makes, if it makes one
                given = {**given, "path": dice.choice(_AT_STRIPE[step.deed])}
            yield Step(step.day, step.minute - 1, name, "", given)


def is_billed(story: Story, day: int) -> bool:
    """Whether some payer's period has ended on this day's morning."""
    return bool(billed_on(story, day))


def _card(dice: random.Random, *, number: str | None = None) -> Details:
    chosen = number or (dice.choice(_GOOD) if dice.random() < 0.6 else dice.choice(_OTHER))
    return {
        "number": chosen,
        "years": dice.choice((0, 1, 3, 3)),
        "passes": dice.random() < 0.85,
        "default": dice.random() < 0.7,
        "returns": dice.random() < 0.85,  # or closes the browser right after confirming
    }


def _place(dice: random.Random) -> Details:
    return {"place": dice.randint(0, 3)}


def _none(dice: random.Random) -> Details:
    return {}


def _declines(dice: random.Random) -> Details:
    return {"code": dice.choice(_DECLINES), "times": dice.randint(1, 3)}


def _credit(dice: random.Random) -> Details:
    return {"place": dice.randint(0, 3), "percent": dice.choice((10, 35, 50, 100))}


def _void(dice: random.Random) -> Details:
    return {"place": dice.randint(0, 1), "again": dice.random() < 0.5}


def _decide(dice: random.Random) -> Details:
    return {"approve": dice.random() < 0.7}


def _adjust(dice: random.Random) -> Details:
    return {"cents": dice.choice((-2500, -500, 300, 1200, -10000))}


def _window(dice: random.Random) -> Details:
    return {"days_back": dice.randint(2, 40)}


def _dispute(dice: random.Random) -> Details:
    return {"place": dice.randint(0, 5), "inquiry": dice.random() < 0.25}


def _decision(dice: random.Random) -> Details:
    return {"outcome": dice.choice(("won", "lost"))}


def _payout(dice: random.Random) -> Details:
    return {"fail": dice.random() < 0.2}


def _confirmation(dice: random.Random) -> Details:
    return {"passes": dice.random() < 0.75, "returns": dice.random() < 0.75}


def _transfer(dice: random.Random) -> Details:
    return {"place": dice.randint(0, 2), "percent": dice.choice((30, 60, 100, 100, 130))}


def _choice(dice: random.Random) -> Details:
    return {"choice": dice.choice((True, True, False, None))}


# By deed: how likely it is among the others, and what is drawn for it.
DEEDS: dict[str, tuple[int, Callable[[random.Random], Details]]] = {
    "add_card": (5, _card),
    "make_default": (3, _place),
    "remove_card": (2, _place),
    "card_declines": (4, _declines),
    "card_expires": (2, _none),
    "card_renewed": (2, _none),
    "pay_now": (5, _place),
    "retry_now": (4, _place),
    "stop_waiting": (2, _none),
    "credit": (4, _credit),
    "void": (2, _void),
    "write_off": (1, _place),
    "recovery": (2, _none),
    "refund": (4, _place),
    "adjust": (2, _adjust),
    "late_calls": (3, _window),
    "repeated_calls": (2, _window),
    "corrected_calls": (3, _window),
    "flag_call": (2, _place),
    "outage": (1, _window),
    "decide": (4, _decide),
    "change_payer": (1, _none),
    "add_contact": (1, _none),
    "agree_again": (2, _none),
    "pay_on_new_card": (1, _choice),
    "dispute": (3, _dispute),
    "dispute_decided": (3, _decision),
    "fraud_warning": (1, _place),
    "payout": (2, _payout),
    "card_replaced": (2, _none),
    "pay_several": (3, _none),
    "confirm": (3, _confirmation),
    "bank_payment": (3, _transfer),
    "hold": (1, _place),
    "lift_hold": (2, _none),
}


def _answer(dice: random.Random, most: int) -> Details:
    return {
        "action": dice.choice(_ANSWERS),
        "path": dice.choice(_PATHS),
        "after": dice.choice((0, 0, 1)),
        "times": dice.choice((1, 1, 2, 3, 3)),
    }


def _silence(dice: random.Random, most: int) -> Details:
    return {
        "done": dice.random() < 0.7,
        "path": dice.choice((_CONFIRM, _CONFIRM, _INTENTS, "/v1/payment_intents", "/v1/")),
        "times": dice.choice((1, 2, 3, 3, 6)),
        "reads": dice.random() < 0.6,
    }


def _point(dice: random.Random, most: int) -> Details:
    return {**_which(dice, most), "when": dice.choice(("before", "after"))}


def _beside(dice: random.Random, most: int) -> Details:
    return {**_which(dice, most), "minutes": dice.choice((0, 0, 16))}


def _which(dice: random.Random, most: int) -> Details:
    """Any of its commits, requests and letters; or one of a kind that matters."""
    if dice.random() < 0.5:
        return {"of": "", "number": dice.randint(1, dice.choice((8, most)))}
    return {"of": dice.choice(_POINTS), "number": dice.choice((1, 1, 2, 3))}


def _asleep(dice: random.Random, most: int) -> Details:
    return {"hours": dice.choice((3, 26, 50))}


def _chaos(dice: random.Random, most: int) -> Details:
    return {"mode": dice.choice(("doubled", "mixed", "held", "lost", "forged", "stale"))}


def _at_stripe(dice: random.Random, most: int) -> Details:
    modes = ("doubled", "told by two events", "late", "a day late", "dropped in part")
    return {"mode": dice.choice(modes), "of": dice.choice(("", "", "payment_intent", "refund|dispute"))}


_POINTS = (
    *("POST /v1/payment_intents$", "POST .*/confirm$", "POST .*/confirm$", "GET /v1/payment_intents/"),
    *("POST /v1/refunds$", "letter", "commit"),
)
# Commits, requests and letters: the worker's morning has many, a person's deed few.
_MOST_POINTS, _POINTS_OF_A_DEED = 40, 7
_PAYING = (_CONFIRM, _CONFIRM, _INTENTS, "/v1/payment_intents/pi_[^/]*$")
_AT_STRIPE: dict[str, tuple[str, ...]] = {
    "pay_several": _PAYING,
    "confirm": ("/v1/payment_intents/pi_",),
    "dispute_decided": ("/v1/",),
    "pay_now": _PAYING,
    "retry_now": _PAYING,
    "refund": (_REFUNDS,),
    "add_card": ("/v1/customers", "/v1/setup_intents", "/v1/payment_methods", "/v1/"),
    "remove_card": ("/detach$",),
    "stop_waiting": ("/v1/payment_intents/pi_",),
}
_BEFORE_A_DEED = ("fault", "silence", "kill", "kill", "beside")
WEATHER: dict[str, tuple[int, Callable[[random.Random, int], Details]]] = {
    "fault": (6, _answer),
    "silence": (4, _silence),
    "kill": (7, _point),
    "beside": (3, _beside),
    "asleep": (1, _asleep),
    "post": (4, _chaos),
    "chaos": (4, _at_stripe),
}
