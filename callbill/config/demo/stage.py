"""What every scene of the demo plays on: its moment, the sandbox, and the people who act."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

from callbill.config.demo.sandbox import Sandbox
from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import Viewer, administers, viewer_of, visible_payers
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import PaymentAttempt, PaymentMethod
from callbill.domain.users.models import User
from callbill.jobs import work

NEWER_MONTHS = 4  # so many months of invoices have the customers that came later


class StoryBroken(Exception):
    """A scene could not be played; the message says why."""


@dataclass(frozen=True)
class Stage:
    """Where and when a scene is played. Without a sandbox nobody can fill in a card form.

    `webhook` is where the sandbox delivers messages of the present, and their secret; None for nowhere.
    """

    folder: Path
    first_day: date
    months: int
    now: datetime
    sandbox: Sandbox | None
    webhook: tuple[str, str] | None = None

    @property
    def newcomer_from(self) -> date:
        """When the newest customer came: two invoices ago."""
        return months_after(self.first_day, max(self.months - 2, 0))

    @property
    def newer_from(self) -> date:
        """When the customers came that are neither the first nor the newest."""
        return months_after(self.first_day, max(self.months - NEWER_MONTHS, 0))


def months_after(day: date, count: int) -> date:
    """The first day of the month that many months after the day's (before it, if negative)."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, 1)


def viewer(email: str) -> Viewer:
    """The person as the pages know them."""
    return viewer_of(User.objects.get(email=email))


def payer_of(email: str) -> BillableEntity:
    """The payer whose billing the person handles."""
    who = viewer(email)
    return next(payer for payer in visible_payers(who) if administers(who, payer))


def staff(email: str) -> UUID:
    """The member of staff's id."""
    return UUID(str(User.objects.get(email=email).id))


def save_card(stage: Stage, email: str, number: str, *, years: int = 4) -> PaymentMethod:
    """A person opens the card form, fills it in at the sandbox, and comes back.

    The card expires so many years after the story's first month.
    """
    payer = payer_of(email)
    saved = PaymentMethod.objects.filter(payer=payer, last4=number[-4:], removed_at=None)
    if not saved.exists():
        assert stage.sandbox is not None
        form = payments.start_card_setup(viewer=viewer(email), payer_id=payer.id, ip=None, now=stage.now)
        stage.sandbox.fill_in_card(
            client_secret=form.client_secret,
            publishable_key=form.publishable_key,
            number=number,
            month=stage.first_day.month,
            year=stage.first_day.year + years,
        )
        payments.finish_card_setup(viewer=viewer(email), setup_id=form.setup_id, now=stage.now)
    return saved.get()


def default_card(email: str) -> PaymentMethod:
    """The card that is charged for the person's payer."""
    return PaymentMethod.objects.get(payer=payer_of(email), is_default=True)


def newest_invoice(email: str) -> Invoice:
    """The last invoice issued to the person's payer."""
    issued = Invoice.objects.filter(payer=payer_of(email)).exclude(number=None).order_by("-issued_at").first()
    if issued is None:
        raise StoryBroken(f"{email} has no invoice yet.")
    return issued


def charge_of(invoice: Invoice) -> str:
    """The gateway's reference of the charge that paid an invoice."""
    paid = PaymentAttempt.objects.filter(invoice=invoice, state=PaymentAttempt.State.SUCCEEDED.value).first()
    if paid is None or not paid.charge:
        raise StoryBroken(f"Invoice {invoice.number} was not paid by card.")
    return paid.charge


def collect(stage: Stage) -> None:
    """What the worker does at any hour: charge what is due, and send what there is to send."""
    payments.card_expiry_notices(now=stage.now)
    work.collect_and_tell(now=stage.now, say=lambda sentence: None)


def hear(stage: Stage) -> None:
    """Stripe's list of messages is read on, and what they are about is asked and applied."""
    if stage.sandbox is None:
        return
    payments.backfill_events(now=stage.now)
    while payments.handle_events(now=stage.now):
        pass
    work.deliver(now=stage.now)
