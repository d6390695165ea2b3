"""What happens in the demo's year: each scene is something a person or the clock does, by its operation."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from callbill.config.demo import calls
from callbill.config.demo.sandbox import Sandbox
from callbill.domain.contracts import operations as contracts
from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import Viewer, administers, viewer_of, visible_payers
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Adjustment, Invoice
from callbill.domain.invoicing.queries import billed_until
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import PaymentMethod
from callbill.domain.usage import operations as usage
from callbill.domain.users.models import User
from callbill.jobs.work import collect_and_tell
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money

# The months, counted from the first, at whose turn something special happens.
LATE_MONTH, LOST_CARD_MONTH, OUTAGE_MONTH = 4, 7, 9

_HERE = Path(__file__).parent
_INCIDENT = "INC-2291"
_FIRST_CARDS = {
    "dana@harbor-dental.example": "4242424242424242",
    "june@lakeside-legal.example": "4000056655665556",
    "luis@summit-plumbing.example": "6011111111111117",
    "ruth@meridian-health.example": "378282246310005",
}
_NEW_CARD = "5555555555554444"
_EXPIRES_SOON = "dana@harbor-dental.example"  # a year after the story begins: about now


class StoryBroken(Exception):
    """A scene could not be played; the message says why."""


@dataclass(frozen=True)
class Stage:
    """Where and when a scene is played. Without a sandbox nobody can fill in a card form."""

    folder: Path
    first_day: date
    months: int
    now: datetime
    sandbox: Sandbox | None

    @property
    def newcomer_from(self) -> date:
        """When the newest customer came: with the last whole month."""
        return months_after(self.first_day, self.months - 1)


def months_after(day: date, count: int) -> date:
    """The first day of the month that many months after the day's (before it, if negative)."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, 1)


def load_customers(stage: Stage) -> None:
    """The customers of the demo's file, with their contracts beginning on the year's first day."""
    text = (_HERE / "customers.toml").read_text(encoding="utf-8")
    text = text.replace("= 2000-01-01", f"= {stage.first_day}")
    text = text.replace("= 2000-02-02", f"= {stage.newcomer_from}")
    stage.folder.mkdir(parents=True, exist_ok=True)
    path = stage.folder / "customers.toml"
    path.write_text(text, encoding="utf-8")
    file = contracts.read_customers_file(path)
    contracts.load_customers(file=file, now=stage.now, billed_until=billed_until)


def save_first_cards(stage: Stage) -> None:
    """Every billing administrator who has a card saves it."""
    if stage.sandbox is None:
        return
    for email, number in _FIRST_CARDS.items():
        _save_card(stage, email, number)


def import_calls(stage: Stage, first: date, until: date, *, late: bool | None) -> None:
    """The switch's file for the days from `first` to before `until` comes in."""
    newcomer_is_here = first >= stage.newcomer_from
    accounts = {c.account for c in calls.CALLERS if newcomer_is_here or c.account != "pinecrest-vet"}
    kind = "-late" if late else ""
    report = usage.import_calls(
        stream=io.BytesIO(calls.file_of(first, until, accounts=accounts, late=late)),
        profile=usage.read_profile((_HERE / "profile.toml").read_text(encoding="utf-8"), name="profile"),
        file_name=f"calls-{first:%Y-%m}{kind}.csv",
        now=stage.now,
    )
    if report.status == "failed" or report.set_aside:
        raise StoryBroken(f"{report.file_name}: {report.problem or report.reasons}")


def bill(stage: Stage) -> None:
    """What the worker does when a month is over: bill, charge, tell."""
    report = invoicing.run_billing(now=stage.now, trigger="schedule")
    if report.problems:
        raise StoryBroken("; ".join(report.problems))
    collect(stage)


def collect(stage: Stage) -> None:
    """What the worker does at any hour: charge what is due, and send what there is to send."""
    payments.card_expiry_notices(now=stage.now)
    collect_and_tell(now=stage.now, say=lambda sentence: None)


def report_card_lost(stage: Stage) -> None:
    """A holder reports the card lost; the bank declines it from now on."""
    _decline(stage, "june@lakeside-legal.example", "lost_card")


def let_bank_decline(stage: Stage) -> None:
    """An account runs dry."""
    _decline(stage, "luis@summit-plumbing.example", "insufficient_funds")


def save_new_card_and_pay(stage: Stage) -> None:
    """The holder of the lost card saves another, makes it the default and pays what is past due."""
    email = "june@lakeside-legal.example"
    if stage.sandbox is None:
        return
    viewer = _viewer(email)
    card = _save_card(stage, email, _NEW_CARD)
    payments.make_default(viewer=viewer, card_id=card.id, now=stage.now)
    for invoice in Invoice.objects.filter(payer=_payer(viewer), status=InvoiceStatus.PAST_DUE):
        payments.pay_now(viewer=viewer, number=str(invoice.number), now=stage.now)
    collect(stage)


def credit_outage(stage: Stage) -> None:
    """Staff grant a credit for two hours in which no calls came through."""
    payer = _payer(_viewer("dana@harbor-dental.example"))
    assert payer.company is not None
    if Adjustment.objects.filter(company=payer.company, incident=_INCIDENT).exists():
        return
    invoicing.add_adjustment(
        company_id=payer.company.id,
        kind=Adjustment.Kind.OUTAGE_CREDIT,
        name="Credit for the outage of 11 " + stage.now.strftime("%B"),
        amount=Money(-8500, "USD"),
        reason="Calls did not come through from 14:05 to 16:10; agreed with Dana Reyes by telephone.",
        actor_id=User.objects.get(email="mia@cic.example").id,
        now=stage.now,
        period=stage.now.strftime("%Y-%m"),
        incident=_INCIDENT,
    )


def _save_card(stage: Stage, email: str, number: str) -> PaymentMethod:
    """A person opens the card form, fills it in at the sandbox, and comes back."""
    viewer = _viewer(email)
    payer = _payer(viewer)
    saved = PaymentMethod.objects.filter(payer=payer, last4=number[-4:], removed_at=None)
    if not saved.exists():
        assert stage.sandbox is not None
        form = payments.start_card_setup(viewer=viewer, payer_id=payer.id, ip=None, now=stage.now)
        stage.sandbox.fill_in_card(
            client_secret=form.client_secret,
            publishable_key=form.publishable_key,
            number=number,
            month=stage.first_day.month,
            year=stage.first_day.year + (1 if email == _EXPIRES_SOON else 4),
        )
        payments.finish_card_setup(viewer=viewer, setup_id=form.setup_id, now=stage.now)
    return saved.get()


def _decline(stage: Stage, email: str, decline_code: str) -> None:
    if stage.sandbox is None:
        return
    card = PaymentMethod.objects.get(payer=_payer(_viewer(email)), is_default=True)
    stage.sandbox.decline_next(card.reference, decline_code=decline_code, times=3)


def _viewer(email: str) -> Viewer:
    return viewer_of(User.objects.get(email=email))


def _payer(viewer: Viewer) -> BillableEntity:
    """The payer whose billing the person handles."""
    return next(payer for payer in visible_payers(viewer) if administers(viewer, payer))
