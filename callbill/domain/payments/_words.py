"""The words for cards, attempts and what happens next: one place for portal, e-mail and console."""

from __future__ import annotations

from uuid import UUID

from callbill.domain.disputes import queries as disputes
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _holding, _owing
from callbill.domain.payments._labels import brand, card_label, day, due_of
from callbill.domain.payments._plan import (
    default_card,
    live_attempt,
    must_be_replaced,
    plan_of_or_none,
    refusal_of,
)
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt, PaymentMethod
from callbill.lib import formats
from callbill.rules.dunning import Stop, can_be_charged, smallest_charge
from callbill.rules.lifecycle import OWED, InvoiceStatus
from callbill.rules.money import Money

__all__ = [
    "ATTEMPT_STATE",
    "ATTEMPT_TRIGGER",
    "brand",
    "card_label",
    "day",
    "due_of",
    "next_step",
    "why_it_waits",
]

_STATE = PaymentAttempt.State
ATTEMPT_STATE = {
    _STATE.PREPARED: "Being made",
    _STATE.SUBMITTED: "Waiting for the bank",
    _STATE.PROCESSING: "Waiting for the bank",
    _STATE.ACTION_REQUIRED: "Must be confirmed",
    _STATE.SUCCEEDED: "Paid",
    _STATE.DECLINED: "Declined",
    _STATE.ERROR: "Not made",
    _STATE.CANCELED: "Not made",
}
ATTEMPT_TRIGGER = {
    PaymentAttempt.Trigger.ISSUE: "Automatic, first attempt",
    PaymentAttempt.Trigger.CYCLE: "Automatic retry",
    PaymentAttempt.Trigger.STAFF: "Retried by staff",
    PaymentAttempt.Trigger.CUSTOMER: "Asked for by the customer",
    PaymentAttempt.Trigger.NEW_CARD: "Automatic, for a new card",
}


def why_it_waits(invoice_id: UUID) -> str:
    """Why staff cannot change what is owed on the invoice now, and what they can do (M26); "" if they can."""
    live = live_attempt(invoice_id)
    if live is None:
        return ""
    if live.given_up_at:
        return (
            "The payment was given up, and Stripe has not confirmed that yet. It is asked again by itself; "
            "try again in a few minutes."
        )
    if live.state == _STATE.ACTION_REQUIRED:
        return (
            "A payment waits for the cardholder to confirm it, who could do so at any moment. "
            "Give the waiting up first, then try again."
        )
    return (
        "A card is being charged for it and we wait for the bank's answer. Try again in a few minutes; if it "
        "takes more than an hour, give the payment up on the invoice's page."
    )


def next_step(invoice: Invoice) -> str:
    """What happens next with this invoice, by itself or by the customer; for every state there is."""
    status = InvoiceStatus(invoice.status)
    holds = disputes.open_on(invoice.id)
    held = _holding.words(invoice, holds)
    if status is InvoiceStatus.DRAFT:
        return "This invoice is being prepared."
    if status is InvoiceStatus.PAID:
        settled = f" on {day(invoice.paid_at, invoice.time_zone)}" if invoice.paid_at else ""
        more = held or "There is nothing to do."
        if invoice.carried_to:
            carried = formats.money(Money(invoice.carried_minor, invoice.currency))
            number = invoice.carried_to.number
            return f"{carried} was carried forward to invoice {number}. There is nothing to do."
        if invoice.credited_minor:
            credited = formats.money(Money(invoice.credited_minor, invoice.currency))
            return f"Settled{settled}, {credited} of it by credit note. {more}"
        return f"Paid{settled}. {more}"
    if status is InvoiceStatus.VOID:
        return "This invoice was withdrawn. There is nothing to pay."
    if status is InvoiceStatus.UNCOLLECTIBLE:
        return (
            "We have stopped collecting this invoice, and no card is charged for it. If you want to pay it, "
            f"write to us. {held}"
        ).strip()
    if invoice.due_minor == 0:
        return "There is nothing to pay."
    return _owed_step(invoice, held, due_of(invoice) - disputes.held(invoice, holds))


def next_step_for_others(invoice: Invoice) -> str:
    """The same for a company's people where the organization pays: who looks after it, without its cards."""
    status = InvoiceStatus(invoice.status)
    if status in OWED:
        return f"{invoice.payer.name} pays this invoice; its billing administrator looks after the payment."
    if status is InvoiceStatus.PAID:
        return "This invoice is paid. There is nothing to do."
    if status is InvoiceStatus.UNCOLLECTIBLE:
        return "This invoice is no longer collected. There is nothing to do."
    return next_step(invoice)


