"""What of an invoice is held, in the words that customers read; and going on when a hold is lifted (M30)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _plan
from callbill.domain.payments._labels import card_label, day
from callbill.domain.payments.models import Chargeback
from callbill.lib import formats
from callbill.rules.dunning import Stop, Why
from callbill.rules.money import Money

_STATE = Chargeback.State


def words(invoice: Invoice, holds: Sequence[Hold]) -> str:
    """What is held and why, and what happens next, for every one of its open holds; "" without any."""
    references = [hold.cause for hold in holds if hold.kind == Hold.Kind.CHARGEBACK.value]
    disputed = {
        row.reference: row
        for row in Chargeback.objects.filter(reference__in=references).select_related(
            "attempt__payment_method"
        )
    }
    return " ".join(_sentence(hold, disputed.get(hold.cause), invoice) for hold in holds)


def _sentence(hold: Hold, chargeback: Chargeback | None, invoice: Invoice) -> str:
    if chargeback is not None:
        return about_chargeback(chargeback, invoice)
    if hold.kind == Hold.Kind.FRAUD_WARNING.value:
        return (
            "The card's bank has told us that its holder may not have made the payment. We look into it; "
            "nothing more is charged for this invoice meanwhile."
        )
    amount = Money(hold.amount_minor, invoice.currency) if hold.amount_minor is not None else None
    what = (
        f"{formats.money(amount)} of this invoice has" if amount else "All that is owed on this invoice has"
    )
    reason = hold.reason if hold.reason.endswith((".", "!", "?")) else f"{hold.reason}."
    return (
        f"{what} been on hold since {day(hold.placed_at, invoice.time_zone)}: {reason} It is not charged "
        "meanwhile. When that is settled, it is charged as usual or credited."
    )


def about_chargeback(chargeback: Chargeback, invoice: Invoice, *, held: bool = True) -> str:
    """Where a charge disputed at the bank stands; while something is `held` for it, what happens next."""
    amount = formats.money(Money(chargeback.amount_minor, chargeback.currency))
    attempt = chargeback.attempt
    paid = day(attempt.finished_at or attempt.created_at, invoice.time_zone)
    payment = f"the payment of {paid} with {card_label(attempt.payment_method)}"
    if chargeback.state == _STATE.INQUIRY:
        return (
            f"The cardholder's bank asks about {payment}, for {amount}. Nothing has been taken back, and we "
            "answer the bank; there is nothing to do."
        )
    if chargeback.state == _STATE.INQUIRY_CLOSED:
        return f"The cardholder's bank asked about {payment} and has closed the matter. It stays paid."
    if chargeback.state == _STATE.WON:
        return f"The cardholder's bank disputed {payment} and has decided that it was right: it stays paid."
    if chargeback.state == _STATE.LOST:
        if not chargeback.lost_minor:
            return f"The cardholder's bank has decided against {payment}; nothing is owed again for it."
        taken = formats.money(Money(chargeback.lost_minor, chargeback.currency))
        back = f"The cardholder's bank has taken back {taken} of {payment}"
        if not held:
            return f"{back}."
        return (
            f"{back}, so it is owed again. No card is charged for it by itself: please tell us how you want "
            "to pay it."
        )
    return (
        f"The cardholder's bank disputes {payment} and holds {amount} of it while it decides. Nothing is "
        f"charged in its place meanwhile. If the bank decides that the payment was right, it stays paid; if "
        f"not, {amount} is owed again and we write to you. If you did not mean to dispute it, tell your bank."
    )


def wake(invoice: Invoice, now: datetime) -> None:
    """Nothing holds the invoice as before: what stood still because of it is looked at by the next run.

    Also where the rest was too small for a card: with what was held it may not be.
    """
    plan = _plan.plan_of_or_none(invoice)
    if plan is not None and plan.stopped_because in (Stop.ON_HOLD.value, Stop.TOO_SMALL.value):
        _plan.put(invoice, at=now if invoice.due_minor else None, why=Why.HOLD_LIFTED)
