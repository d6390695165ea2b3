"""A reconciliation run: read Stripe, apply what is late, compare, keep every difference until it is gone."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain

from django.db import connection
from django.db.models import Min

from callbill.domain.customers.models import BillableEntity
from callbill.domain.payments import operations as payments
from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import PaymentIntent
from callbill.domain.payments.operations import GatewayError
from callbill.domain.payments.queries import books_differences
from callbill.domain.reconciliation import _again, _balance_words, _clearing, _found, _late, _matching, _seen
from callbill.domain.reconciliation._facts import keep_all, keep_payout, match_payout
from callbill.domain.reconciliation._found import INCIDENTS, LISTED, NOTES, Found
from callbill.domain.reconciliation.models import Difference, ReconciliationRun
from callbill.lib.transactions import in_transaction, outside_transaction

log = logging.getLogger(__name__)

DAYS = 30
STEPS = (
    *("messages", "charges", "refunds", "disputes", "what is late", "movements", "payouts"),
    "comparing",
)
# Far enough that nothing is passed by: Stripe dates a movement when it makes it, a payout arrives days later.
_OVERLAP = timedelta(days=14)
_BEFORE_STRIPE = datetime(2010, 1, 1, tzinfo=UTC)
# One at a time in a database: any number that nobody else uses.
_LOCK = 7_403_311
_BROKE_OFF = "reconciliation_broke_off"

Progress = Callable[[str, int, int], None]
"""What is being read, which of STEPS that is (from 1), and how many of it so far."""


class AlreadyReconciling(Exception):
    """Another reconciliation is under way."""


@dataclass(slots=True)
class _Pass:
    """One run on its way."""

    run: ReconciliationRun
    now: datetime
    tell: Progress

    def begin(self, step: str) -> None:
        self.run.step = step
        self.run.save()
        self.tell(step, STEPS.index(step) + 1, 0)

    def count(self, name: str) -> Callable[[int], None]:
        def counted(count: int) -> None:
            setattr(self.run, name, count)
            self.run.save(update_fields=[name])
            self.tell(self.run.step, STEPS.index(self.run.step) + 1, count)

        return counted


@outside_transaction
def reconcile(
    *,
    now: datetime,
    trigger: str = "command",
    days: int = DAYS,
    progress: Progress | None = None,
    run: ReconciliationRun | None = None,
) -> ReconciliationRun:
    """Compare our attempts, our books and Stripe, after applying what is merely late.

    Stripe's lists are read `days` back, and further for what was never read; what is still different is asked
    for by id. A run of somebody who asked is given as `run`. Charges that nobody here made, and invoices
    charged twice, stop collection for their payer and staff are told. The run says what it compared, its
    differences are in `queries`. What breaks it off, even a defect of ours, is its `problem`, and staff are
    told. Raises AlreadyReconciling.
    """
    with _alone():
        _end_what_died(run, now)
        since = _since(now, days)
        if run is None:
            run = ReconciliationRun(trigger=trigger, started_at=now, since=since)
        run.since = since
        doing = _Pass(run, now, progress or (lambda step, number, count: None))
        try:
            with _seen.room():
                found = _look(doing)
            _keep(run, found, now)
        except GatewayError as error:
            log.warning("reconciliation: %s", error)
            _broke_off(run, str(error), now)
        except Exception as error:
            # Whatever it was, a run that says it is under way for ever is believed by everybody.
            log.exception("reconciliation broke off")
            _broke_off(run, f"A defect of Callbill: {type(error).__name__}: {error}", now)
        return run


def _end_what_died(run: ReconciliationRun | None, now: datetime) -> None:
    """Whoever holds the lock knows that nobody else is under way, so what says so was killed."""
    died = ReconciliationRun.objects.filter(finished_at=None).exclude(step="")
    for each in died.exclude(id=run.id) if run else died:
        each.problem, each.finished_at = f"It died half-way, at “{each.step}”.", now
        each.save(update_fields=["problem", "finished_at"])


@in_transaction
def _broke_off(run: ReconciliationRun, problem: str, now: datetime) -> None:
    run.problem, run.finished_at = problem[:1000], now
    run.save()
    payments.alert_staff(
        key="reconciliation-broke-off",
        kind=_BROKE_OFF,
        message=f"The comparison with Stripe broke off: {run.problem} Until one comes to its end, nothing "
        "new that differs is found. Reconcile once more on the page Reconciliation; if it breaks off again, "
        "report it.",
        now=now,
    )


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the right to reconcile; it goes with the connection, so a killed run lets go of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise AlreadyReconciling("A reconciliation is under way. Wait until it has ended.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _since(now: datetime, days: int) -> datetime:
    """How far back Stripe's lists are read."""
    back = [now - timedelta(days=days)]
    last = _last_good()
    if last is None:
        first = PaymentIntent.objects.aggregate(at=Min("created_at"))["at"]
        back += [first - timedelta(days=1)] if first else []
    else:
        back.append(last.started_at - _OVERLAP)
    # What is open is asked for by id; only where no ids were kept the lists go back to it.
    still = Difference.objects.filter(gone_at=None, kind__in=LISTED, objects_at_stripe=[])
    oldest = still.aggregate(at=Min("found_in__since"))["at"]
    return min([*back, oldest] if oldest else back)


def _last_good() -> ReconciliationRun | None:
    ended = ReconciliationRun.objects.filter(finished_at__isnull=False, problem="")
    return ended.order_by("-started_at").first()


