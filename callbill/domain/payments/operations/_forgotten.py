"""Payments that nobody needs any more, and that a forgotten tab could still make."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from callbill.domain.invoicing.models import DUE, Invoice
from callbill.domain.payments._alerts import alert
from callbill.domain.payments._apply import apply
from callbill.domain.payments._silence import Answer, Answers
from callbill.domain.payments._withdrawing import cancel
from callbill.domain.payments.gateway import GatewayError, IntentStatus, NotAccepted
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt, PaymentIntent
from callbill.lib.transactions import outside_transaction
from callbill.rules.lifecycle import InvoiceStatus

logger = logging.getLogger(__name__)
_OPEN = PaymentIntent.State.OPEN.value


@outside_transaction
def cancel_forgotten(*, now: datetime) -> int:
    """Cancel at the gateway what was left open of invoices on which nothing is due. Returns how many.

    A page that is still open somewhere could confirm such a payment. One after another; what is paid already
    is applied. Without an answer it is asked again by the next run; several of these in a row, or a refused
    key (M29), end this one.
    """
    canceled = 0
    answers = Answers()
    for intent_id, reference in _another_first(_forgotten(), now):
        if answers.over:
            break
        try:
            canceled += _cancel(intent_id, reference, now)
            answers.count(intent_id, Answer.GIVEN)
        except NotAccepted as error:
            alert(key="gateway-key", kind="gateway_key", message=str(error), now=now)
            break
        except GatewayError as error:
            logger.warning("payment %s was not canceled: %s", reference, error)
            answers.count(intent_id, Answer.of(error))
    return canceled


def _forgotten() -> list[tuple[UUID, str]]:
    # What a void invoice brought forward is owed by the one it came from, though the sum still has it.
    over = Q(status=InvoiceStatus.VOID.value) | Q(due__lte=0)
    settled = Invoice.objects.alias(due=DUE).filter(over, id=OuterRef("invoice_id"))
    live = PaymentAttempt.objects.filter(invoice_id=OuterRef("invoice_id"), state__in=LIVE_STATES)
    left = PaymentIntent.objects.filter(Exists(settled), ~Exists(live), state=_OPEN, reference__isnull=False)
    return [(each.id, str(each.reference)) for each in left.order_by("created_at")]


def _another_first(left: list[tuple[UUID, str]], now: datetime) -> list[tuple[UUID, str]]:
    """The same, begun elsewhere each hour: those that are never answered hide nobody for good."""
    first = int(now.timestamp()) // 3600 % len(left) if left else 0
    return left[first:] + left[:first]


def _cancel(intent_id: UUID, reference: str, now: datetime) -> int:
    view = cancel(reference=reference, intent_id=intent_id)
    if view.status is IntentStatus.SUCCEEDED:
        last = PaymentAttempt.objects.filter(intent_id=intent_id).latest("created_at", "id")
        apply(attempt_id=last.id, view=view, now=now)
    if view.status is not IntentStatus.CANCELED:
        return 0
    # An attempt that began meanwhile, because something is due again, sees for itself that it is canceled.
    return PaymentIntent.objects.filter(id=intent_id, state=_OPEN).update(state=PaymentIntent.State.CANCELED)
