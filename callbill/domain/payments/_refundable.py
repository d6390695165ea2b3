"""What can go back to a card: of a credit note, of a charge, and of the credit balance."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet, Sum

from callbill.domain.invoicing.models import CreditNote
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.payments.models import Chargeback, PaymentAttempt, Refund
from callbill.rules.money import Money

# The charge of an inquiry can still be refunded (docs.stripe.com/disputes).
_TAKEN = (Chargeback.State.OPEN.value, Chargeback.State.LOST.value)


def refundable(note: CreditNote) -> Money:
    """What of a credit note can still go back to a card: of its balance, what is not refunded or used."""
    _, amount = charge_to_refund(note)
    return amount


def charge_to_refund(note: CreditNote) -> tuple[PaymentAttempt | None, Money]:
    """The charge that paid the invoice and has most left, and what of the note can go back to its card.

    Not one that the cardholder's bank has taken: Stripe refuses, and the money would go twice.
    """
    of_note = min(
        note.to_balance_minor - not_failed(Refund.objects.filter(credit_note=note)), left_in_balance(note)
    )
    best: tuple[PaymentAttempt | None, int] = (None, 0)
    charges = note.invoice.payment_attempts.filter(state=PaymentAttempt.State.SUCCEEDED.value)
    for attempt in charges.exclude(chargebacks__state__in=_TAKEN):
        left = attempt.amount_minor - not_failed(Refund.objects.filter(attempt=attempt))
        if min(of_note, left) > best[1]:
            best = (attempt, min(of_note, left))
    return best[0], Money(best[1], note.currency)


def left_in_balance(note: CreditNote) -> int:
    """What all credit notes of its invoice left in the balance, was not refunded, and is still there.

    One refund made at Stripe may take more than one of them has.
    """
    invoice = note.invoice
    notes = CreditNote.objects.filter(invoice=invoice).aggregate(all=Sum("to_balance_minor", default=0))
    refunded = not_failed(Refund.objects.filter(credit_note__invoice=invoice))
    held = -balance(invoice.payer_id, Account.CUSTOMER_BALANCE, note.currency).minor
    return min(int(notes["all"]) - refunded, held)


def not_failed(refunds: QuerySet[Refund]) -> int:
    """What these come to, in minor units: made, or on their way."""
    kept = refunds.exclude(state=Refund.State.FAILED.value)
    return int(kept.aggregate(all=Sum("amount_minor", default=0))["all"])


def why_not(note: CreditNote) -> str:
    """Why nothing of a credit note can go back to a card, in words for staff."""
    if not note.to_balance_minor:
        return f"Credit note {note.number} only lowered what was to be paid; there is nothing to refund."
    charges = note.invoice.payment_attempts.filter(state=PaymentAttempt.State.SUCCEEDED.value)
    if charges.filter(chargebacks__state__in=_TAKEN).exists():
        return (
            f"The cardholder's bank disputes the payment of invoice {note.invoice.number} and has taken it, "
            f"so it cannot go to the card a second time. The credit of {note.number} stays in the balance."
        )
    if not charges.exists():
        return (
            f"Invoice {note.invoice.number} was not paid by card, so its credit stays in the credit balance."
        )
    return f"The credit of {note.number} was refunded or used already; there is nothing left to refund."


def refunded_balances() -> dict[tuple[UUID, str], int]:
    """What went, or is on its way, from credit balances to cards: minor units by payer and currency."""
    rows = Refund.objects.exclude(state=Refund.State.FAILED.value).values_list(
        "credit_note__invoice__payer_id", "currency"
    )
    return {(payer, currency): minor for payer, currency, minor in rows.annotate(Sum("amount_minor"))}
