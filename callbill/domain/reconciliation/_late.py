"""What is merely late: applied by the very functions that messages and the sweepers use, so no difference."""

from __future__ import annotations

import logging
from datetime import datetime

from callbill.domain.payments import operations as payments
from callbill.domain.payments.operations import NotAccepted, OurMistake
from callbill.domain.reconciliation._seen import rows

log = logging.getLogger(__name__)

_CHARGES = """
SELECT c.intent AS reference
FROM seen_charge c
WHERE c.succeeded AND c.intent <> ''
  AND NOT EXISTS (SELECT 1 FROM payments_paymentattempt a
                  WHERE a.charge = c.reference AND a.state = 'succeeded')
  AND (EXISTS (SELECT 1 FROM payments_paymentintent i WHERE i.reference = c.intent)
       OR EXISTS (SELECT 1 FROM payments_paymentintent i WHERE i.id = c.intent_id))
ORDER BY c.created_at, c.reference
"""
_REFUNDS = """
SELECT s.reference
FROM seen_refund s
JOIN payments_refund r ON r.reference = s.reference OR (r.reference IS NULL AND r.id = s.refund_id)
WHERE r.reference IS NULL
   OR s.status = 'failed' AND r.state <> 'failed'
   OR s.status = 'succeeded' AND r.state <> 'succeeded'
   OR s.status = 'pending' AND r.state = 'prepared'
ORDER BY s.reference
"""
_CHARGEBACKS = """
SELECT s.reference
FROM seen_chargeback s
JOIN payments_paymentattempt a ON a.charge = s.charge
LEFT JOIN payments_chargeback c ON c.reference = s.reference
WHERE c.id IS NULL OR c.state <> s.status OR c.withdrawn_minor <> s.withdrawn
ORDER BY s.reference
"""
_BY_MESSAGE = (
    (_CHARGES, "payment_intent.succeeded"),
    (_REFUNDS, "refund.updated"),
    (_CHARGEBACKS, "charge.dispute.updated"),
)


def read_messages(*, now: datetime) -> int:
    """Read Stripe's list of messages on, apply what waits, go on with what is in doubt.

    Returns how many messages had not come and how many attempts were in doubt.
    """
    late = payments.backfill_events(now=now)
    while payments.handle_events(now=now):
        pass
    late += sum(payments.sweep_attempts(now=now).attempts.values())
    payments.sweep_refunds(now=now)
    return late


def catch_up(*, now: datetime) -> int:
    """Apply every charge, refund and dispute that was seen and is not known here as it is. Returns how many.

    What Stripe refuses to tell more about stays and is named as a difference. Raises GatewayError where it
    did not answer: then nothing can be said, least of all that nobody here made a charge.
    """
    applied = 0
    for question, kind in _BY_MESSAGE:
        for row in rows(question):
            try:
                applied += payments.look_at(kind=kind, reference=row["reference"], now=now)
            except NotAccepted:
                raise
            except OurMistake as error:
                log.warning("%s was seen and could not be applied: %s", row["reference"], error)
    return applied
