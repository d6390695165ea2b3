"""The year of the demo, lived day by day through the same operations as any other year.

Nothing is written into tables here: customers are loaded, calls imported, periods billed, cards saved at
the sandbox and charged, each at its moment. A file notes which steps are done; a step that was cut off is
taken again, and every step is one that may be taken twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from callbill.config.demo import banks, office, scenes
from callbill.config.demo.sandbox import Sandbox
from callbill.config.demo.stage import NEWER_MONTHS, Stage, collect, months_after
from callbill.domain.customers.queries import seller
from callbill.lib import clock

PASSWORD = "callbill-demo"  # noqa: S105 it stands in the file of the demo's customers
LOGINS = (
    ("dana@harbor-dental.example", "pays on time; her card expires soon"),
    (
        "june@lakeside-legal.example",
        "replaced a lost card; a charge made at Stripe by hand was found and given back",
    ),
    ("luis@summit-plumbing.example", "his last payment was declined; a part of it is on hold"),
    (
        "iris@cobalt-design.example",
        "her bank wants the last payment confirmed: see her mail, or her invoices",
    ),
    ("carl@tidewater-marina.example", "disputes two payments at the bank: one is lost, one is not decided"),
    ("wren@bluebird-bakery.example", "her bank warns that her last payment may be fraud"),
    (
        "paul@orchard-property.example",
        "paid by bank transfer: a few cents brought forward, a rest paid by card",
    ),
    (
        "gail@redwood-storage.example",
        "the bank replaced her card by one of another brand: she must agree again",
    ),
    ("nora@pinecrest-vet.example", "new, no card yet: two invoices to pay, one of them past due"),
    ("ruth@meridian-health.example", "an organization of three companies, one invoice; a refund to the card"),
    ("sam@cic.example", "staff: the console, with held and disputed, books and reconciliation"),
)

# The months, counted from the first, at whose turn something special happens.
LATE_MONTH, LOST_CARD_MONTH, OUTAGE_MONTH = 4, 7, 9
# Everything of the last month has happened on this day of it; before, the story ends a month earlier.
LAST_SCENE_DAY = 7
_OPEN_DAYS = 90  # so long a visitor finds the bank's question open


@dataclass(frozen=True)
class Step:
    """Something that happens at a moment; `key` names it for good, `says` is told while it happens."""

    moment: datetime
    key: str
    act: Callable[[Stage], None]
    says: str = ""


def live(
    *,
    data: Path,
    months: int,
    say: Callable[[str], None],
    check: Callable[[], None],
    sandbox: str,
    webhook: tuple[str, str] | None = None,
) -> None:
    """Live from where the demo was until now, the first time `months` back. `check` is asked between
    steps and may raise.

    `sandbox` is the Stripe sandbox's address; without one (a Stripe test key was given) no cards are
    saved, since only Stripe's own form could do that. `webhook` is where it delivers what happens today, and
    the secret.
    """
    now = clock.now()
    diary = _Diary(data / "demo" / "diary.json", now.date(), months)
    at_sandbox = Sandbox(sandbox) if sandbox else None
    due = [step for step in steps(diary.first_day, diary.months, now) if step.key not in diary.done]
    if not due:
        return
    if at_sandbox:  # what happened in the past is applied here at once; webhooks begin with the present
        at_sandbox.tell(None, None)
    # What staff are told is in the console; here it would look like something wrong with the demo.
    logging.getLogger("callbill.domain.payments._alerts").setLevel(logging.CRITICAL)
    for step in due:
        check()
        if step.says:
            say(step.says)
        if at_sandbox:
            at_sandbox.set_clock(step.moment)
        step.act(Stage(data / "demo", diary.first_day, diary.months, step.moment, at_sandbox, webhook))
        diary.note(step.key)
    if at_sandbox:
        at_sandbox.set_clock(clock.now())


def steps(first_day: date, months: int, now: datetime) -> list[Step]:
    """Everything that happens from the first day until `now`, in order."""
    found = [step for step in _every_step(first_day, months, now) if step.moment <= now]
    return sorted(found, key=lambda step: step.moment)


def first_day(today: date, months: int) -> date:
    """The first day of a story that ends today."""
    return months_after(today - timedelta(days=LAST_SCENE_DAY), -months)


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
            yield Step(_at(month.replace(day=day), 14), f"collect {month:%Y-%m}-{day}", collect)
        month, index = following, index + 1
    yield from _singular(first_day, months)
    yield from _last_quarter(first_day, months)
    yield from _today(first_day, months, now)


def _turn_of_month(month: date, index: int) -> Iterator[Step]:
    """The calls of the month before come in, it is billed, Stripe pays out, and all is compared."""
    before = months_after(month, -1)
    says = f"Living through {before:%B %Y}"
    late = False if index == LATE_MONTH else None
    yield Step(_at(month, 5), f"calls {before:%Y-%m}", _calls(before, month, late=late), says)
    yield Step(_at(month, 6), f"bill {before:%Y-%m}", scenes.bill)
    yield Step(_at(month.replace(day=4), 9), f"payout {before:%Y-%m}", banks.pay_out)
    yield Step(_at(month.replace(day=7), 4), f"reconcile {before:%Y-%m}", banks.reconcile)


def _singular(first_day: date, months: int) -> Iterator[Step]:
    """What happens once in the year."""
    lost = months_after(first_day, LOST_CARD_MONTH)
    yield Step(_at(lost, 1), "lost card", banks.report_card_lost)
    yield Step(_at(lost.replace(day=3), 15), "new card", scenes.save_new_card_and_pay)
    late = months_after(first_day, LATE_MONTH)
    handed_over = _calls(months_after(late, -1), late, late=True)
    yield Step(_at(late.replace(day=5), 9), "late calls", handed_over)
    outage = months_after(first_day, OUTAGE_MONTH)
    yield Step(_at(outage.replace(day=12), 16), "outage credit", office.credit_outage)


def _last_quarter(first_day: date, months: int) -> Iterator[Step]:
    """What the logins show: payments that did not simply go through, in the last months."""
    newer = months_after(first_day, max(months - NEWER_MONTHS, 0))
    yield Step(_at(newer, 10), "newer cards", scenes.save_newer_cards)
    two_ago, one_ago, last = (months_after(first_day, months - back) for back in (2, 1, 0))
    if months > 3:
        three_ago = months_after(first_day, months - 3)
        yield Step(_at(three_ago.replace(day=9), 13), "transfer", office.transfer_all)
    if months > 2:
        yield Step(_at(two_ago.replace(day=10), 13), "short transfer", office.transfer_too_little)
        yield Step(_at(one_ago.replace(day=5), 15), "refund", office.refund_fee)
        lost = partial(banks.dispute, reason="product_not_received", due_in_days=21)
        yield Step(_at(one_ago.replace(day=6), 11), "first dispute", lost)
        yield Step(_at(one_ago.replace(day=9), 13), "part by transfer", office.transfer_a_part)
        yield Step(_at(one_ago.replace(day=11), 10), "card for the rest", office.card_for_the_rest)
        yield Step(_at(one_ago.replace(day=20), 12), "dispute lost", banks.decide_for_cardholder)
        yield Step(_at(one_ago.replace(day=26), 10), "card replaced", banks.replace_card)
    yield Step(_at(last, 1), "declined card", banks.let_bank_decline)
    yield Step(_at(last, 2), "payment to confirm", banks.want_the_cardholder)
    yield Step(_at(last.replace(day=2), 15), "part on hold", office.hold_a_part)
    open_still = partial(banks.dispute, reason="unrecognized", due_in_days=_OPEN_DAYS)
    yield Step(_at(last.replace(day=3), 11), "second dispute", open_still)
    yield Step(_at(last.replace(day=5), 17), "charge by hand", banks.charge_by_hand)
    yield Step(_at(last.replace(day=7), 14), "charge explained", banks.explain_charge)


def _today(first_day: date, months: int, now: datetime) -> Iterator[Step]:
    """What happens when the demo is started."""
    today = now.date()
    if today.day > 1:
        begun = today.replace(day=1)
        yield Step(now, f"calls until {today}", _calls(begun, today), "Importing this month's calls")
    if today >= months_after(first_day, months).replace(day=LAST_SCENE_DAY):
        yield Step(now, "fraud warning", banks.warn_of_fraud)
    yield Step(now, f"reconcile {today}", banks.reconcile, "Comparing payments, books and Stripe")


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
        self.first_day = date.fromisoformat(kept.get("first_day", first_day(today, self.months).isoformat()))
        self.done: list[str] = kept.get("done", [])

    def note(self, key: str) -> None:
        """Write down that a step is done."""
        self.done.append(key)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_suffix(".new")
        page = {"seller": str(seller().id), "first_day": self.first_day.isoformat(), "months": self.months}
        scratch.write_text(json.dumps({**page, "done": self.done}, indent=1))
        scratch.replace(self._path)
