"""What must hold every evening, read from our tables and from Stripe's side; nothing here changes anything.

Each check yields a `Violation` that says which invariant, for whom, with figures. Some hold always; some only
once the worker was awake and had its time ("calm").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q

from callbill.config.simulation import money, standing, told
from callbill.config.simulation.moved import moved
from callbill.config.simulation.watch import Violation
from callbill.domain.customers.models import BillingContact
from callbill.domain.invoicing.models import CreditNote, Invoice, NumberSeries, Stretch
from callbill.domain.invoicing.queries import verify_all
from callbill.domain.notifications.models import Notification
from callbill.domain.payments.models import (
    LIVE_REFUNDS,
    LIVE_STATES,
    CollectionPlan,
    GatewayEvent,
    PaymentAttempt,
    PaymentIntent,
    PaymentMethod,
    Receipt,
    Refund,
)
from callbill.domain.reconciliation.models import Difference, ReconciliationRun
from callbill.domain.usage.models import Call, CallCorrection
from callbill.rules.dunning import can_be_charged
from callbill.rules.money import Money

if TYPE_CHECKING:
    from callbill.config.simulation.world import World

_A_DAY, _DAYS = timedelta(days=1), timedelta(days=3)
_ANSWER_COMES = timedelta(hours=26)
Found = Iterator[Violation]


@dataclass(slots=True)
class Memory:
    """What was seen on earlier evenings."""

    paid: set[str] = field(default_factory=set)
    # Since when an address gets a payer's mails.
    contacts: dict[tuple[Any, str], datetime] = field(default_factory=dict)

    def note_contacts(self, now: datetime) -> None:
        """Who gets mails from now on."""
        there = set(BillingContact.objects.values_list("payer_id", "email"))
        for gone in self.contacts.keys() - there:
            del self.contacts[gone]
        for each in there - self.contacts.keys():
            self.contacts[each] = now


def anything_waits() -> bool:
    """Whether the worker has, or will soon have, something to do beside the calendar."""
    return (
        PaymentAttempt.objects.filter(state__in=LIVE_STATES).exists()
        or Refund.objects.filter(state__in=LIVE_REFUNDS).exists()
        or GatewayEvent.objects.filter(handled_at=None, flagged_at=None).exists()
        or Notification.objects.filter(sent_at=None).exists()
        or CallCorrection.objects.filter(examined_at=None).exists()
    )


def anything_due(before: datetime) -> bool:
    """Whether a payment is to be tried, or an invoice falls past due, before this moment."""
    plans = CollectionPlan.objects.filter(next_attempt_at__lt=before)
    dates = Invoice.objects.filter(
        status="open", due_date__lte=before.date(), due_date__gte=before.date() - _DAYS
    )
    return plans.exists() or dates.exists()


def broken(world: World, *, calm: bool, last: bool) -> list[Violation]:
    """Every invariant that does not hold now."""
    there = money.AtStripe.now(world.stripe)
    found = [
        *money.paid_once(there),
        *money.nothing_out_of_nothing(there),
        *money.books(),
        *_numbers(),
        *_one_live_attempt(),
        *standing.states(world.memory.paid),
        *standing.past_due_for_a_reason(),
        *_calls(world),
        *told.matters(there, key_was_wrong=world.weather.key_was_wrong),
        *told.notices_once(there),
        *_attempts_apart(),
    ]
    if calm:
        found += [
            *money.same_money(there),
            *moved(there),
            *_nothing_stuck(world),
            *told.notices_given(world),
            *told.matters_told(there),
            *_collected(world),
        ]
    if last:
        found += _recomputed()
    return found


# --- rows -------------------------------------------------------------------------------------------
def _numbers() -> Found:
    """Numbers run from 1 without gaps, in each series."""
    series: tuple[tuple[str, Iterable[str | None]], ...] = (
        ("invoice", Invoice.objects.exclude(number=None).values_list("number", flat=True)),
        ("receipt", Receipt.objects.values_list("number", flat=True)),
        ("credit_note", CreditNote.objects.values_list("number", flat=True)),
    )
    following = dict(NumberSeries.objects.values_list("key", "next_number"))
    for key, numbers in series:
        given = sorted(int(str(number).rpartition("-")[2]) for number in numbers)
        if given != list(range(1, len(given) + 1)) or following.get(key, 1) != len(given) + 1:
            yield Violation(
                "numbers without gaps",
                f"{key}: {len(given)} were given, the last is {given[-1:]}, next is {following.get(key)}",
            )


def _one_live_attempt() -> Found:
    """One live attempt and one open payment for an invoice."""
    live = PaymentAttempt.objects.filter(state__in=LIVE_STATES).values("invoice__number")
    for row in live.annotate(n=Count("id")).filter(n__gt=1):
        yield Violation("one live attempt", f"{row['invoice__number']} has {row['n']}")
    intents = PaymentIntent.objects.filter(state="open").values("invoice__number")
    for row in intents.annotate(n=Count("id")).filter(n__gt=1):
        yield Violation("one live attempt", f"{row['invoice__number']} has {row['n']} open payments")


def _attempts_apart() -> Found:
    """An attempt begins when the one before has ended (M26), and none by itself at a decline (M28)."""
    ends: dict[Any, Any] = {}
    for attempt in PaymentAttempt.objects.select_related("invoice").order_by(
        "invoice_id", "created_at", "id"
    ):
        before = ends.get(attempt.invoice_id)
        if before is not None and (before.finished_at or attempt.created_at) > attempt.created_at:
            yield Violation(
                "one live attempt",
                f"{attempt.invoice.number}: an attempt began at {attempt.created_at:%d %b %H:%M}, the "
                f"one before ended at {before.finished_at:%d %b %H:%M}",
            )
        if before is not None and _twice_by_itself(before, attempt):
            yield Violation(
                "one live attempt",
                f"{attempt.invoice.number}: tried twice by itself at {attempt.created_at:%d %b %H:%M}",
            )
        ends[attempt.invoice_id] = attempt


def _twice_by_itself(before: PaymentAttempt, attempt: PaymentAttempt) -> bool:
    """Time stands still while a worker works, so two runs that collide begin at the same moment."""
    by_itself = {before.trigger, attempt.trigger} <= {"issue", "cycle"}
    return by_itself and before.state == "declined" and before.created_at == attempt.created_at


# --- calls --------------------------------------------------------------------------------------------
def _calls(world: World) -> Found:
    """Every call that was handed over is there once, and on one invoice, or not yet for a reason."""
    there = Counter(Call.objects.values_list("source_call_id", flat=True))
    for key, times in there.items():
        if times > 1:
            yield Violation("calls once", f"call {key} is there {times} times")
    for key in there.keys() - world.handed_over:
        yield Violation("calls once", f"call {key} is there and nobody handed it over")
    for key in world.handed_over - there.keys():
        yield Violation("calls once", f"call {key} was handed over and is not there")
    settled = dict(
        Call.objects.exclude(settlement_id=None).values_list("settlement_id").annotate(n=Count("id"))
    )
    live = Stretch.objects.exclude(section__invoice__status="void")
    counts = dict(live.values_list("id", "received"))
    for stretch_id in {*settled, *(key for key, received in counts.items() if received)}:
        if settled.get(stretch_id, 0) != counts.get(stretch_id, 0):
            yield Violation(
                "calls billed once",
                f"a stretch settled {settled.get(stretch_id, 0)} calls and billed {counts.get(stretch_id)}",
            )
    yield from _unbilled()


def _unbilled() -> Found:
    """A call of a billed period that is on no invoice came in after that company's latest invoice."""
    latest: dict[Any, Any] = {}
    rows = Stretch.objects.filter(kind="period").exclude(section__invoice__status="void")
    for company_id, end_day, issued_at in rows.values_list(
        "section__company_id", "section__invoice__end_day", "section__invoice__issued_at"
    ):
        if company_id not in latest or end_day > latest[company_id][0]:
            latest[company_id] = (end_day, issued_at)
    voided: defaultdict[Any, list[tuple[date, date]]] = defaultdict(list)
    withdrawn = Stretch.objects.filter(section__invoice__status="void", section__invoice__replaced_by=None)
    for company_id, first_day, end_day in withdrawn.values_list(
        "section__company_id", "first_day", "end_day"
    ):
        voided[company_id].append((first_day, end_day))
    waiting = Call.objects.filter(settlement_id=None).values_list(
        "company_id", "source_call_id", "started_at", "received_at"
    )
    for company_id, key, started_at, received_at in waiting:
        if company_id not in latest or any(
            first - _A_DAY <= started_at.date() <= end for first, end in voided[company_id]
        ):
            continue
        end_day, issued_at = latest[company_id]
        # A day's room, for the zone's midnight.
        if started_at.date() < end_day - _A_DAY and received_at < issued_at:
            yield Violation(
                "calls billed once",
                f"call {key} of {started_at:%Y-%m-%d}, known since {received_at:%Y-%m-%d}, is on no invoice; "
                f"the days until {end_day} were billed on {issued_at:%Y-%m-%d}",
            )


