"""T1 of the attempt machine: an attempt as a row, with its card and amount frozen, or why there is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from callbill.domain.customers import queries as customers
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _owing, _plan
from callbill.domain.payments._apply import end
from callbill.domain.payments._metadata import environment
from callbill.domain.payments._refused import (
    AmountTooSmall,
    CardMustBeReplaced,
    CardNeedsConsent,
    NoCard,
    NothingDue,
    PaymentInProgress,
)
from callbill.domain.payments._words import card_label
from callbill.domain.payments.models import PaymentAttempt, PaymentIntent, PaymentMethod
from callbill.lib import formats
from callbill.lib.transactions import in_transaction
from callbill.rules import dunning
from callbill.rules.lifecycle import OWED, WORDS, InvoiceStatus
from callbill.rules.money import Money

_STATE = PaymentAttempt.State
# Longer than all calls of one attempt can take; then the sweeper may go on with it.
LEASE = timedelta(minutes=15)


@in_transaction
def prepare(
    *, invoice_id: UUID, trigger: str, now: datetime, requested_by: UUID | None = None
) -> PaymentAttempt:
    """T1: the attempt as a row, with its card and amount frozen. Nothing is charged yet.

    Raises PaymentRefused's kinds: NothingDue, PaymentInProgress, NoCard, CardNeedsConsent, OnHold,
    CollectionStopped, AmountTooSmall, CardMustBeReplaced.
    """
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    live = _plan.live_attempt(invoice.id)
    card, amount = _card_to_charge(invoice, live, trigger in _plan.BY_PEOPLE)
    if live is not None:
        # It waits for the cardholder, and another card is the default now or another amount is owed. The
        # payment stays the same one, so that whichever of the two comes first makes the other impossible.
        end(live, _STATE.DECLINED, now)
    _plan.plan_of(invoice)
    return PaymentAttempt.objects.create(
        intent=open_intent(invoice, amount, now),
        invoice=invoice,
        payment_method=card,
        trigger=trigger,
        requested_by_id=requested_by,
        amount_minor=amount.minor,
        currency=invoice.currency,
        created_at=now,
        lease_until=now + LEASE,
    )


def _card_to_charge(
    invoice: Invoice, live: PaymentAttempt | None, present: bool
) -> tuple[PaymentMethod, Money]:
    status = InvoiceStatus(invoice.status)
    if status.value not in OWED or invoice.due_minor == 0:
        raise NothingDue(
            f"Invoice {invoice.number or ''} is {WORDS[status].lower()}; there is nothing to pay."
        )
    if live is not None and live.state != _STATE.ACTION_REQUIRED:
        raise PaymentInProgress(
            f"A payment in progress for invoice {invoice.number} must end first. "
            "We are waiting for the bank's answer; look again in a few minutes."
        )
    if live is not None and live.given_up_at:
        raise PaymentInProgress(
            f"A payment of invoice {invoice.number} was given up, and Stripe has not confirmed that yet. It "
            "is asked again by itself; try again in a few minutes."
        )
    amount = _owing.amount_or_refuse(invoice)
    if not dunning.can_be_charged(amount):
        least = formats.money(dunning.smallest_charge(invoice.currency))
        raise AmountTooSmall(
            f"{formats.money(amount)} is less than the {least} that can be charged to a card."
        )
    card = _plan.default_card(invoice.payer_id, lock=True)
    if card is None:
        raise NoCard(f"{invoice.payer} has no card on file. Add a card first.")
    if card.needs_consent_since:
        raise CardNeedsConsent(
            f"The bank replaced the card with the {card_label(card)}. Agree to its use again on the Company "
            "page, or make another card the default."
        )
    if present and _owing.waits_with(invoice, live, card):
        raise PaymentInProgress(
            f"A payment with the {card_label(card)} waits for its holder to confirm it; the link is on the "
            "invoice's page and in our mail."
        )
    if _plan.must_be_replaced(invoice.id, card, present=present):
        raise CardMustBeReplaced(
            f"The bank refused the {card_label(card)} for good. Add another card and make it the default."
        )
    return card, amount


def open_intent(invoice: Invoice, amount: Money, now: datetime) -> PaymentIntent:
    """The invoice's payment that is open, or a new generation of it. The invoice must be locked."""
    last = PaymentIntent.objects.filter(invoice=invoice).order_by("-generation").first()
    if last is not None and last.state == PaymentIntent.State.OPEN:
        return last
    return PaymentIntent.objects.create(
        invoice=invoice,
        amount_minor=amount.minor,
        currency=invoice.currency,
        description=f"Invoice {invoice.number}",
        statement_suffix=customers.seller().statement_suffix,
        environment=environment(),
        generation=last.generation + 1 if last else 1,
        created_at=now,
    )
