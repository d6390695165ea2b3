"""What happens in the demo's year by itself or by customers: loading, calls, bills, cards, paying."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

from callbill.config.demo import calls
from callbill.config.demo.stage import Stage, StoryBroken, collect, payer_of, save_card, viewer
from callbill.domain.contracts import operations as contracts
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.queries import billed_until
from callbill.domain.payments import operations as payments
from callbill.domain.usage import operations as usage
from callbill.rules.lifecycle import InvoiceStatus

_HERE = Path(__file__).parent
_FIRST_CARDS = {
    "dana@harbor-dental.example": "4242424242424242",
    "june@lakeside-legal.example": "4000056655665556",
    "luis@summit-plumbing.example": "6011111111111117",
    "ruth@meridian-health.example": "378282246310005",
}
_NEWER_CARDS = {
    "iris@cobalt-design.example": "4242424242424242",
    "carl@tidewater-marina.example": "5555555555554444",
    "wren@bluebird-bakery.example": "4242424242424242",
    "gail@redwood-storage.example": "4242424242424242",
}
_NEW_CARD = "5555555555554444"
_EXPIRES_SOON = "dana@harbor-dental.example"  # a year after the story begins: about now


def load_customers(stage: Stage) -> None:
    """The customers of the demo's file, with their contracts beginning when each of them came."""
    text = (_HERE / "customers.toml").read_text(encoding="utf-8")
    for placeholder, day in (
        ("2000-01-01", stage.first_day),
        ("2000-02-02", stage.newcomer_from),
        ("2000-03-03", stage.newer_from),
    ):
        text = text.replace(f"= {placeholder}", f"= {day}")
    stage.folder.mkdir(parents=True, exist_ok=True)
    path = stage.folder / "customers.toml"
    path.write_text(text, encoding="utf-8")
    file = contracts.read_customers_file(path)
    contracts.load_customers(file=file, now=stage.now, billed_until=billed_until)


def save_first_cards(stage: Stage) -> None:
    """Every billing administrator of the first customers who has a card saves it."""
    _save(stage, _FIRST_CARDS)


def save_newer_cards(stage: Stage) -> None:
    """Those of the customers who came later save theirs."""
    _save(stage, _NEWER_CARDS)


def _save(stage: Stage, cards: dict[str, str]) -> None:
    if stage.sandbox:
        for email, number in cards.items():
            save_card(stage, email, number, years=1 if email == _EXPIRES_SOON else 4)


def import_calls(stage: Stage, first: date, until: date, *, late: bool | None) -> None:
    """The switch's file for the days from `first` to before `until` comes in."""
    came = {calls.NEWEST: stage.newcomer_from, **dict.fromkeys(calls.NEWER, stage.newer_from)}
    accounts = {c.account for c in calls.CALLERS if first >= came.get(c.account, first)}
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


def save_new_card_and_pay(stage: Stage) -> None:
    """The holder of the lost card saves another, makes it the default and pays what is past due."""
    email = "june@lakeside-legal.example"
    if stage.sandbox is None:
        return
    who = viewer(email)
    card = save_card(stage, email, _NEW_CARD)
    payments.make_default(viewer=who, card_id=card.id, now=stage.now)
    for invoice in Invoice.objects.filter(payer=payer_of(email), status=InvoiceStatus.PAST_DUE):
        payments.pay_now(viewer=who, number=str(invoice.number), now=stage.now)
    collect(stage)
