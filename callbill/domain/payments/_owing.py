"""What may be charged for an invoice now: what is due, without what is held, unless the payer is stopped."""

from __future__ import annotations

from uuid import UUID

from callbill.domain.disputes import queries as disputes
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments._refused import CollectionStopped, OnHold
from callbill.domain.payments.models import CollectionStop, PaymentAttempt, PaymentMethod
from callbill.lib import formats
from callbill.rules.money import Money


def to_charge(invoice: Invoice) -> Money:
    """What is due without what is held out of collection (M30); may be nothing."""
    return Money(invoice.due_minor, invoice.currency) - disputes.held(invoice)


def is_stopped(payer_id: UUID) -> bool:
    """True while staff must first explain something at the gateway: nothing is charged for this payer."""
    return CollectionStop.objects.filter(payer_id=payer_id, lifted_at=None).exists()


def may_be_confirmed(invoice: Invoice, attempt: PaymentAttempt) -> bool:
    """True while the attempt waits for its cardholder and its amount is what may be charged now."""
    return (
        attempt.state == PaymentAttempt.State.ACTION_REQUIRED
        and attempt.given_up_at is None
        and attempt.payment_method.removed_at is None
        and not is_stopped(invoice.payer_id)
        and to_charge(invoice).minor == attempt.amount_minor
    )


def waits_with(invoice: Invoice, live: PaymentAttempt | None, card: PaymentMethod) -> bool:
    """True while the live attempt waits for the holder of this very card, over what is owed now."""
    return live is not None and live.payment_method_id == card.id and may_be_confirmed(invoice, live)


def amount_or_refuse(invoice: Invoice) -> Money:
    """What may be charged of an invoice on which something is due. Raises OnHold, CollectionStopped."""
    if is_stopped(invoice.payer_id):
        raise CollectionStopped(
            f"We look into a payment of {invoice.payer} first, so nothing is charged meanwhile. There is "
            "nothing to do: we charge again, or write to you, when it is explained."
        )
    amount = to_charge(invoice)
    if amount.minor == 0:
        due = formats.money(Money(invoice.due_minor, invoice.currency))
        raise OnHold(f"The {due} due on invoice {invoice.number} is on hold; nothing is charged meanwhile.")
    return amount
