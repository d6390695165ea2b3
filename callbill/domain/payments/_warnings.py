"""Early warnings of fraud: the invoice is held and staff are told; no money moves."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Sum

from callbill.domain.disputes import operations as disputes
from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _chargeback_notices, _holding
from callbill.domain.payments._chargebacks import charged_by, lift_for
from callbill.domain.payments.gateway import FraudWarningView, gateway
from callbill.domain.payments.models import Chargeback, FraudWarning, PaymentAttempt, Refund
from callbill.lib.transactions import in_transaction, outside_transaction


@outside_transaction
def follow_warning(*, reference: str, now: datetime) -> None:
    """Ask for a warning and let everything here follow it. Raises UnknownCharge and GatewayError's kinds."""
    apply_warning(view=gateway().fetch_fraud_warning(reference=reference), now=now)


@in_transaction
def apply_warning(*, view: FraudWarningView, now: datetime) -> None:
    """Keep the warning; hold its invoice and tell staff, unless the money has gone back already.

    The same twice changes nothing. Raises UnknownCharge.
    """
    attempt = charged_by(view.charge)
    invoice = Invoice.objects.select_for_update().get(id=attempt.invoice_id)
    warning, fresh = FraudWarning.objects.get_or_create(
        reference=view.reference,
        defaults={"attempt": attempt, "kind": view.kind[:60], "warned_at": view.warned_at},
    )
    disputed = Chargeback.objects.filter(attempt=attempt).exclude(state=Chargeback.State.INQUIRY_CLOSED.value)
    if not fresh or disputed.exists() or _gone_back(attempt):
        return
    disputes.place_hold(
        invoice_id=invoice.id,
        kind=Hold.Kind.FRAUD_WARNING.value,
        cause=view.reference,
        amount=None,
        reason="The card's bank warns that a payment may be fraud.",
        actor_id=None,
        now=now,
    )
    _chargeback_notices.tell_staff_of_warning(warning, now)


@in_transaction
def after_refund(*, attempt: PaymentAttempt, now: datetime) -> None:
    """All of the charge went back to its card: nothing is left that a warning could be about."""
    if not _gone_back(attempt):
        return
    for warning in FraudWarning.objects.filter(attempt=attempt):
        lift_for(Hold.Kind.FRAUD_WARNING, warning.reference, "The payment was refunded", now)
        _chargeback_notices.settle_warning(warning.reference, now)
        _holding.wake(Invoice.objects.select_for_update().get(id=attempt.invoice_id), now)


def _gone_back(attempt: PaymentAttempt) -> bool:
    refunds = Refund.objects.filter(attempt=attempt, state=Refund.State.SUCCEEDED.value)
    return int(refunds.aggregate(all=Sum("amount_minor", default=0))["all"]) >= attempt.amount_minor
