"""A new default card while something is past due: whether it is charged by itself, and when (M28)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from callbill.domain.customers import queries as customers
from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing.models import DUE, Invoice
from callbill.domain.payments import _plan
from callbill.domain.payments.models import CollectionPlan
from callbill.rules.dunning import Stop
from callbill.rules.lifecycle import OWED, InvoiceStatus


def is_charged_by_itself(payer: BillableEntity) -> bool:
    """Whether a new default card of the payer is charged for what is past due without anybody asking."""
    own = payer.pay_on_new_card
    return customers.seller().pay_on_new_card if own is None else own


def plan_for_new_card(payer: BillableEntity, now: datetime) -> int:
    """Plan what is past due for now, if payer or seller want it so. Returns how many invoices.

    In the transaction that makes the card the default, with the payer locked and, for the order of locks,
    before any card is.
    """
    if not is_charged_by_itself(payer):
        return 0
    return _plan_now(past_due(payer.id), now)


def past_due(payer_id: UUID) -> QuerySet[Invoice]:
    """What a new default card is charged for, where that happens by itself."""
    return _owed(payer_id, InvoiceStatus.PAST_DUE.value)


def plan_after_consent(payer_id: UUID, now: datetime) -> int:
    """Plan for now what was not charged because its card had to be agreed to again. Returns how many."""
    return _plan_now(waiting_for_consent(payer_id), now)


def waiting_for_consent(payer_id: UUID) -> QuerySet[Invoice]:
    """What was not charged because the payer's card must be agreed to again, and is charged once it is."""
    waiting = CollectionPlan.objects.filter(stopped_because=Stop.NEEDS_CONSENT.value).values("invoice_id")
    return _owed(payer_id, *OWED).filter(id__in=waiting)


def _owed(payer_id: UUID, *statuses: str) -> QuerySet[Invoice]:
    return Invoice.objects.alias(due=DUE).filter(payer_id=payer_id, status__in=statuses, due__gt=0)


def _plan_now(invoices: QuerySet[Invoice], now: datetime) -> int:
    planned = 0
    for invoice in invoices.select_for_update(of=("self",)).order_by("id"):
        _plan.put(invoice, at=now, new_card=True)
        planned += 1
    return planned
