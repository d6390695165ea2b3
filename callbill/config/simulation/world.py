"""Living through a story, day by day: its steps at their minutes, and between them what the worker does.

Everything is done by the operations that pages, commands and the worker use. In the evening the faults end
and the sweeps have their time; then the invariants are looked at, and the day is written into the digest.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from callbill.config.simulation import chances, customers, deeds, faults, invariants, outcome
from callbill.config.simulation.figures import Figures
from callbill.config.simulation.ground import SECRETS, Ground
from callbill.config.simulation.killing import WIRE, Plan, die, in_a_fork, in_two_forks
from callbill.config.simulation.story import Step, Story, moment
from callbill.config.simulation.watch import Recoveries, Surprises, Violation
from callbill.domain.contracts import operations as contracts
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.customers.queries import Viewer, viewer_of
from callbill.domain.invoicing.queries import billed_until
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import PaymentMethod
from callbill.domain.users.models import User
from callbill.jobs import work
from callbill.lib import clock

# The worker's day. Between EVENING, when faults end, and the last of them, every sweep has its time.
_MORNING, _EVENING = 390, 1200
_BY_DAY = (_MORNING, 407, 1110)
_BY_NIGHT = (1201, 1222, 1290)
_LOOK = 1300
# What died half-way and somebody notices: the file is read again.
_DONE_AGAIN = {"calls", "late_calls", "repeated_calls", "corrected_calls", "change_payer"}


@dataclass(slots=True)
class Lived:
    """How a story went."""

    digest: str = ""
    days: int = 0
    figures: Figures = field(default_factory=Figures)
    violations: list[Violation] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)


class World:
    """One world in which a story is lived; `live` does it."""

    def __init__(self, ground: Ground, story: Story) -> None:
        self.ground, self.story, self.stripe = ground, story, ground.stripe
        self.now: datetime = moment(story, 0, 0)
        self.payers: dict[str, list[tuple[date, str]]] = {
            m.key: [(story.begins, m.payer)] for m in story.cast
        }
        self.handed_over: set[str] = set()
        self.weather = faults.Weather()
        self.lived = Lived()
        self.surprises = Surprises()
        self.recoveries = Recoveries()
        self.memory = invariants.Memory()

    # --- the whole story ----------------------------------------------------------------------------
    def live(self, *, progress: Callable[[int, int], None] | None = None, stop_early: bool = True) -> Lived:
        """Live through it; with `stop_early` only until the first day on which an invariant is broken."""
        self.ground.fresh()
        faults.use_key(SECRETS["STRIPE_SECRET_KEY"])
        WIRE.forget()
        book = outcome.Book()
        with self.surprises:
            self._go_to(0, 240)
            self.load_customers()
            self.memory.note_contacts(self.now)
            for day in range(self.story.days):
                try:
                    self._day(day)
                    found = self._look(day)
                    book.write(day, self)
                except Exception as error:
                    found = [Violation("can be lived", self._broke(error), day)]
                    stop_early = True
                self.lived.violations += found
                self.lived.days = day + 1
                if progress:
                    progress(day + 1, self.story.days)
                if self.lived.violations and stop_early:
                    break
        self.lived.digest = book.digest
        self.lived.diary = book.pages
        self._count()
        return self.lived

    def _broke(self, error: Exception) -> str:
        """Where the world itself broke; it cannot go on, but another one can begin."""
        WIRE.forget()
        connection.close()
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"[:400]

    def _day(self, day: int) -> None:
        steps = [step for step in self.story.steps if step.day == day]
        if not steps and self._quiet(day):
            self._go_to(day, _LOOK)
            self._tick(_LOOK, eventful=False)
            return
        events: list[tuple[int, int, Step | None]] = [(s.minute, n, s) for n, s in enumerate(steps)]
        events += [(minute, -1, None) for minute in (*_BY_DAY, *_BY_NIGHT)]
        for minute, _, step in sorted(events, key=lambda event: event[:2]):
            self._go_to(day, minute)
            if step is not None:
                self._perform(step)
            else:
                if minute > _EVENING:
                    self.weather.ends(self.stripe)
                self._tick(minute, eventful=bool(steps))
        self._go_to(day, _LOOK)
        self._tick(_LOOK, eventful=False)

    def _quiet(self, day: int) -> bool:
        """Whether the worker would find nothing all day long: no period ends, nothing waits or is due."""
        tomorrow = moment(self.story, day + 1, 0)
        return (
            day % 5 != 0
            and self.weather.asleep_until is None
            and not self.ground.post.holds_something
            and not chances.is_billed(self.story, day)
            and not invariants.anything_waits()
            and not invariants.anything_due(tomorrow)
        )

    def _go_to(self, day: int, minute: int) -> None:
        self.now = moment(self.story, day, minute)
        self.weather.passes(self.now)
        self.surprises.key_is_wrong = self.weather.wrong_key_until is not None
        self.surprises.all_is_well = minute > _EVENING
        clock.move_to(self.now)
        self.stripe.set_clock(self.now)

    # --- what happens -------------------------------------------------------------------------------
    def _perform(self, step: Step) -> None:
        self.lived.figures.steps += 1
        if step.deed in faults.WEATHER:
            faults.WEATHER[step.deed](self, step)
            self.surprises.key_is_wrong = self.weather.wrong_key_until is not None
            return
        said = self.do(lambda: self._deed(step), killable=True)
        if said is None and step.deed in _DONE_AGAIN:
            said = self._deed(step)
        self.memory.note_contacts(self.now)
        self.lived.diary.append(f"{step.day} {step.deed} {step.who}: {(said or {'said': 'died'})['said']}")
        if said:
            self.handed_over.update(said["handed"])
            for key, held in said["payers"].items():
                self.payers[key] = [(date.fromisoformat(day), payer) for day, payer in held]

    def _deed(self, step: Step) -> dict[str, Any]:
        """Do it; how it went, and what the world must remember of it, as JSON."""
        before = set(self.handed_over)
        said = self.surprises.told(step, lambda: deeds.DEEDS[step.deed](self, step), self.weather.bad)
        return {
            "said": said,
            "handed": sorted(self.handed_over - before),
            "payers": {k: [(day.isoformat(), p) for day, p in held] for k, held in self.payers.items()},
            "surprises": self.surprises.take() if self.surprises.in_fork else [],
        }

    def _tick(self, minute: int, *, eventful: bool) -> None:
        """What the worker does at a minute of the day. The web takes messages also while it sleeps.

        In truth it comes by every minute; where it would find nothing, the visit is left out.
        """
        self._carry()
        if self.weather.sleeps(self.now):
            return
        if (
            minute not in (_MORNING, _BY_NIGHT[-1])
            and not (eventful and minute == _BY_NIGHT[0])
            and not self.weather.two_at_once
            and not invariants.anything_waits()
        ):
            return
        # Two at once do an hour's work, whatever the minute: there is more to meet at.
        hour = _MORNING if self.weather.two_at_once else minute
        self.do(lambda: self._work(hour), killable=True)
        self.recoveries.note(self.now)

    def _carry(self) -> None:
        secret = SECRETS["STRIPE_WEBHOOK_SECRET"]
        carried = self.ground.post.carry(
            self.stripe, now=self.now, secret=secret, chaos=self.weather.chaos(self.story.seed, self.now)
        )
        self.lived.figures.messages += carried.brought

    def _work(self, minute: int) -> dict[str, Any]:
        """Its minute always; its hour in the morning, and what that does about payments at night too."""
        guard = self.surprises.guard
        guard(lambda: work.catch_up(now=self.now))
        if minute == _MORNING:
            guard(lambda: work.bill_and_collect(now=self.now, trigger="schedule"))
            guard(lambda: payments.card_expiry_notices(now=self.now))
        if minute in (_BY_NIGHT[0], _BY_NIGHT[-1]):
            guard(lambda: payments.collect_due(now=self.now))
        if minute in (_MORNING, _BY_NIGHT[0], _BY_NIGHT[-1]):
            guard(lambda: work.deliver(now=self.now))
        if minute == _BY_NIGHT[-1]:
            guard(lambda: work.read_lost_messages(now=self.now))
            guard(lambda: work.ask_about_chargebacks(now=self.now))
            guard(lambda: work.catch_up(now=self.now))
        return {"surprises": self.surprises.take() if self.surprises.in_fork else []}

    def do(self, what: Callable[[], dict[str, Any]], *, killable: bool) -> dict[str, Any] | None:
        """Do a piece of work as the weather has it: alone, dying on the way (None), or beside another."""
        planned = self.weather.take_plan() if killable else None
        if planned is None:
            return what()
        if planned.deed == "together":
            return self._together(what)
        if planned.details.get("when"):
            return self._dying(what, planned)
        given = planned.details
        plan = Plan(given["number"], "after", given.get("of", ""), lambda: self._beside(planned))
        WIRE.expect(plan)
        try:
            return what()
        finally:
            WIRE.expect(None)
            self.lived.figures.beside += plan.met

    def _dying(self, what: Callable[[], dict[str, Any]], planned: Step) -> dict[str, Any] | None:
        def inside() -> dict[str, Any]:
            self.surprises.in_fork = True
            given = planned.details
            WIRE.expect(Plan(given["number"], given["when"], given.get("of", ""), die))
            return what()

        fork = in_a_fork(inside)
        self.lived.figures.kills += fork.died
        if fork.said is not None:
            self.surprises.add(fork.said["surprises"])
        return None if fork.died else dict(fork.said)

    def _together(self, what: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """Two workers do it at the same time; which is first at what is up to the machine."""

        def inside() -> dict[str, Any]:
            self.surprises.in_fork = True
            return what()

        forks = in_two_forks(inside)
        self.weather.left_to_the_machine = True
        self.lived.figures.beside += 1
        for fork in forks:
            if fork.said is not None:
                self.surprises.add(fork.said["surprises"])
        return next((dict(fork.said) for fork in forks if fork.said is not None), None)

    def _beside(self, planned: Step) -> None:
        """While one worker is held up, another does all there is to do, and a person presses a button."""

        def inside() -> dict[str, Any]:
            WIRE.expect(None)
            self.surprises.in_fork = True
            self.now += timedelta(minutes=planned.details["minutes"])
            for key in self.story.payers:
                for deed in ("pay_now", "retry_now"):
                    self._deed(Step(planned.day, planned.minute, deed, key, {"place": 0}))
            return self._work(_MORNING)

        other = in_a_fork(inside)
        if not other.died:  # or it waited for what the first one holds, and could not go on
            self.surprises.add(other.said["surprises"])

    # --- looking ------------------------------------------------------------------------------------
    def _look(self, day: int) -> list[Violation]:
        calm = not self.weather.sleeps(self.now)
        found = invariants.broken(self, calm=calm, last=day == self.story.days - 1)
        if calm:  # last of all, because it mends what is late
            self.surprises.guard(lambda: work.reconcile(now=self.now))
            found += invariants.reconciled(self)
        found += [Violation("surprise", text) for text in self.surprises.take()]
        return [Violation(v.invariant, v.words, day) for v in found]

    def _count(self) -> None:
        figures = self.lived.figures
        figures.stories, figures.days = 1, self.lived.days
        figures.violations = len(self.lived.violations)
        figures.broken = int(figures.violations > 0)
        figures.faults_met = self.weather.met
        figures.faults_planted = self.weather.planted
        figures.longest_recovery_minutes = self.recoveries.longest
        figures.longest_recovery_sweeps = self.recoveries.most_sweeps
        outcome.count(self, figures)

    # --- who and when -------------------------------------------------------------------------------
    @property
    def today(self) -> date:
        """The day at the customers'."""
        return self.now.astimezone(ZoneInfo(customers.ZONE)).date()

    def wall(self, day: date, hour: int) -> datetime:
        """An hour of a day on the customers' wall, without an offset."""
        return datetime(day.year, day.month, day.day, hour)  # noqa: DTZ001 the operation wants wall time

    def payer(self, key: str) -> BillableEntity | None:
        """The company or organization as one that is billed; None if it never was."""
        kind = "organization" if any(m.organization == key for m in self.story.cast) else "company"
        return BillableEntity.objects.filter(**{f"{kind}__key": key}).first()

    def company(self, key: str) -> Company | None:
        """The company; None for an organization's key."""
        return Company.objects.filter(key=key).first()

    def administrator(self, key: str) -> Viewer:
        """Who looks after the payer's bills."""
        return viewer_of(User.objects.get(email=f"ann@{key}.example"))

    @property
    def staff_id(self) -> UUID:
        """A member of staff."""
        return User.objects.values_list("id", flat=True).get(email="sam@cic.example")

    def default_card(self, key: str) -> PaymentMethod | None:
        """The payer's default card."""
        return PaymentMethod.objects.filter(payer=self.payer(key), is_default=True, removed_at=None).first()

    def calls(self, first: date, until: date) -> Iterator[customers.MadeCall]:
        """Every call from the first day to before the last one, of all companies."""
        day = max(first, self.story.begins)
        while day < until:
            for member in self.story.cast:
                yield from customers.calls_of(self.story.seed, member.key, day)
            day += timedelta(days=1)

    def load_customers(self) -> None:
        """What `load-customers` does with the file as it is now."""
        path = self.ground.folder / "customers.toml"
        path.write_text(customers.customers_file(self.story, self.payers))
        file = contracts.read_customers_file(path)
        contracts.load_customers(file=file, now=self.now, billed_until=billed_until)

    def dice(self, what: str) -> random.Random:
        """Dice of their own for something in this story."""
        return random.Random(f"{what} {self.story.seed}")  # noqa: S311 no secret
