"""What happens by itself: charging what is due, retrying, marking past due, finishing what was left."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import DUE, Invoice
from callbill.domain.payments import _notices, _owing, _plan
from callbill.domain.payments._attempt import LEASE, drive, prepare
from callbill.domain.payments._refused import (
    AmountTooSmall,
    CardMustBeReplaced,
    CollectionStopped,
    NoCard,
    NotDueNow,
    OnHold,
    PaymentRefused,
)
from callbill.domain.payments.gateway import OurMistake
from callbill.domain.payments.models import LIVE_STATES, CollectionPlan, PaymentAttempt, PaymentMethod
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.dunning import Stop
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import local_day

logger = logging.getLogger(__name__)
_TRIGGER = PaymentAttempt.Trigger
_DEFAULT_CARD = PaymentMethod.objects.filter(payer_id=OuterRef("payer_id"), is_default=True, removed_at=None)
_LIVE = PaymentAttempt.objects.filter(invoice_id=OuterRef("id"), state__in=LIVE_STATES)


@dataclass(slots=True)
class Collected:
    """What a run did: attempts by the state they are in now, invoices that fell past due, what went wrong.

    `stopped` says that a mistake of ours ended the run before it was through (M29).
    """

    attempts: dict[str, int] = field(default_factory=dict)
    past_due: int = 0
    problems: list[str] = field(default_factory=list)
    stopped: bool = False

    def count(self, attempt_id: UUID) -> None:
        """Count an attempt by its state."""
        state = PaymentAttempt.objects.values_list("state", flat=True).get(id=attempt_id)
        self.attempts[state] = self.attempts.get(state, 0) + 1


@outside_transaction
def collect_due(*, now: datetime) -> Collected:
    """Charge what is due: invoices just issued, retries whose time has come; then mark what is past due.

    Safe to run at any time, twice, and in several processes at once (M26). One invoice's trouble does not
    stop the others, except our own mistake: then the rest waits, staff are told, and nobody falls past due.
    """
    done = Collected()
    for invoice_id, trigger in _due(now):
        try:
            _collect(done, invoice_id, trigger, now)
        except OurMistake as error:
            done.problems.append(str(error))
            done.stopped = True
            return done
        except Exception as error:
            logger.exception("collecting invoice %s", invoice_id)
            done.problems.append(f"invoice {invoice_id}: {error}")
    for invoice_id in _past_due_by_date(now):
        done.past_due += _fall_past_due(invoice_id, now)
    return done


def _due(now: datetime) -> list[tuple[UUID, str]]:
    """Invoices to charge now and why, oldest first."""
    fresh = (
        Invoice.objects.alias(due=DUE)
        .filter(due__gt=0, status=InvoiceStatus.OPEN.value)
        .filter(
            Q(collection_plan=None)
            | Q(collection_plan__stopped_because=Stop.NO_CARD.value) & Q(Exists(_DEFAULT_CARD))
        )
        .exclude(Exists(_LIVE))
    )
    again = Invoice.objects.alias(due=DUE).filter(
        due__gt=0,
        status__in=(InvoiceStatus.OPEN.value, InvoiceStatus.PAST_DUE.value),
        collection_plan__next_attempt_at__lte=now,
    )
    found: dict[UUID, str] = {}
    for trigger, invoices in ((_TRIGGER.ISSUE, fresh), (_TRIGGER.CYCLE, again)):
        for invoice_id in invoices.order_by("id").values_list("id", flat=True):
            found.setdefault(invoice_id, trigger.value)
    return list(found.items())


def _collect(done: Collected, invoice_id: UUID, trigger: str, now: datetime) -> None:
    try:
        attempt = _prepare_if_still_due(invoice_id, trigger, now)
    except PaymentRefused as refused:
        _not_tried(invoice_id, trigger, refused, now)
        return
    try:
        drive(attempt_id=attempt.id, now=now)
    finally:
        done.count(attempt.id)


@in_transaction
def _prepare_if_still_due(invoice_id: UUID, trigger: str, now: datetime) -> PaymentAttempt:
    """T1, if nobody else was quicker. Raises NotDueNow and prepare's refusals."""
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    plan = _plan.plan_of_or_none(invoice)
    if trigger == _TRIGGER.ISSUE:
        due = invoice.status == InvoiceStatus.OPEN.value and (
            plan is None or plan.stopped_because == Stop.NO_CARD.value
        )
    else:
        due = plan is not None and plan.next_attempt_at is not None and plan.next_attempt_at <= now
    if not due:
        raise NotDueNow("It is not due any more.")
    attempt = prepare(invoice_id=invoice_id, trigger=trigger, now=now)
    # While the attempt lives the plan is empty; its end plans what follows.
    _plan.put(invoice, at=None)
    return attempt


