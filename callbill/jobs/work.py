"""The pieces of work that the schedule and the commands share: each takes `now` and calls operations."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.conf import settings

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.notifications import operations as notifications
from callbill.domain.payments import operations as payments
from callbill.domain.reconciliation import operations as reconciliation
from callbill.jobs import trouble
from callbill.lib.pace import Pace

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]


def bill_and_collect(*, now: datetime, trigger: str, clock: Clock | None = None) -> None:
    """The hourly run: close what is due, then charge; cancel payments that nobody needs any more.

    `clock` tells the time of each charge of a run that may be long; whoever lives in a time of its own gives
    none, and all happens at `now`.
    """
    invoicing.run_billing(now=now, trigger=trigger)
    # Closing took its time, too.
    collected = collect(now=clock() if clock else now, clock=clock)
    for problem in collected.problems:
        log.error("collecting: %s", problem)
    if not collected.over:
        payments.cancel_forgotten(now=clock() if clock else now)


def collect(
    *, now: datetime, progress: Callable[[int, int], None] | None = None, clock: Clock | None = None
) -> payments.Collected:
    """Charge what is due at the pace, and for as many customers at a time, as the settings say."""
    workers = max(settings.CHARGE_WORKERS, 1)
    return payments.collect_due(now=now, pace=_pace(), workers=workers, progress=progress, clock=clock)


def _pace() -> Pace | None:
    return Pace(settings.CHARGES_PER_SECOND) if settings.CHARGES_PER_SECOND > 0 else None


def catch_up(*, now: datetime, clock: Clock | None = None) -> None:
    """Every minute: mails not sent, Stripe's news, attempts in doubt, receipts, corrected calls, new mails.

    Mails come first, and a Stripe that is silent for one step is not asked by the next, so that it does not
    hold them up. A step that fails holds up none of the others. Raises StepsFailed at the end.
    """
    answers = payments.Answers()
    trouble.each(
        {
            "send mail": lambda: deliver(now=now),
            "apply Stripe's messages": lambda: payments.handle_events(now=now, answers=answers),
            "look after payments in doubt": lambda: payments.sweep_attempts(
                now=now, clock=clock, answers=answers
            ),
            "look after refunds": lambda: payments.sweep_refunds(now=now, clock=clock, answers=answers),
            "charge new cards": lambda: payments.charge_new_cards(
                now=now, pace=_pace(), clock=clock, answers=answers
            ),
            "have Stripe forget removed cards": lambda: payments.forget_removed_cards(
                now=now, answers=answers
            ),
            "give receipts": lambda: payments.give_missing_receipts(now=now),
            "propose credits for corrected calls": lambda: _propose_corrections(now),
            "write to staff": lambda: payments.mail_staff(now=now),
            "send new mail": lambda: deliver(now=now),
        }
    )


def _propose_corrections(now: datetime) -> None:
    for problem in invoicing.propose_corrections(now=now).problems:
        log.error("corrected calls: %s", problem)


def ask_about_chargebacks(*, now: datetime) -> None:
    """Once a day: what became of every charge that a cardholder disputes, told of or not."""
    for problem in payments.ask_about_chargebacks(now=now):
        log.error("chargebacks: %s", problem)


def read_lost_messages(*, now: datetime) -> None:
    """Once an hour: Stripe's messages that never came here."""
    try:
        found = payments.backfill_events(now=now)
    except payments.GatewayError as error:
        log.error("Stripe's list of messages was not read: %s", error)
        return
    if found:
        log.warning("%s messages of Stripe had not come and were found in its list", found)


def reconcile(*, now: datetime) -> None:
    """Once a night: our attempts, our books and Stripe."""
    try:
        run = reconciliation.reconcile(now=now, trigger="schedule")
    except reconciliation.AlreadyReconciling as error:
        log.warning("reconciliation: %s", error)
        return
    if run.problem:
        log.error("reconciliation broke off: %s", run.problem)


def deliver(*, now: datetime) -> int:
    """Send what waits in the outbox. Returns how many went out."""

    def attachment(reference: str) -> notifications.Attachment:
        kind, _, identity = reference.partition(":")
        if kind == "credit_note":
            return invoicing.credit_note_attachment(note_id=UUID(identity), now=now)
        assert kind == "receipt", f"nothing is attached under {reference!r}"
        return payments.receipt_attachment(receipt_id=UUID(identity), now=now)

    return notifications.deliver_pending(now=now, attachments=attachment)


def collect_and_tell(
    *,
    now: datetime,
    say: Callable[[str], None],
    progress: Callable[[int, int], None] | None = None,
    clock: Clock | None = None,
) -> bool:
    """Charge what is due, apply Stripe's news, send mails; say what came of it. False if we could not."""
    collected = collect(now=now, progress=progress, clock=clock)
    now = clock() if clock else now
    if not collected.over:
        answers = payments.Answers()
        payments.handle_events(now=now, answers=answers)
        payments.sweep_attempts(now=now, answers=answers)
        payments.sweep_refunds(now=now, answers=answers)
    sent = deliver(now=now)
    attempts = ", ".join(f"{count} {state}" for state, count in sorted(collected.attempts.items()))
    say(f"Charged: {attempts or 'nothing was due'}. Fell past due: {collected.past_due}. Mails sent: {sent}.")
    for problem in collected.problems:
        say(f"Not collected: {problem}")
    return not collected.problems