def _owed_step(invoice: Invoice, held: str, free: Money) -> str:
    """What happens next with what is owed: with what is held, and with the rest that is free."""
    attempt = live_attempt(invoice.id)
    if held and free.minor == 0 and attempt is None:
        return held
    step = _waiting(invoice, plan_of_or_none(invoice), default_card(invoice.payer_id), free)
    if attempt is not None and attempt.given_up_at:
        step = "We gave a payment up, and wait for that to be confirmed. Nothing else is charged meanwhile."
    elif attempt is not None and attempt.state == _STATE.ACTION_REQUIRED:
        step = _to_confirm(invoice, attempt, step)
    elif attempt is not None:
        step = "The payment is being made. We are waiting for the bank's answer; there is nothing to do."
    if not held:
        return step
    if 0 < free.minor < invoice.due_minor:
        return f"{held} The other {formats.money(free)}: {step}"
    return f"{step} {held}"


def _to_confirm(invoice: Invoice, attempt: PaymentAttempt, otherwise: str) -> str:
    happened = refusal_of(attempt).what_happened
    if not _owing.may_be_confirmed(invoice, attempt):
        return f"{happened} {otherwise}"
    label = card_label(attempt.payment_method)
    confirm = (
        f"Confirm the payment with the {label}: choose Confirm this payment, or open the link in our mail."
    )
    card = default_card(invoice.payer_id)
    if card is None or card.id == attempt.payment_method_id:
        return f"{happened} {confirm} Or add another card and make it the default."
    return f"{happened} {confirm} {otherwise}"


def _waiting(invoice: Invoice, plan: CollectionPlan | None, card: PaymentMethod | None, free: Money) -> str:
    past_due = invoice.status == InvoiceStatus.PAST_DUE.value
    because = plan.stopped_because if plan else ""
    when = plan.next_attempt_at if plan else None
    on_day = f"on {formats.day_and_hour(when, invoice.time_zone)}" if when else ""
    if because == Stop.ON_HOLD.value:
        return "This invoice is on hold: nothing is charged for it until the question about it is settled."
    if because == Stop.STOPPED.value or _owing.is_stopped(invoice.payer_id):
        return "We look into a payment of yours first. Nothing is charged meanwhile; there is nothing to do."
    if because == Stop.TOO_SMALL.value or not can_be_charged(free):
        return _too_small(invoice, held=free.minor < invoice.due_minor)
    if card is None:
        return _without_card(invoice, past_due, on_day)
    if card.needs_consent_since:
        return (
            f"Your bank replaced your card with the {card_label(card)}. Nothing is charged until you agree "
            "to its use on the Company page, or make another card the default."
        )
    if because == Stop.OUR_MISTAKE.value:
        return f"The payment could not be made; the fault is ours and we look into it. We try again {on_day}."
    if must_be_replaced(invoice.id, card):
        if not must_be_replaced(invoice.id, card, present=True):
            return (
                f"Choose Pay now and confirm the payment with your {card_label(card)} when your bank asks; "
                "or add another card and make it the default."
            )
        return (
            f"Your {card_label(card)} is not charged again for this invoice. "
            "Add another card and make it the default."
        )
    if because == Stop.TOO_MANY.value:
        return f"We have stopped trying by ourselves. Choose Pay now to charge your {card_label(card)}."
    if plan and plan.new_card and when:
        return f"Your {card_label(card)} will be charged within a few minutes."
    if past_due and when:
        return (
            f"Your {card_label(card)} will be charged {on_day}, with your next billing cycle at the latest. "
            "To pay sooner, choose Pay now."
        )
    if when:
        return f"Your {card_label(card)} will be charged {on_day}."
    return f"Your {card_label(card)} will be charged within a few hours."


def _too_small(invoice: Invoice, *, held: bool) -> str:
    least = formats.money(smallest_charge(invoice.currency))
    if held:
        return f"Less than {least} cannot be charged to a card. It waits until what is held is settled."
    return (
        f"Less than {least} cannot be charged to a card. It is brought forward to your next invoice; "
        "there is nothing to do."
    )


def _without_card(invoice: Invoice, past_due: bool, on_day: str) -> str:
    if past_due:
        later = f"; with a card on file it is charged {on_day} at the latest" if on_day else ""
        return f"There is no card on file. Add a card, then choose Pay now{later}."
    due = f" by {day(invoice.due_date, invoice.time_zone)}" if invoice.due_date else ""
    return f"There is no card on file. Add a card{due} and it will be charged; after that it is past due."