def _recomputed() -> Found:
    """Every invoice comes out the same when it is computed again from its calls and terms."""
    for _, differences in verify_all():
        for difference in differences[:1]:
            yield Violation("recomputed", str(difference))


# --- nothing silent, nothing stuck --------------------------------------------------------------------
def reconciled(world: World) -> Found:
    """Tonight's reconciliation, which asks in its own way, came to its end and found nothing that differs.

    Nor anything that was late, for the night's round had read every message before it.
    """
    run = ReconciliationRun.objects.filter(started_at=world.now).first()
    if run is None or run.finished_at is None or run.problem:
        yield Violation("reconciled", f"tonight's run did not end: {run and run.problem}")
    elif run.caught_up > len(_in_doubt(world, excused=True)):
        yield Violation("reconciled", f"{run.caught_up} things were late and nobody else had noticed")
    for difference in Difference.objects.filter(gone_at=None):
        yield Violation("reconciled", f"{difference.kind}: {difference.what}")


def _nothing_stuck(world: World) -> Found:
    """Nothing waits longer than the sweep that looks after it."""
    now = world.now
    for attempt in _in_doubt(world):
        yield Violation(
            "nothing stuck",
            f"{attempt.invoice.number}: an attempt is {attempt.state} since "
            f"{attempt.created_at:%d %b %H:%M}: {attempt.problem}",
        )
    for refund in Refund.objects.filter(state="prepared"):
        if not world.weather.excuses([f"refund:{refund.id}"], now):
            yield Violation(
                "nothing stuck", f"a refund is being made since {refund.created_at}: {refund.problem}"
            )
    events = GatewayEvent.objects.filter(
        handled_at=None, flagged_at=None, received_at__lte=now - _ANSWER_COMES
    )
    for event in events:
        yield Violation(
            "nothing stuck", f"message {event.kind} waits since {event.received_at}: {event.problem}"
        )
    failed = world.weather.mail_failed_at
    # What was refused more than once is tried more rarely.
    for mail in Notification.objects.filter(sent_at=None, created_at__lte=now - timedelta(minutes=40)):
        waits = bool(mail.claimed_until and mail.claimed_until > now and mail.tries > 1)
        if not (waits and failed and now - failed < _A_DAY):
            yield Violation(
                "nothing stuck", f"mail “{mail.subject}” waits since {mail.created_at}: {mail.problem}"
            )


