"""What happens to cards: saved, made default, removed, and what their banks do with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

from callbill.config.sandbox import SandboxRefused
from callbill.config.simulation.deeds._asked import NOTHING
from callbill.config.simulation.story import Step
from callbill.domain.customers import operations as people
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import PaymentMethod

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


def add_card(world: World, step: Step) -> str:
    """A billing administrator opens the card form, fills it in, and comes back (or closes the browser)."""
    viewer, payer, given = world.administrator(step.who), world.payer(step.who), step.details
    if payer is None:
        return NOTHING
    form = payments.start_card_setup(viewer=viewer, payer_id=payer.id, ip="192.0.2.7", now=world.now)
    last = date(world.now.year + given["years"], 12, 31)
    if "days_left" in given:
        last = (world.now + timedelta(days=given["days_left"])).date()
    try:
        saved = world.stripe.fill_in_card(
            client_secret=form.client_secret,
            publishable_key=form.publishable_key,
            number=given["number"],
            month=last.month,
            year=last.year,
            passes=given["passes"],
        )
    except SandboxRefused:
        saved = False
    if not saved:
        return "refused by the form"
    if not given["returns"]:
        return "browser closed"
    card = payments.finish_card_setup(viewer=viewer, setup_id=form.setup_id, now=world.now)
    if card is None:
        return "not saved"
    if given["default"]:
        payments.make_default(viewer=viewer, card_id=card.id, now=world.now)
    return "saved"


def make_default(world: World, step: Step) -> str:
    """Another card is to be charged from now on."""
    card = _card(world, step)
    if card is None:
        return NOTHING
    payments.make_default(viewer=world.administrator(step.who), card_id=card.id, now=world.now)
    return "done"


def remove_card(world: World, step: Step) -> str:
    """A card is to be forgotten."""
    card = _card(world, step)
    if card is None:
        return NOTHING
    payments.remove_card(viewer=world.administrator(step.who), card_id=card.id, now=world.now)
    return "done"


def agree_again(world: World, step: Step) -> str:
    """A billing administrator agrees to charges of a card that its issuer replaced."""
    waiting = PaymentMethod.objects.filter(
        payer=world.payer(step.who), needs_consent_since__isnull=False, removed_at=None
    ).first()
    if waiting is None:
        return NOTHING
    payments.agree_to_card(
        viewer=world.administrator(step.who), card_id=waiting.id, ip="192.0.2.8", now=world.now
    )
    return "agreed"


def pay_on_new_card(world: World, step: Step) -> str:
    """A payer wants what is past due charged by itself when a new card is there, or not."""
    payer = world.payer(step.who)
    if payer is None:
        return NOTHING
    people.set_pay_on_new_card(
        viewer=world.administrator(step.who), payer_id=payer.id, choice=step.details["choice"]
    )
    return "set"


def card_declines(world: World, step: Step) -> str:
    """The bank of the default card declines the next charges."""
    code = step.details["code"]
    own = ("expired_card", "incorrect_cvc", "processing_error", "authentication_required")
    outcome = {
        "code": code if code in own else "card_declined",
        "decline_code": code,
        "times": step.details["times"],
    }
    return _change_default(world, step, {"outcomes": [outcome]})


def card_expires(world: World, step: Step) -> str:
    """The default card's month has gone by."""
    last = world.now - timedelta(days=40)
    change = {"exp_month": last.month, "exp_year": last.year, "by_issuer": False}
    return _change_default(world, step, change)


def card_renewed(world: World, step: Step) -> str:
    """The issuer of the default card sends a new one, and Stripe's updater follows."""
    change = {"exp_month": 11, "exp_year": world.now.year + 4, "last4": "1111", "by_issuer": True}
    return _change_default(world, step, change)


def _change_default(world: World, step: Step, change: Mapping[str, object]) -> str:
    card = world.default_card(step.who)
    if card is None:
        return NOTHING
    world.stripe.switch("POST", f"/cards/{card.reference}", change)
    return "done"


def _card(world: World, step: Step) -> PaymentMethod | None:
    """The card of the step's place among the payer's, oldest first."""
    payer = world.payer(step.who)
    cards = PaymentMethod.objects.filter(payer=payer, removed_at=None).order_by("added_at", "id")
    found = list(cards) if payer else []
    return found[step.details["place"] % len(found)] if found else None
