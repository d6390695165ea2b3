"""What happens by itself: charging what is due, retrying, marking past due, finishing what was left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import DUE, Invoice
from callbill.domain.payments import _notices, _owing, _plan
from callbill.domain.payments._attempt import drive, tell_of_failure
from callbill.domain.payments._collection_run import Collected, RunKeeper, Tell, mark_broken_off
from callbill.domain.payments._preparing import LEASE, prepare
from callbill.domain.payments._refused import (
    AmountTooSmall,
    CardMustBeReplaced,
    CardNeedsConsent,
    CollectionStopped,
    NoCard,
    NotDueNow,
    OnHold,
    PaymentRefused,
    TriedEnough,
)
from callbill.domain.payments._silence import Answers
from callbill.domain.payments.gateway import OurMistake
from callbill.domain.payments.models import LIVE_STATES, CollectionPlan, PaymentAttempt, PaymentMethod
from callbill.lib.alive import alive, alone
from callbill.lib.crew import work_through
from callbill.lib.pace import Pace
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.dunning import Stop, Why
from callbill.rules.lifecycle import OWED, InvoiceStatus

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
_TRIGGER = PaymentAttempt.Trigger
_DEFAULT_CARD = PaymentMethod.objects.filter(payer_id=OuterRef("payer_id"), is_default=True, removed_at=None)
_CHARGEABLE_CARD = _DEFAULT_CARD.filter(needs_consent_since=None)
_SILENT = "Stripe did not answer for several customers in a row, so no more cards were charged."
_FOR_WANT_OF_A_CARD = (Stop.NO_CARD.value, Stop.NEEDS_CONSENT.value)
_LIVE = PaymentAttempt.objects.filter(invoice_id=OuterRef("id"), state__in=LIVE_STATES)


@dataclass(frozen=True, slots=True)
class _Job:
    """An invoice to charge, and why now."""

    invoice_id: UUID
    number: str
    payer_id: UUID
    has_card: bool
    trigger: str


@outside_transaction
def collect_due(
    *,
    now: datetime,
    pace: Pace | None = None,
    workers: int = 1,
    progress: Tell | None = None,
    clock: Clock | None = None,
) -> Collected:
    """Charge what is due: invoices just issued, retries whose time has come; then mark what is past due.

    Charges are started at `pace` (None: at once), `workers` payers at a time, one payer's one after another,
    also where two runs go at once: whoever comes second leaves that payer to the other;
    one worker is the calling thread, and its order is that of the invoices' numbers. The run is kept as a
    CollectionRun; `progress` is told how many of how many invoices were looked at. A run can take longer than
    a lease lasts, so `clock` tells the time of each charge; without one all of them are made at `now`.

    Safe to run at any time, twice, in several processes at once, and after a kill at any point (M26): what a
    run that died left is due still, or an attempt for the sweeper. One invoice's trouble does not stop the
    others, except our own mistake: then nobody begins another charge, staff are told, and nobody falls past
    due (M29). Nor when Stripe leaves several customers in a row without an answer: what was not begun is due
    in the next run, and not one more payment in doubt.
    """
    mark_broken_off(now=now)
    done = Collected()
    jobs = _due(now)
    run = RunKeeper(done, to_charge=len(jobs), now=now, tell=progress)
    with alive(run.row.id):
        run.begin()
        work_through(_by_payer(jobs), _charger(done, run, pace, clock or (lambda: now)), workers=workers)
        if done.answers.over:
            done.problems.append(_SILENT)
        if not done.over:
            for invoice_id in _past_due_by_date(now):
                done.past_due += _fall_past_due(invoice_id, now)
        run.finish()
    return done


def _charger(done: Collected, run: RunKeeper, pace: Pace | None, clock: Clock) -> Callable[[_Job], bool]:
    """What is done with each invoice; answers False when no more may be begun."""

    def charge(job: _Job) -> bool:
        if pace and job.has_card:
            pace.wait()
        if done.over:  # by what happened to somebody else, while this one waited for its turn
            return False
        _collect(done, job, clock())
        run.looked_at_one()
        return not done.over

    return charge


def _by_payer(jobs: Sequence[_Job]) -> list[list[_Job]]:
    """Each payer's invoices, in the order in which the first of each came."""
    queues: dict[UUID, list[_Job]] = {}
    for job in jobs:
        queues.setdefault(job.payer_id, []).append(job)
    return list(queues.values())


