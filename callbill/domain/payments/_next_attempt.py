"""When an invoice is charged next by itself, and why then: for its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _owing, _plan
from callbill.domain.payments._words import ATTEMPT_TRIGGER
from callbill.domain.payments.models import CollectionPlan, PaymentAttempt
from callbill.rules.dunning import Stop, Why
from callbill.rules.lifecycle import OWED

_TRIGGER = PaymentAttempt.Trigger
_IF = {
    Stop.NO_CARD.value: "With the next billing cycle, if there is a card by then",
    Stop.REPLACE_CARD.value: "With the next billing cycle, if there is another card by then",
    Stop.NEEDS_CONSENT.value: "With the next billing cycle, if the replaced card was agreed to by then",
    Stop.OUR_MISTAKE.value: "Again, because the last try failed by our fault",
}
_BECAUSE = {
    Why.CYCLE.value: "Automatic retry, with the next billing cycle",
    Why.AFTER_A_PERSON.value: "Automatic retry, a day after the last try",
    Why.CHANGED.value: "Again, because the card was not charged before",
    Why.THE_REST.value: "For the rest, which is not paid yet",
    Why.HOLD_LIFTED.value: "Because nothing holds the invoice any more",
    Why.STOP_LIFTED.value: "Because payments go on again",
    Why.RETURNED.value: "With the next billing cycle, because a payment was returned",
}


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """The next try that is planned; `at` is None for the next hourly run."""

    at: datetime | None
    reason: str


def next_attempt(invoice: Invoice) -> NextAttempt | None:
    """The next try by itself; None where none is planned, none may be made, or one is under way."""
    if invoice.status not in OWED or not invoice.due_minor:
        return None
    live = _plan.live_attempt(invoice.id)
    if live is not None and live.state != PaymentAttempt.State.ACTION_REQUIRED:
        return None
    found = _planned(invoice)
    if found is None or _owing.is_stopped(invoice.payer_id) or not _owing.to_charge(invoice).minor:
        return None  # where staff stopped its payer, or all of it is held (M30), what was planned waits, too
    return found


def _planned(invoice: Invoice) -> NextAttempt | None:
    plan: CollectionPlan | None = getattr(invoice, "collection_plan", None)
    if plan is None:
        card = _plan.chargeable_card(invoice.payer_id)
        return NextAttempt(None, ATTEMPT_TRIGGER[_TRIGGER.ISSUE]) if card else None
    if plan.next_attempt_at is None:
        return None
    return NextAttempt(plan.next_attempt_at, _reason(plan))


def _reason(plan: CollectionPlan) -> str:
    if plan.new_card:
        return ATTEMPT_TRIGGER[_TRIGGER.NEW_CARD]
    if plan.stopped_because in _IF:
        return _IF[plan.stopped_because]
    if plan.planned_because == Why.LADDER.value:
        return _after_the_decline(plan)
    # Planned before reasons were kept: the kind of the attempt is all that is known.
    return _BECAUSE.get(plan.planned_because, ATTEMPT_TRIGGER[_TRIGGER.CYCLE])


def _after_the_decline(plan: CollectionPlan) -> str:
    """In days since the last decline that nobody had asked for; a person's does not move the ladder."""
    declined = PaymentAttempt.objects.filter(invoice_id=plan.invoice_id, state=PaymentAttempt.State.DECLINED)
    by_itself = declined.exclude(trigger__in=_plan.BY_PEOPLE).aggregate(last=Max("finished_at"))["last"]
    if by_itself is None or plan.next_attempt_at is None:
        return ATTEMPT_TRIGGER[_TRIGGER.CYCLE]
    days = (plan.next_attempt_at - by_itself).days
    return f"Automatic retry, {days} day{'s' if days != 1 else ''} after the decline"
