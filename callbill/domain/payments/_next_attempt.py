"""When an invoice is charged next by itself, and why then: for its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _plan
from callbill.domain.payments._words import ATTEMPT_TRIGGER
from callbill.domain.payments.models import BankPayment, CollectionPlan, PaymentAttempt
from callbill.rules.dunning import Stop
from callbill.rules.lifecycle import InvoiceStatus

_OWED = (InvoiceStatus.OPEN.value, InvoiceStatus.PAST_DUE.value)
_TRIGGER = PaymentAttempt.Trigger
_AFTER = {
    Stop.NO_CARD.value: "With the next billing cycle, if there is a card by then",
    Stop.REPLACE_CARD.value: "With the next billing cycle, if there is another card by then",
    Stop.NEEDS_CONSENT.value: "With the next billing cycle, if the replaced card was agreed to by then",
    Stop.OUR_MISTAKE.value: "Again, because the last try failed by our fault",
}


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """The next try that is planned; `at` is None for the next hourly run."""

    at: datetime | None
    reason: str


def next_attempt(invoice: Invoice) -> NextAttempt | None:
    """The next try by itself; None where none is planned, or one is under way."""
    if invoice.status not in _OWED or not invoice.due_minor:
        return None
    live = _plan.live_attempt(invoice.id)
    if live is not None and live.state != PaymentAttempt.State.ACTION_REQUIRED:
        return None
    plan: CollectionPlan | None = getattr(invoice, "collection_plan", None)
    if plan is None:
        card = _plan.chargeable_card(invoice.payer_id)
        return NextAttempt(None, ATTEMPT_TRIGGER[_TRIGGER.ISSUE]) if card else None
    if plan.next_attempt_at is None:
        return None
    return NextAttempt(plan.next_attempt_at, _reason(invoice, plan, plan.next_attempt_at))


def _reason(invoice: Invoice, plan: CollectionPlan, at: datetime) -> str:
    if plan.new_card:
        return ATTEMPT_TRIGGER[_TRIGGER.NEW_CARD]
    if plan.stopped_because:
        return _AFTER.get(plan.stopped_because, ATTEMPT_TRIGGER[_TRIGGER.CYCLE])
    last = PaymentAttempt.objects.filter(invoice=invoice).order_by("-created_at", "-id").first()
    ended = last.finished_at if last else None
    returned = BankPayment.objects.filter(invoice=invoice).aggregate(last=Max("returned_at"))["last"]
    if returned is not None and (ended is None or ended < returned):
        return "With the next billing cycle, because a payment was returned"
    if ended is not None and at != _plan.next_cycle(invoice, ended):
        days = (at - ended).days
        return f"Automatic retry, {days} day{'s' if days != 1 else ''} after the decline"
    return "Automatic retry, with the next billing cycle"
