"""The weather of a story: answers garbled or lost, workers that die, sleep, or meet each other."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callbill.config.simulation.ground import SECRETS
from callbill.config.simulation.killing import WIRE, Silence
from callbill.config.simulation.post import Chaos
from callbill.config.simulation.story import Step
from callbill.config.simulation.stripe_side import StripeSide

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


# Stripe repeats a 500 under its key for a day: so long may such an attempt wait, and a sweep more.
A_KEY_LASTS = timedelta(hours=26)
# What is late comes half a minute before a whole one: the sandbox's clock goes on by itself, and whether a
# message is there when the worker comes by at the minute must not depend on how fast this machine is.
_BEFORE = 30
# How the sandbox itself upsets what it sends (its README, chaos). Out of order, forged and stale
# messages are made on the way (post.py), where their order can be the same each time.
_AT_STRIPE: dict[str, dict[str, Any]] = {
    "doubled": {"duplicate": 1},
    "told by two events": {"twin": True},
    "late": {"delay": 3 * 3600 - _BEFORE},
    "a day late": {"delay": 26 * 3600 - _BEFORE},
    "dropped in part": {"drop": "1/2"},
}


@dataclass(slots=True)
class Weather:
    """What is planted now. It ends in the evening, but for a worker that sleeps longer."""

    bad: bool = False
    planted: int = 0
    met: int = 0
    asleep_until: datetime | None = None
    wrong_key_until: datetime | None = None
    key_was_wrong: bool = False
    mail_failed_at: datetime | None = None
    # Since two workers met as their machine had it, a story's days are not the same each time.
    left_to_the_machine: bool = False
    repeated_500: dict[str, datetime] = field(default_factory=dict)
    _naps: list[tuple[datetime, datetime]] = field(default_factory=list)
    _plans: list[Step] = field(default_factory=list)
    _chaos: list[str] = field(default_factory=list)
    _waiting: int = 0
    _at_stripe: bool = False

    def take_plan(self) -> Step | None:
        """The kill, or the meeting of two workers, that the next piece of work is to have."""
        return self._plans.pop(0) if self._plans else None

    @property
    def two_at_once(self) -> bool:
        """Whether the next piece of work is to be done by two at the same time."""
        return bool(self._plans) and self._plans[0].deed == "together"

    def plan(self, step: Step) -> None:
        """Something for the next piece of work."""
        self._plans.append(step)
        self.bad = True

    def upset(self, mode: str) -> None:
        """Messages are upset on their way until the evening."""
        self._chaos.append(mode)

    def upset_at_stripe(self) -> None:
        """The sandbox upsets its messages until the evening; what it put off stays put off."""
        self._at_stripe = True

    def count(self, times: int) -> None:
        """So many answers were planted to be garbled or lost."""
        self.planted += times
        self._waiting += times
        self.bad = True

    def chaos(self, seed: int, now: datetime) -> list[Chaos]:
        """What happens to messages at this moment."""
        return [Chaos(mode, random.Random(f"{seed} {now}")) for mode in self._chaos]  # noqa: S311

    def sleeps(self, now: datetime) -> bool:
        """Whether no worker runs."""
        if self.asleep_until is not None and self.asleep_until <= now:
            self.asleep_until = None
        return self.asleep_until is not None

    def sleep(self, now: datetime, hours: timedelta) -> None:
        """No worker runs from now on, for so long."""
        self.asleep_until = now + hours
        self._naps.append((now, now + hours))

    def slept_since(self, moment: datetime) -> timedelta:
        """For how long no worker has run, or will not, after this moment."""
        return sum((end - max(begin, moment) for begin, end in self._naps if end > moment), timedelta(0))

    def excuses(self, keys: Collection[str], now: datetime) -> bool:
        """Whether Stripe still repeats a 500 that it kept under one of these keys, or did until just now.

        It keeps an answer for a day; then the next sweep settles it, if a worker is awake.
        """
        met = [self.repeated_500[key] for key in keys if key in self.repeated_500]
        return any(now - at < A_KEY_LASTS + self.slept_since(at) for at in met)

    def passes(self, now: datetime) -> None:
        """Time goes on: somebody puts the key right at last."""
        if self.wrong_key_until is not None and self.wrong_key_until <= now:
            self.wrong_key_until = None
            use_key(SECRETS["STRIPE_SECRET_KEY"])

    def ends(self, stripe: StripeSide) -> None:
        """Evening: Stripe and the network are well again."""
        if self._waiting:
            for entry in stripe.switch("GET", "/log"):
                if entry["idempotency_key"] and str(entry["fault"]).startswith("500"):
                    at = datetime.fromtimestamp(entry["at"], UTC)
                    self.repeated_500.setdefault(entry["idempotency_key"], at)
            left = sum(fault["times"] for fault in stripe.switch("GET", "/faults"))
            left += sum(silence.times for silence in WIRE.silences)
            self.met += self._waiting - left
            stripe.switch("DELETE", "/faults")
        if self._at_stripe:
            stripe.switch("DELETE", "/webhooks/chaos")
            self._at_stripe = False
        WIRE.silences.clear()
        WIRE.refused_letters = 0
        self._plans.clear()
        self._chaos.clear()
        self._waiting = 0
        self.bad = False


def fault(world: World, step: Step) -> None:
    """The sandbox answers some requests as a Stripe that is not well would."""
    given = dict(step.details)
    world.stripe.switch("POST", "/faults", {"method": None, **given})
    world.weather.count(given["times"])


def silence(world: World, step: Step) -> None:
    """The answers to some requests never come."""
    given = step.details
    WIRE.silences.append(Silence(given["path"], given["done"], given["times"], given["reads"]))
    world.weather.count(given["times"])


def plan(world: World, step: Step) -> None:
    """The next piece of work dies on its way, or meets another worker."""
    world.weather.plan(step)


def asleep(world: World, step: Step) -> None:
    """No worker runs for some hours."""
    world.weather.sleep(world.now, timedelta(hours=step.details["hours"]))


def post(world: World, step: Step) -> None:
    """Stripe's messages are upset on their way for the rest of the day."""
    world.weather.upset(step.details["mode"])


def chaos(world: World, step: Step) -> None:
    """Stripe itself delays, doubles or drops its messages of some types for the rest of the day."""
    given = step.details
    world.stripe.switch("POST", "/webhooks/chaos", {"for": given["of"], **_AT_STRIPE[given["mode"]]})
    world.weather.upset_at_stripe()


def bad_key(world: World, step: Step) -> None:
    """Somebody put a wrong key into the settings, and it is noticed after some hours."""
    world.weather.wrong_key_until = world.now + timedelta(hours=step.details["hours"])
    world.weather.key_was_wrong = True
    use_key("sk_wrong")


def use_key(key: str) -> None:
    """The product asks Stripe with this key from now on, as if it had been started with it."""
    from django.conf import settings

    from callbill.domain.payments import gateway

    settings.STRIPE_SECRET_KEY = key
    gateway._made.cache_clear()


def mail_down(world: World, step: Step) -> None:
    """The mail server takes none of the next letters."""
    WIRE.refused_letters += step.details["letters"]
    world.weather.mail_failed_at = world.now


WEATHER: dict[str, Callable[[World, Step], None]] = {
    "fault": fault,
    "silence": silence,
    "kill": plan,
    "beside": plan,
    "together": plan,
    "asleep": asleep,
    "post": post,
    "chaos": chaos,
    "bad_key": bad_key,
    "mail_down": mail_down,
}
