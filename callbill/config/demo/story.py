"""The year of the demo, lived day by day through the same operations as any other year.

Nothing is written into tables here: customers are loaded, calls imported, periods billed, cards saved at
the sandbox and charged, each at its moment. A file notes which steps are done; a step that was cut off is
taken again, and every step is one that may be taken twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from callbill.config.demo import scenes
from callbill.config.demo.sandbox import Sandbox
from callbill.config.demo.scenes import Stage, months_after
from callbill.domain.customers.queries import seller
from callbill.lib import clock

PASSWORD = "callbill-demo"  # noqa: S105 it stands in the file of the demo's customers
LOGINS = (
    ("dana@harbor-dental.example", "a customer: billing administrator of Harbor Dental Care"),
    ("luis@summit-plumbing.example", "a customer whose last payment was declined"),
    ("ruth@meridian-health.example", "the billing administrator of an organization of three companies"),
    ("sam@cic.example", "a member of staff"),
)


@dataclass(frozen=True)
class Step:
    """Something that happens at a moment; `key` names it for good, `says` is told while it happens."""

    moment: datetime
    key: str
    act: Callable[[Stage], None]
    says: str = ""


def live(
    *, data: Path, months: int, say: Callable[[str], None], check: Callable[[], None], sandbox: str
) -> None:
    """Live from where the demo was until now, the first time `months` back. `check` is asked between
    steps and may raise.

    `sandbox` is the Stripe sandbox's address; without one (a Stripe test key was given) no cards are
    saved, since only Stripe's own form could do that.
    """
    now = clock.now()
    diary = _Diary(data / "demo" / "diary.json", now.date(), months)
    at_sandbox = Sandbox(sandbox) if sandbox else None
    due = [step for step in steps(diary.first_day, diary.months, now) if step.key not in diary.done]
    if not due:
        return
    if at_sandbox:  # what happened in the past is applied here at once; webhooks begin with the present
        at_sandbox.tell(None, None)
    for step in due:
        check()
        if step.says:
            say(step.says)
        if at_sandbox:
            at_sandbox.set_clock(step.moment)
        step.act(Stage(data / "demo", diary.first_day, diary.months, step.moment, at_sandbox))
        diary.note(step.key)
    if at_sandbox:
        at_sandbox.set_clock(clock.now())


def steps(first_day: date, months: int, now: datetime) -> list[Step]:
    """Everything that happens from the first day until `now`, in order."""
    found = [step for step in _every_step(first_day, months, now) if step.moment <= now]
    return sorted(found, key=lambda step: step.moment)


def _every_step(first_day: date, months: int, now: datetime) -> Iterator[Step]:
    begin = _at(first_day, 8)
    yield Step(begin, "customers", scenes.load_customers, "Loading customers, people and contracts")
    yield Step(begin + timedelta(hours=1), "cards", scenes.save_first_cards, "Saving their cards")
    month, index = first_day, 0
    while _at(month, 0) <= now:
        following = months_after(month, 1)
        if index:
            yield from _turn_of_month(month, index)
        for day in (8, 16, 24):
            yield Step(_at(month.replace(day=day), 14), f"collect {month:%Y-%m}-{day}", scenes.collect)
        month, index = following, index + 1
    yield from _singular(first_day, months)
    today = now.date()
    if today.day > 1:
        begun = today.replace(day=1)
        yield Step(now, f"calls until {today}", _calls(begun, today), "Importing this month's calls")


def _turn_of_month(month: date, index: int) -> Iterator[Step]:
    """The calls of the month before come in, and it is billed."""
    before = months_after(month, -1)
    says = f"Living through {before:%B %Y}"
    late = False if index == scenes.LATE_MONTH else None
    yield Step(_at(month, 5), f"calls {before:%Y-%m}", _calls(before, month, late=late), says)
    yield Step(_at(month, 6), f"bill {before:%Y-%m}", scenes.bill)


def _singular(first_day: date, months: int) -> Iterator[Step]:
    """What happens once."""
    lost = months_after(first_day, scenes.LOST_CARD_MONTH)
    yield Step(_at(lost, 1), "lost card", scenes.report_card_lost)
    yield Step(_at(lost.replace(day=3), 15), "new card", scenes.save_new_card_and_pay)
    late = months_after(first_day, scenes.LATE_MONTH)
    handed_over = _calls(months_after(late, -1), late, late=True)
    yield Step(_at(late.replace(day=5), 9), "late calls", handed_over)
    outage = months_after(first_day, scenes.OUTAGE_MONTH)
    yield Step(_at(outage.replace(day=12), 16), "outage credit", scenes.credit_outage)
    yield Step(_at(months_after(first_day, months), 1), "declined card", scenes.let_bank_decline)


def _calls(first: date, until: date, *, late: bool | None = None) -> Callable[[Stage], None]:
    return lambda stage: scenes.import_calls(stage, first, until, late=late)


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


class _Diary:
    """Which steps are done, and when the year began; it belongs to one database, known by its seller's id."""

    def __init__(self, path: Path, today: date, months: int) -> None:
        self._path = path
        kept = json.loads(path.read_text()) if path.exists() else {}
        if kept.get("seller") != str(seller().id):
            kept = {}
        self.months: int = kept.get("months", months)
        self.first_day = date.fromisoformat(
            kept.get("first_day", months_after(today, -self.months).isoformat())
        )
        self.done: list[str] = kept.get("done", [])

    def note(self, key: str) -> None:
        """Write down that a step is done."""
        self.done.append(key)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(".new")
        page = {"seller": str(seller().id), "first_day": self.first_day.isoformat(), "months": self.months}
        scratch.write_text(json.dumps({**page, "done": self.done}, indent=1))
        scratch.replace(self._path)