def _due(now: datetime) -> list[_Job]:
    """Invoices to charge now and why, by number: oldest first."""
    fresh = (
        Invoice.objects.alias(due=DUE)
        .filter(due__gt=0, status=InvoiceStatus.OPEN.value)
        .filter(
            Q(collection_plan=None)
            | Q(collection_plan__stopped_because__in=_FOR_WANT_OF_A_CARD) & Q(Exists(_CHARGEABLE_CARD))
        )
        .exclude(Exists(_LIVE))
    )
    again = _planned(now)
    return _jobs(
        (_TRIGGER.ISSUE, fresh),
        (_TRIGGER.NEW_CARD, again.filter(collection_plan__new_card=True)),
        (_TRIGGER.CYCLE, again),
    )


def _planned(now: datetime) -> QuerySet[Invoice]:
    return Invoice.objects.alias(due=DUE).filter(
        due__gt=0,
        status__in=OWED,
        collection_plan__next_attempt_at__lte=now,
    )


def _jobs(*reasons: tuple[PaymentAttempt.Trigger, QuerySet[Invoice]]) -> list[_Job]:
    """Each invoice once, for the first of its reasons."""
    found: dict[UUID, _Job] = {}
    for trigger, invoices in reasons:
        rows = invoices.values_list("id", "number", "payer_id", Exists(_DEFAULT_CARD))
        for invoice_id, number, payer_id, has_card in rows:
            found.setdefault(invoice_id, _Job(invoice_id, number or "", payer_id, has_card, trigger.value))
    return sorted(found.values(), key=lambda job: job.number)


@outside_transaction
def charge_new_cards(
    *,
    now: datetime,
    pace: Pace | None = None,
    clock: Clock | None = None,
    answers: Answers | None = None,
) -> Collected:
    """Charge what a new default card is to pay by itself; every minute, so that its owner need not wait.

    One after another, at `pace`; what this leaves, the hourly run takes too. Our own mistake stops it (M29),
    and a silent Stripe. `clock` as for `collect_due`, `answers` as for `sweep_attempts`.
    """
    done = Collected(answers=answers or Answers())
    for job in _jobs((_TRIGGER.NEW_CARD, _planned(now).filter(collection_plan__new_card=True))):
        if done.over:
            break
        if pace:
            pace.wait()
        _collect(done, job, clock() if clock else now)
    return done


def _collect(done: Collected, job: _Job, now: datetime) -> None:
    """Charge an invoice; what goes wrong is in `done`."""
    if job.payer_id in done.elsewhere:
        return
    try:
        # Stripe locks a customer while it is charged, so one run at a time has a payer's invoices.
        with alone(job.payer_id) as mine:
            if mine:
                _charge(done, job, now)
            else:
                done.elsewhere.add(job.payer_id)
    except OurMistake as error:
        done.problems.append(str(error))
        done.stopped = True
    except Exception as error:
        logger.exception("collecting invoice %s", job.number)
        done.problems.append(f"Invoice {job.number}: {error}")


def _charge(done: Collected, job: _Job, now: datetime) -> None:
    try:
        attempt = _prepare_if_still_due(job.invoice_id, job.trigger, now)
    except PaymentRefused as refused:
        _not_tried(job.invoice_id, job.trigger, refused, now)
        return
    try:
        done.answers.count(job.payer_id, drive(attempt_id=attempt.id, now=now))
    finally:
        done.count(attempt.id)


@in_transaction
def _prepare_if_still_due(invoice_id: UUID, trigger: str, now: datetime) -> PaymentAttempt:
    """T1, if nobody else was quicker. Raises NotDueNow, TriedEnough and prepare's refusals."""
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    plan = _plan.plan_of_or_none(invoice)
    if trigger == _TRIGGER.ISSUE:
        due = invoice.status == InvoiceStatus.OPEN.value and (
            plan is None or plan.stopped_because in _FOR_WANT_OF_A_CARD
        )
    else:
        due = plan is not None and plan.next_attempt_at is not None and plan.next_attempt_at <= now
    if not due:
        raise NotDueNow("It is not due any more.")
    if trigger in _plan.AUTOMATIC and _plan.tried_enough(plan):
        raise TriedEnough("Every automatic attempt was made.")
    attempt = prepare(invoice_id=invoice_id, trigger=trigger, now=now)
    # While the attempt lives the plan is empty; its end plans what follows.
    _plan.put(invoice, at=None)
    return attempt


