"""What the worker runs. A task takes the time and calls one piece of work; `schedule` says when."""

from __future__ import annotations

from procrastinate.contrib.django import app

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.payments import operations as payments
from callbill.domain.reconciliation import operations as reconciliation
from callbill.jobs import left_behind, work
from callbill.lib import clock


# Without a lock, so that nothing can hold it up, and before all others.
@app.task(name="take_up_left_jobs", queueing_lock="take_up_left_jobs", priority=10)
def take_up_left_jobs(timestamp: int) -> None:
    """Free what dead workers hold."""
    left_behind.take_up()


@app.task(name="bill_and_collect", queueing_lock="bill_and_collect", lock="bill_and_collect")
def bill_and_collect(timestamp: int) -> None:
    """Close every period that is due and charge."""
    work.bill_and_collect(now=clock.now(), trigger="schedule", clock=clock.now)


@app.task(name="catch_up", queueing_lock="catch_up", lock="catch_up")
def catch_up(timestamp: int) -> None:
    """Apply Stripe's news, look after attempts in doubt, send mails."""
    work.catch_up(now=clock.now(), clock=clock.now)


@app.task(name="warn_of_expiring_cards", queueing_lock="warn_of_expiring_cards")
def warn_of_expiring_cards(timestamp: int) -> None:
    """Tell payers whose default card expires soon."""
    payments.card_expiry_notices(now=clock.now())


@app.task(name="ask_about_chargebacks", queueing_lock="ask_about_chargebacks")
def ask_about_chargebacks(timestamp: int) -> None:
    """Ask Stripe about every disputed charge that is not decided."""
    work.ask_about_chargebacks(now=clock.now())


@app.task(name="verify_sample", queueing_lock="verify_sample", lock="verify")
def verify_sample(timestamp: int) -> None:
    """Recompute a sample of the issued invoices."""
    invoicing.verify_sample(now=clock.now())


@app.task(name="verify_asked", queueing_lock="verify_asked", lock="verify")
def verify_asked(timestamp: int) -> None:
    """Recompute every issued invoice, if staff asked for it, or go on where that was broken off."""
    invoicing.verify_asked(now=clock.now())


@app.task(name="read_lost_messages", queueing_lock="read_lost_messages")
def read_lost_messages(timestamp: int) -> None:
    """Read on in Stripe's own list of messages, for those that never came."""
    work.read_lost_messages(now=clock.now())


@app.task(name="reconcile", queueing_lock="reconcile", lock="reconcile")
def reconcile(timestamp: int) -> None:
    """Compare our attempts, our books and Stripe."""
    work.reconcile(now=clock.now())


@app.task(name="reconcile_asked", queueing_lock="reconcile_asked", lock="reconcile")
def reconcile_asked(timestamp: int) -> None:
    """Compare them if staff asked for it, anew if that was broken off."""
    reconciliation.reconcile_asked(now=clock.now())
