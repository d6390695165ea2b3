"""A story: who takes part, and what people, banks, networks and processes do, as plain data from one seed.

Steps name things by the keys of companies and by their place (the second card, the oldest unpaid invoice),
never by ids, so that a story can be written to a file, shortened, and lived again exactly.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

DAYS_AFTER = 5
_MONTH = timedelta(days=31)
_CONTRACTS = ("calls", "calls", "minutes", "minutes", "fees", "fees", "taxed", "taxed", "small")
# One of them has no cents.
_CURRENCIES = ("USD", "EUR", "JPY")
FAULTS = ("none", "some", "many")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens: on which day (0 is the first), at which minute of it, what, to whom."""

    day: int
    minute: int
    deed: str
    who: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> list[Any]:
        """As one line of a story's file."""
        return [
            self.day,
            f"{self.minute // 60:02d}:{self.minute % 60:02d}",
            self.deed,
            self.who,
            dict(self.details),
        ]

    @classmethod
    def from_json(cls, row: list[Any]) -> Step:
        """Read from a story's file."""
        day, at, deed, who, details = row
        hour, _, minute = at.partition(":")
        return cls(day, int(hour) * 60 + int(minute), deed, who, details)


@dataclass(frozen=True, slots=True)
class Member:
    """A company of the cast: its organization, who pays for it from the start, and what kind of contract."""

    key: str
    organization: str
    payer: str  # "company" or "organization"
    billing_day: int
    contract: str
    currency: str = "USD"

    @property
    def billed(self) -> str:
        """The key of who pays for it at the start."""
        return self.organization if self.payer == "organization" else self.key


@dataclass(frozen=True, slots=True)
class Story:
    """All of it. `steps` are in order; `days` says how long it is lived."""

    seed: int
    first_day: date
    days: int
    ladder: tuple[int, ...]
    cast: tuple[Member, ...]
    steps: tuple[Step, ...]

    @property
    def begins(self) -> date:
        """When the contracts begin: about a month before the story, so that it begins with invoices."""
        return (self.first_day.replace(day=1) - timedelta(days=1)).replace(day=1)

    @property
    def payers(self) -> tuple[str, ...]:
        """Keys of all who can be billed: companies and organizations."""
        return tuple(dict.fromkeys(key for m in self.cast for key in (m.organization, m.key) if key))

    def currency_of(self, company: str) -> str:
        """In which a company is billed."""
        return next(member.currency for member in self.cast if member.key == company)

    def with_steps(self, steps: tuple[Step, ...], days: int | None = None) -> Story:
        """The same story with other steps."""
        return replace(self, steps=steps, days=self.days if days is None else days)

    def write(self, path: Path, **more: Any) -> None:
        """Keep it in a file for --replay; `more` is written beside it."""
        head = {
            "seed": self.seed,
            "first_day": self.first_day.isoformat(),
            "days": self.days,
            "ladder": list(self.ladder),
            "cast": [list(astuple(member)) for member in self.cast],
            **more,
        }
        rows = ",\n  ".join(json.dumps(step.to_json()) for step in self.steps)
        path.write_text(json.dumps(head, indent=1)[:-2] + f',\n "steps": [\n  {rows}\n ]\n}}\n')

    @classmethod
    def read(cls, path: Path) -> Story:
        """Read what `write` wrote. Raises ValueError, KeyError or OSError for anything else."""
        kept = json.loads(path.read_text())
        return cls(
            seed=kept["seed"],
            first_day=date.fromisoformat(kept["first_day"]),
            days=kept["days"],
            ladder=tuple(kept["ladder"]),
            cast=tuple(Member(*row) for row in kept["cast"]),
            steps=tuple(Step.from_json(row) for row in kept["steps"]),
        )


def kept_digest(path: Path) -> str:
    """The digest that was written beside a story, "" without any."""
    return str(json.loads(path.read_text()).get("digest", ""))


def of_seed(seed: int, *, months: int, companies: int, faults: str) -> Story:
    """The story of a seed; the same arguments give the same story on every machine."""
    from callbill.config.simulation import chances, later

    dice = random.Random(f"callbill {seed} {months} {companies} {faults}")  # noqa: S311 no secret
    # A short story begins where it likes in its month, and everybody's billing day is among its first three.
    first_day = date(2027, dice.randint(1, 12), 1 if months else dice.choice((1, 8, 15)))
    end = first_day
    for _ in range(months):
        end = (end + _MONTH).replace(day=1)
    days = (end - first_day).days + DAYS_AFTER
    story = Story(
        seed=seed,
        first_day=first_day,
        days=days,
        ladder=dice.choice(((), (), (1, 3), (3, 5))),
        cast=_cast(dice, seed, companies, (1, 8, 15, 22) if months else _first_days(first_day)),
        steps=(),
    )
    steps = [*chances.calls(story), *chances.people(dice, story)]
    acted = list(chances.played(dice, story, faults))
    steps += [*chances.weather(dice, story, steps, faults, acted), *acted, *later.added(story, faults)]
    return story.with_steps(tuple(sorted(steps, key=lambda step: (step.day, step.minute))))


def _first_days(first_day: date) -> tuple[int, ...]:
    return (first_day.day, first_day.day, first_day.day + 1, first_day.day + 2)


def _cast(
    dice: random.Random, seed: int, companies: int, billing_days: tuple[int, ...]
) -> tuple[Member, ...]:
    """Companies c1, c2...; with three or more, the first two belong to the organization o1.

    Those two have one currency, as everybody has who may come to be billed together.
    """
    cast = []
    # Dice of its own, so that nothing else of a seed's story depends on it.
    money = random.Random(f"currencies {seed}")  # noqa: S311 no secret
    together = dice.choice((billing_days[0], billing_days[2]))
    for number in range(1, companies + 1):
        organization = "o1" if companies >= 3 and number <= 2 else ""
        joined = organization and (number == 1 or dice.random() < 0.6)
        cast.append(
            Member(
                key=f"c{number}",
                organization=organization,
                payer="organization" if joined else "company",
                billing_day=together if organization else dice.choice(billing_days),
                contract=dice.choice(_CONTRACTS),
                currency="USD" if number <= 2 else money.choice(_CURRENCIES),
            )
        )
    return tuple(cast)


def moment(story: Story, day: int, minute: int) -> datetime:
    """When a minute of a day of the story is, in UTC."""
    from datetime import UTC

    midnight = datetime(story.first_day.year, story.first_day.month, story.first_day.day, tzinfo=UTC)
    return midnight + timedelta(days=day, minutes=minute)