@in_transaction
def _not_tried(invoice_id: UUID, trigger: str, refused: PaymentRefused, now: datetime) -> None:
    """Write down why an invoice was not tried, and tell the customer if it is for the customer to mend."""
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    if isinstance(refused, NoCard | CardNeedsConsent):
        missing = isinstance(refused, NoCard)
        later = _plan.next_cycle(invoice, now) if invoice.status == InvoiceStatus.PAST_DUE.value else None
        stop = Stop.NO_CARD if missing else Stop.NEEDS_CONSENT
        _plan.put(invoice, at=later, why=Why.CYCLE, because=stop)
        if missing and trigger == _TRIGGER.ISSUE:
            _notices.card_missing(invoice, now)
    elif isinstance(refused, AmountTooSmall):
        _plan.put(invoice, at=None, because=Stop.TOO_SMALL)
    elif isinstance(refused, OnHold):
        _plan.put(invoice, at=None, because=Stop.ON_HOLD)
    elif isinstance(refused, CollectionStopped):
        _plan.put(invoice, at=None, because=Stop.STOPPED)
    elif isinstance(refused, TriedEnough):
        _plan.put(invoice, at=None, because=Stop.TOO_MANY)
    elif isinstance(refused, CardMustBeReplaced):
        plan = _plan.plan_of_or_none(invoice)
        if plan is None or plan.next_attempt_at is None or plan.next_attempt_at > now:
            return
        this_cycle = plan.next_attempt_at.date().isoformat()
        _plan.put(invoice, at=_plan.next_cycle(invoice, now), why=Why.CYCLE, because=Stop.REPLACE_CARD)
        card = _plan.default_card(invoice.payer_id)
        if card is not None:
            _notices.replace_card(invoice, card, this_cycle, now)


def _past_due_by_date(now: datetime) -> list[UUID]:
    """Open invoices whose due date went by because there is no card that may be charged (M27).

    Not those that we failed to charge (M29), nor what is too small for a card.
    """
    plans = CollectionPlan.objects.filter(
        stopped_because__in=_FOR_WANT_OF_A_CARD,
        invoice__status=InvoiceStatus.OPEN.value,
        # A day early in UTC, so that no zone is missed; the exact day is decided with the row locked.
        invoice__due_date__lte=now.date() + timedelta(days=1),
    )
    return list(plans.order_by("invoice_id").values_list("invoice_id", flat=True))


@in_transaction
def _fall_past_due(invoice_id: UUID, now: datetime) -> bool:
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    plan = _plan.plan_of_or_none(invoice)
    because = plan.stopped_because if plan else ""
    if (
        not invoice.due_day_is_over(now)
        or because not in _FOR_WANT_OF_A_CARD
        or _plan.chargeable_card(invoice.payer_id) is not None
    ):
        return False
    if not _owing.to_charge(invoice).minor:  # all of it is held (M30)
        return False
    if not invoicing.fall_past_due(invoice_id=invoice_id, now=now):
        return False
    invoice.refresh_from_db()
    _plan.put(invoice, at=_plan.next_cycle(invoice, now), why=Why.CYCLE, because=Stop(because))
    _notices.past_due(invoice, now)
    return True


@outside_transaction
def sweep_attempts(*, now: datetime, clock: Clock | None = None, answers: Answers | None = None) -> Collected:
    """Go on with attempts whose worker is gone: killed, or left without an answer; `clock` as above.

    When no answer comes several times in a row, the rest waits for the next run; `answers` may count for
    other work of the same minute, too.
    """
    done = Collected(answers=answers or Answers())
    for attempt_id in _left_behind(now):
        if done.over:
            break
        at = clock() if clock else now
        if not _take(attempt_id, at):
            continue
        try:
            done.answers.count(attempt_id, drive(attempt_id=attempt_id, now=at, resumed=True))
            done.count(attempt_id)
        except OurMistake as error:
            done.problems.append(str(error))
            done.stopped = True
            return done
        except Exception as error:
            logger.exception("sweeping attempt %s", attempt_id)
            tell_of_failure(attempt_id, error, at)
            done.problems.append(f"attempt {attempt_id}: {error}")
    return done


def _left_behind(now: datetime) -> list[UUID]:
    attempts = PaymentAttempt.objects.filter(state__in=LIVE_STATES, lease_until__lte=now)
    return list(attempts.order_by("lease_until").values_list("id", flat=True))


def _take(attempt_id: UUID, now: datetime) -> bool:
    """Take the lease; False if another worker was quicker."""
    taken = PaymentAttempt.objects.filter(id=attempt_id, state__in=LIVE_STATES, lease_until__lte=now).update(
        lease_until=now + LEASE
    )
    return bool(taken)
