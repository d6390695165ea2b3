"""Holds that staff place and lift (M30); lifting lets what was held be charged."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.disputes import operations as disputes
from callbill.domain.disputes.models import Hold
from callbill.domain.disputes.operations import HoldRefused
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _chargeback_notices, _holding
from callbill.domain.payments.models import Chargeback
from callbill.lib.transactions import in_transaction

__all__ = ["HoldRefused", "lift_hold"]

_UNDECIDED = (Chargeback.State.INQUIRY.value, Chargeback.State.OPEN.value)


@in_transaction
def lift_hold(*, hold_id: UUID, actor_id: UUID, reason: str, now: datetime) -> None:
    """Staff lift a hold: what it held is charged by the next collection run, if its time had come.

    Lifting twice is lifting once. Raises HoldRefused while the cardholder's bank has not decided,
    ReasonMissing, NotFound.
    """
    hold = Hold.objects.filter(id=hold_id, kind=Hold.Kind.CHARGEBACK.value, lifted_at=None).first()
    if hold is not None:
        # The invoice first, as whoever applies the bank's decision does.
        Invoice.objects.select_for_update().get(id=hold.invoice_id)
        if Chargeback.objects.filter(reference=hold.cause, state__in=_UNDECIDED).exists():
            raise HoldRefused(
                "The bank has not decided yet. Its hold is lifted by itself when it decides for us; if it "
                "decides for the cardholder, lift it then."
            )
    lifted = disputes.lift_hold(hold_id=hold_id, reason=reason, actor_id=actor_id, now=now)
    _chargeback_notices.settle_dispute(lifted.cause, now)
    _chargeback_notices.settle_warning(lifted.cause, now)
    _holding.wake(Invoice.objects.select_for_update().get(id=lifted.invoice_id), now)
