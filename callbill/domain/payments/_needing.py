"""Invoices that nothing will happen to by itself: staff or the customer must do something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Exists, F, OuterRef, Q

from callbill.domain.customers.queries import Viewer
from callbill.domain.invoicing.models import DUE, Invoice
from callbill.domain.payments._words import due_of
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt, PaymentMethod
from callbill.rules.dunning import Stop
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money

_WORDS = {
    Stop.NO_CARD.value: "There is no card on file; ask the customer to add one.",
    Stop.REPLACE_CARD.value: (
        "The bank refused the card, and it is not tried again by itself; ask the customer to look at the "
        "invoice, or to add another card."
    ),
    Stop.TOO_MANY.value: "Every automatic try was made; call the customer, or retry.",
    Stop.ON_HOLD.value: "It is on hold; settle what it is held for, then lift the hold.",
    Stop.STOPPED.value: "Payments of this customer are stopped; explain what was found, then lift the stop.",
    Stop.NEEDS_CONSENT.value: "The issuer replaced the card; ask the customer to agree to it or add another.",
    Stop.TOO_SMALL.value: "Too small for a card; it is brought forward to the next invoice.",
    Stop.OUR_MISTAKE.value: "The payment could not be made, and the fault is ours; see its attempts.",
}
_TO_CONFIRM = (
    "The bank wants the cardholder to confirm the payment; ask the customer to open the link in our mail, or "
    "to add another card."
)
_UNDER_WAY = "A payment is under way; if that takes more than an hour, give it up on the invoice's page."
# These stand in the way whether there is a card or not.
_WITHOUT_CARD = (Stop.ON_HOLD.value, Stop.STOPPED.value, Stop.TOO_SMALL.value)
_NOT_PLANNED = "No further try is planned; retry, or call the customer."


@dataclass(frozen=True, slots=True)
class InvoiceInNeed:
    """An invoice that stands still, mostly a past-due one, and what a person can do about it."""

    number: str
    payer_name: str
    due_date: date | None
    due: Money
    what_to_do: str


def need_a_person(viewer: Viewer, *, limit: int = 50) -> list[InvoiceInNeed]:
    """The longest due first; nothing for anybody but staff. One query."""
    if not viewer.is_staff:
        return []
    card = PaymentMethod.objects.filter(payer_id=OuterRef("payer_id"), is_default=True, removed_at=None)
    asked = PaymentAttempt.objects.filter(
        invoice_id=OuterRef("id"), state=PaymentAttempt.State.ACTION_REQUIRED, given_up_at=None
    )
    live = PaymentAttempt.objects.filter(invoice_id=OuterRef("id"), state__in=LIVE_STATES)
    past_due, is_open = Q(status=InvoiceStatus.PAST_DUE), Q(status=InvoiceStatus.OPEN)
    stands_still = Q(has_card=False) | Q(next_at=None) | Q(because__gt="")
    # Open ones go on by themselves, except where a plan says nothing of when or why not, or of being stopped.
    forgotten = Q(due__gt=0, under_way=False, next_at=None) & Q(
        because__in=("", Stop.TOO_SMALL.value, Stop.STOPPED.value)
    )
    waiting = (
        Invoice.objects.alias(due=DUE)
        .filter(status__in=(InvoiceStatus.PAST_DUE, InvoiceStatus.OPEN))
        .annotate(
            has_card=Exists(card),
            waits=Exists(asked),
            under_way=Exists(live),
            next_at=F("collection_plan__next_attempt_at"),
            because=F("collection_plan__stopped_because"),
        )
        .filter(past_due & stands_still | is_open & forgotten)
        .order_by("due_date", "number")[:limit]
    )
    return [
        InvoiceInNeed(
            number=invoice.number or "",
            payer_name=invoice.payer_snapshot["name"],
            due_date=invoice.due_date,
            due=due_of(invoice),
            what_to_do=_what_to_do(invoice),
        )
        for invoice in waiting
    ]


def _what_to_do(invoice: Any) -> str:
    """Of a row as `need_a_person` annotates it."""
    because = invoice.because or ""
    if invoice.waits and because in ("", Stop.REPLACE_CARD.value):
        return _TO_CONFIRM
    if invoice.under_way and not invoice.waits and not because:
        return _UNDER_WAY
    if not invoice.has_card and because not in _WITHOUT_CARD:
        return _WORDS[Stop.NO_CARD.value]
    return _WORDS.get(because, _NOT_PLANNED)
