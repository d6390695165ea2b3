"""What a person can pay now: which invoices, how much of them, with which card."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from callbill.domain.customers.queries import Viewer, administers, visible_payers
from callbill.domain.invoicing.models import DUE, Invoice
from callbill.domain.payments import _owing, _plan
from callbill.domain.payments._words import card_label
from callbill.domain.payments.models import PaymentAttempt, PaymentMethod
from callbill.rules import dunning
from callbill.rules.lifecycle import OWED, InvoiceStatus
from callbill.rules.money import Money


@dataclass(frozen=True, slots=True)
class PayableInvoice:
    """An invoice that can be charged now. `seen`: how many attempts there are, for `pay_invoices`."""

    id: UUID
    number: str
    payer_id: UUID
    payer_name: str
    past_due: bool
    amount: Money
    held: Money  # what else is due, and not charged because it is on hold
    card: str
    seen: int
    by_itself: bool  # a new card will be charged for it in a moment


def chargeable(invoice: Invoice) -> PaymentMethod | None:
    """The card with which the invoice would be tried if a person asked now, or None if it would not."""
    if invoice.status not in OWED or _owing.is_stopped(invoice.payer_id):
        return None
    if not dunning.can_be_charged(_owing.to_charge(invoice)):
        return None
    live = _plan.live_attempt(invoice.id)
    if live is not None and (live.given_up_at or live.state != PaymentAttempt.State.ACTION_REQUIRED):
        return None
    card = _plan.chargeable_card(invoice.payer_id)
    if card is None or _owing.waits_with(invoice, live, card):
        return None
    return None if _plan.must_be_replaced(invoice.id, card, present=True) else card


def payable(viewer: Viewer, numbers: Iterable[str] | None = None) -> list[PayableInvoice]:
    """What the viewer, as a billing administrator, can pay now, by number; of `numbers`, or of all."""
    mine = [payer.id for payer in visible_payers(viewer) if administers(viewer, payer)]
    owed = Invoice.objects.alias(due=DUE).filter(payer_id__in=mine, status__in=OWED, due__gt=0)
    if numbers is not None:
        owed = owed.filter(number__in=list(numbers))
    found = []
    for invoice in owed.select_related("payer__company", "payer__organization").order_by("number"):
        card = chargeable(invoice)
        if card is None:
            continue
        plan = _plan.plan_of_or_none(invoice)
        amount = _owing.to_charge(invoice)
        found.append(
            PayableInvoice(
                id=invoice.id,
                number=invoice.number or "",
                payer_id=invoice.payer_id,
                payer_name=invoice.payer.name,
                past_due=invoice.status == InvoiceStatus.PAST_DUE.value,
                amount=amount,
                held=Money(invoice.due_minor, invoice.currency) - amount,
                card=card_label(card),
                seen=PaymentAttempt.objects.filter(invoice=invoice).count(),
                by_itself=plan is not None and plan.new_card and plan.next_attempt_at is not None,
            )
        )
    return found