def _look(doing: _Pass) -> list[Found]:
    """Read, apply, compare. Raises GatewayError."""
    run, now, stripe = doing.run, doing.now, gateway()
    doing.begin("messages")
    run.caught_up += _late.read_messages(now=now)
    doing.begin("charges")
    run.charges = _seen.see_charges(stripe.charges(since=run.since), doing.count("charges"))
    doing.begin("refunds")
    run.refunds = _seen.see_refunds(stripe.refunds(since=run.since), doing.count("refunds"))
    doing.begin("disputes")
    run.chargebacks = _seen.see_chargebacks(stripe.chargebacks(since=run.since), doing.count("chargebacks"))
    _again.see_again()
    _seen.analyse()
    doing.begin("what is late")
    run.caught_up += _late.catch_up(now=now)
    _matching.match()
    doing.begin("movements")
    unread = run.since if _last_good() else _BEFORE_STRIPE
    run.transactions, _ = keep_all(stripe.transactions(since=unread), now=now, payers=_matching.payers())
    doing.begin("payouts")
    off = list(_payouts(doing, unread))
    doing.begin("comparing")
    return _compare(run, now, off)


def _payouts(doing: _Pass, since: datetime) -> Iterator[Found]:
    """Keep and post payouts; those that are not what their movements come to."""
    count = doing.count("payouts")
    listed: set[str] = set()
    views = chain(gateway().payouts(since=since), _again.payouts(listed))
    for number, view in enumerate(views, start=1):
        listed.add(view.reference)
        payout = keep_payout(view, now=doing.now)
        count(number)
        if not view.automatic or payout.matched_at or view.status not in ("in_transit", "paid"):
            continue
        total = match_payout(payout, now=doing.now)
        if total != view.amount and view.status == "paid":
            yield _balance_words.payout_sum(view.reference, view.amount, total)


def _compare(run: ReconciliationRun, now: datetime, off: list[Found]) -> list[Found]:
    found = [*_matching.incidents()]
    named = {source for difference in found for source in difference.sources}
    found += _matching.charges(named, since=run.since, now=now)
    found += _matching.refunds_and_chargebacks(since=run.since)
    named |= {source for difference in found for source in difference.sources}
    found += _clearing.movements(named, now=now)
    found += off
    found += _clearing.clearing(found, now=now)
    return [*found, *_books()]


def _books() -> Iterator[Found]:
    """Payers for whom invoices and books disagree."""
    off = books_differences()
    payers = BillableEntity.objects.select_related("company", "organization").in_bulk(
        [difference.payer_id for difference in off if difference.payer_id is not None]
    )
    for each in off:
        payer = payers[each.payer_id].name if each.payer_id else "No payer"
        yield _balance_words.books(payer, each.payer_id, each.what, each.in_ledger, each.by_invoices)


@in_transaction
def _keep(run: ReconciliationRun, found: list[Found], now: datetime) -> None:
    """Write down what is different now and what is not any more; stop and tell where it must be."""
    open_now = {row.key: row for row in Difference.objects.select_for_update().filter(gone_at=None)}
    new = 0
    once = list({each.key: each for each in found}.values())
    for difference in once:
        _stop(difference, now)
    for difference in _folded(once):
        row = open_now.pop(difference.key, None)
        new += row is None and difference.kind not in NOTES
        row = row or Difference(key=difference.key, kind=difference.kind, found_in=run, found_at=now)
        for name, value in _said(difference, now).items():
            setattr(row, name, value)
        row.save()
    Difference.objects.filter(id__in=[row.id for row in open_now.values()]).update(gone_at=now)
    left = Difference.objects.filter(gone_at=None).exclude(kind__in=NOTES).count()
    run.differences, run.finished_at, run.step, run.problem = left, now, "", ""
    run.save()
    _tell(run, new, left, now)


def _folded(found: list[Found]) -> Iterator[Found]:
    """Every difference, those of a kind of which there are too many as one."""
    times = Counter(each.kind for each in found)
    for kind, number in times.items():
        mine = [each for each in found if each.kind == kind]
        if number > _found.MOST_OF_A_KIND:
            yield _balance_words.many(mine)
        else:
            yield from mine


def _stop(difference: Found, now: datetime) -> None:
    """Each charge too many stops its payer once, so that what was explained does not excuse the next one."""
    if difference.kind not in INCIDENTS or difference.payer_id is None:
        return
    for charge in difference.stops:
        payments.stop_collection(
            payer_id=difference.payer_id,
            key=f"{difference.kind}:{charge}",
            reason=difference.what,
            now=now,
        )


def _said(difference: Found, now: datetime) -> dict[str, object]:
    return {
        "payer_id": difference.payer_id,
        "what": difference.what,
        "what_to_do": difference.what_to_do,
        "invoice_number": difference.invoice[:40],
        "objects_at_stripe": list(difference.asked_again),
        "amount_minor": difference.amount.minor if difference.amount else None,
        "currency": difference.amount.currency if difference.amount else "",
        "last_seen_at": now,
    }


def _tell(run: ReconciliationRun, new: int, left: int, now: datetime) -> None:
    payments.settle_alerts(kind=_BROKE_OFF, now=now)
    if not left:
        payments.settle_alerts(kind="reconciliation", now=now)
    elif new:
        payments.alert_staff(
            key=f"reconciliation:{run.id}",
            kind="reconciliation",
            message=f"Reconciliation found {new} new difference{'' if new == 1 else 's'} between Stripe and "
            f"the books; {left} {'is' if left == 1 else 'are'} open. The page Reconciliation says what each "
            "side has and what to do.",
            now=now,
        )