def _in_doubt(world: World, *, excused: bool = False) -> list[PaymentAttempt]:
    """Attempts that wait for an answer, and which of them an error under their key excuses."""
    waiting = PaymentAttempt.objects.filter(state__in=("prepared", "submitted")).select_related("invoice")
    found = []
    for attempt in waiting:
        keys = (f"att:{attempt.id}", f"amount:{attempt.id}", f"pi:{attempt.intent_id}")
        if world.weather.excuses(keys, world.now) == excused:
            found.append(attempt)
    return found


def _collected(world: World) -> Found:
    """No charge is lost: an invoice with a card to charge was tried."""
    cards = set(
        PaymentMethod.objects.filter(is_default=True, removed_at=None).values_list("payer_id", flat=True)
    )
    tried = set(PaymentAttempt.objects.values_list("invoice_id", flat=True))
    plans = CollectionPlan.objects.filter(Q(next_attempt_at__gt=world.now) | Q(stopped_because__gt=""))
    planned = set(plans.values_list("invoice_id", flat=True))
    for invoice in Invoice.objects.filter(status="open", payer_id__in=cards):
        due = Money(invoice.due_minor, invoice.currency)
        if can_be_charged(due) and invoice.id not in tried | planned:
            yield Violation(
                "no lost charge", f"{invoice.number}: {due} are due and its card was never charged"
            )