@in_transaction
def _not_tried(invoice_id: UUID, trigger: str, refused: PaymentRefused, now: datetime) -> None:
    """Write down why an invoice was not tried, and tell the customer if it is for the customer to mend."""
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    if isinstance(refused, NoCard):
        later = _plan.next_cycle(invoice, now) if invoice.status == InvoiceStatus.PAST_DUE.value else None
        _plan.put(invoice, at=later, because=Stop.NO_CARD)
        if trigger == _TRIGGER.ISSUE:
            _notices.card_missing(invoice, now)
    elif isinstance(refused, AmountTooSmall):
        _plan.put(invoice, at=None, because=Stop.TOO_SMALL)
    elif isinstance(refused, OnHold):
        _plan.put(invoice, at=None, because=Stop.ON_HOLD)
    elif isinstance(refused, CollectionStopped):
        _plan.put(invoice, at=None, because=Stop.STOPPED)
    elif isinstance(refused, CardMustBeReplaced):
        plan = _plan.plan_of_or_none(invoice)
        if plan is None or plan.next_attempt_at is None or plan.next_attempt_at > now:
            return
        this_cycle = plan.next_attempt_at.date().isoformat()
        _plan.put(invoice, at=_plan.next_cycle(invoice, now), because=Stop.REPLACE_CARD)
        card = _plan.default_card(invoice.payer_id)
        if card is not None:
            _notices.replace_card(invoice, card, this_cycle, now)


def _past_due_by_date(now: datetime) -> list[UUID]:
    """Open invoices whose due date went by because there is no card to charge (M27).

    Not those that we failed to charge (M29), nor what is too small for a card.
    """
    plans = CollectionPlan.objects.filter(
        stopped_because=Stop.NO_CARD.value,
        invoice__status=InvoiceStatus.OPEN.value,
        # A day early in UTC, so that no zone is missed; the exact day is decided with the row locked.
        invoice__due_date__lte=now.date() + timedelta(days=1),
    )
    return list(plans.order_by("invoice_id").values_list("invoice_id", flat=True))


@in_transaction
def _fall_past_due(invoice_id: UUID, now: datetime) -> bool:
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    plan = _plan.plan_of_or_none(invoice)
    gone = invoice.due_date is not None and local_day(now, invoice.time_zone) > invoice.due_date
    waiting = plan is not None and plan.stopped_because == Stop.NO_CARD.value
    if not gone or not waiting or _plan.default_card(invoice.payer_id) is not None:
        return False
    if not _owing.to_charge(invoice).minor:  # all of it is held (M30)
        return False
    if not invoicing.fall_past_due(invoice_id=invoice_id, now=now):
        return False
    invoice.refresh_from_db()
    _plan.put(invoice, at=_plan.next_cycle(invoice, now), because=Stop.NO_CARD)
    _notices.past_due(invoice, now)
    return True


@outside_transaction
def sweep_attempts(*, now: datetime) -> Collected:
    """Go on with attempts whose worker is gone: killed, or left without an answer."""
    done = Collected()
    for attempt_id in _left_behind(now):
        if not _take(attempt_id, now):
            continue
        try:
            drive(attempt_id=attempt_id, now=now, resumed=True)
            done.count(attempt_id)
        except OurMistake as error:
            done.problems.append(str(error))
            done.stopped = True
            return done
        except Exception as error:
            logger.exception("sweeping attempt %s", attempt_id)
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
