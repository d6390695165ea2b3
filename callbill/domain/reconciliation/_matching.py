"""The three-way comparison of charges and refunds: what was seen at Stripe, our attempts, our books. In SQL.

Each function answers with `Found` differences. Whether something is missing at Stripe is asked once more,
one by one, before it is said: it may have come about while the list was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from callbill.domain.payments.gateway import NotAccepted, OurMistake, RefundStatus, gateway
from callbill.domain.reconciliation import _balance_words, _words
from callbill.domain.reconciliation._again import open_objects
from callbill.domain.reconciliation._found import Found
from callbill.domain.reconciliation._seen import rows

_FEE_COMES_WITHIN = timedelta(days=7)
# So many are asked for one by one; what is missing beyond that is said without asking again.
_MOST_ASKED = 200

_MATCHED = """
CREATE TEMP TABLE matched AS
SELECT c.*, a.id AS attempt_id, a.state AS attempt_state,
       a.amount_minor AS attempt_amount, a.currency AS attempt_currency,
       v.id AS ours_id, v.number, coalesce(v.payer_id, g.payer_id) AS payer_id,
       c.amount - c.refunded - coalesce(taken.minor, 0) AS net,
       e.id IS NOT NULL AS in_ledger, p.amount_minor AS posted, p.currency AS posted_currency
FROM seen_charge c
LEFT JOIN payments_paymentattempt a ON a.charge = c.reference
LEFT JOIN payments_paymentintent i ON i.reference = c.intent
LEFT JOIN payments_paymentintent n ON n.id = c.intent_id
LEFT JOIN invoicing_invoice v ON v.id = coalesce(a.invoice_id, i.invoice_id, n.invoice_id, c.invoice_id)
LEFT JOIN payments_gatewaycustomer g ON g.reference = c.customer AND c.customer <> ''
LEFT JOIN ledger_entry e ON e.key = 'payment:' || c.reference
LEFT JOIN ledger_posting p ON p.entry_id = e.id AND p.account = 'stripe_clearing'
LEFT JOIN (SELECT charge, sum(withdrawn) AS minor FROM seen_chargeback GROUP BY charge) taken
       ON taken.charge = c.reference
WHERE c.succeeded
"""
# What an invoice asked cards for is what credit balance, credit notes and bank payments left of it. What a
# bank gave back after it was paid again is credit balance already.
# Charges of an invoice that stand: seen ones, and earlier ones of ours that the list does not go back to.
_TWICE = """
WITH standing AS (
    SELECT ours_id AS invoice_id, reference, net, currency, in_ledger, created_at
    FROM matched WHERE ours_id IS NOT NULL AND net > 0
    UNION ALL
    SELECT a.invoice_id, a.charge, a.amount_minor - coalesce(r.minor, 0) - coalesce(c.minor, 0), a.currency,
           true, a.finished_at
    FROM payments_paymentattempt a
    LEFT JOIN (SELECT attempt_id, sum(amount_minor) AS minor FROM payments_refund
               WHERE state <> 'failed' GROUP BY attempt_id) r ON r.attempt_id = a.id
    LEFT JOIN (SELECT attempt_id, sum(withdrawn_minor) AS minor FROM payments_chargeback
               GROUP BY attempt_id) c ON c.attempt_id = a.id
    WHERE a.state = 'succeeded' AND a.invoice_id IN (SELECT ours_id FROM matched)
      AND NOT EXISTS (SELECT 1 FROM seen_charge s WHERE s.reference = a.charge)
      AND a.amount_minor > coalesce(r.minor, 0) + coalesce(c.minor, 0)
), sums AS (
    SELECT invoice_id, array_agg(currency ORDER BY currency) AS currencies,
           array_agg(net ORDER BY currency) AS nets
    FROM (SELECT invoice_id, currency, sum(net)::bigint AS net FROM standing GROUP BY 1, 2) each
    GROUP BY invoice_id
), asking AS (
    SELECT v.id, v.number, v.payer_id, v.currency,
           v.total_minor + v.brought_minor - v.balance_applied_minor - v.credited_minor
           - coalesce((SELECT sum(b.amount_minor - b.surplus_minor) FROM payments_bankpayment b
                       WHERE b.invoice_id = v.id AND b.returned_at IS NULL), 0)
           + coalesce((SELECT sum(k.surplus_minor) FROM payments_chargeback k
                       JOIN payments_paymentattempt a ON a.id = k.attempt_id
                       WHERE a.invoice_id = v.id), 0) AS asked
    FROM invoicing_invoice v WHERE v.id IN (SELECT invoice_id FROM sums)
)
SELECT v.id, v.number, v.payer_id, v.currency, v.asked AS owed,
       n.currencies, n.nets, array_agg(s.net ORDER BY s.created_at, s.reference) AS of_each,
       array_agg(s.reference ORDER BY s.created_at, s.reference) AS charges,
       coalesce(array_agg(s.reference) FILTER (WHERE NOT s.in_ledger), '{}') AS unposted
FROM standing s JOIN asking v ON v.id = s.invoice_id JOIN sums n ON n.invoice_id = v.id
GROUP BY v.id, v.number, v.payer_id, v.currency, v.asked, n.currencies, n.nets
HAVING count(*) > 1 AND (bool_or(NOT s.in_ledger)
       OR sum(s.net) FILTER (WHERE s.currency = v.currency) > v.asked)
ORDER BY v.number
"""
_WITHOUT_ATTEMPT = """
SELECT * FROM matched
WHERE payer_id IS NOT NULL AND net > 0 AND (attempt_id IS NULL OR attempt_state <> 'succeeded')
ORDER BY created_at, reference
"""
_OTHER_AMOUNT = """
SELECT * FROM matched
WHERE attempt_state = 'succeeded' AND (amount <> attempt_amount OR currency <> attempt_currency
      OR in_ledger AND (posted IS NULL OR posted <> amount OR posted_currency <> currency))
ORDER BY created_at, reference
"""
_WITHOUT_ENTRY = """
SELECT * FROM matched WHERE attempt_state = 'succeeded' AND NOT in_ledger AND net > 0
ORDER BY created_at, reference
"""
_OTHERS = """
SELECT currency, count(*) AS charges, sum(amount) AS amount, min(created_at) AS created_at FROM matched
WHERE payer_id IS NULL AND attempt_id IS NULL GROUP BY currency ORDER BY currency
"""
_ATTEMPT_ALONE = """
SELECT a.charge AS reference, a.amount_minor AS amount, a.currency, v.number, v.payer_id,
       p.amount_minor AS posted, p.currency AS posted_currency
FROM payments_paymentattempt a
JOIN invoicing_invoice v ON v.id = a.invoice_id
LEFT JOIN ledger_entry e ON e.key = 'payment:' || a.charge
LEFT JOIN ledger_posting p ON p.entry_id = e.id AND p.account = 'stripe_clearing'
WHERE a.state = 'succeeded' AND (a.submitted_at >= %s OR a.charge = ANY(%s))
  AND NOT EXISTS (SELECT 1 FROM seen_charge s WHERE s.reference = a.charge AND s.succeeded)
ORDER BY a.finished_at, a.charge
"""
_ENTRY_ALONE = """
SELECT substr(e.key, 9) AS reference, p.amount_minor AS amount, p.currency, p.payer_id, e.description
FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.account = 'stripe_clearing'
WHERE e.kind = 'payment' AND (e.at >= %s OR e.key = ANY(%s))
  AND NOT EXISTS (SELECT 1 FROM seen_charge s WHERE 'payment:' || s.reference = e.key AND s.succeeded)
  AND NOT EXISTS (SELECT 1 FROM payments_paymentattempt a
                  WHERE a.charge = substr(e.key, 9) AND a.state = 'succeeded')
ORDER BY e.at, e.key
"""
_NO_FEE_YET = """
SELECT m.* FROM matched m
WHERE m.payer_id IS NOT NULL AND m.created_at < %s
  AND NOT EXISTS (SELECT 1 FROM reconciliation_balancetransaction t WHERE t.source = m.reference)
ORDER BY m.created_at, m.reference
"""
_STRANGE_REFUND = """
SELECT s.reference, s.charge, s.amount, s.currency, v.number, v.payer_id
FROM seen_refund s
JOIN payments_paymentattempt a ON a.charge = s.charge AND a.state = 'succeeded'
JOIN ledger_entry e ON e.key = 'payment:' || s.charge
JOIN invoicing_invoice v ON v.id = a.invoice_id
WHERE s.status <> 'failed' AND NOT EXISTS (SELECT 1 FROM payments_refund r WHERE r.reference = s.reference)
ORDER BY s.reference
"""
_REFUND_AMOUNT = """
SELECT s.reference, s.amount, s.currency, r.amount_minor AS ours, r.currency AS ours_currency,
       p.amount_minor AS posted, p.currency AS posted_currency, v.number, v.payer_id
FROM seen_refund s JOIN payments_refund r ON r.reference = s.reference
LEFT JOIN (SELECT e.key, p.currency, p.amount_minor FROM ledger_entry e
           JOIN ledger_posting p ON p.entry_id = e.id AND p.account = 'stripe_clearing'
           WHERE e.kind = 'refund_made') p ON p.key = 'refund_made:' || r.id
JOIN payments_paymentattempt a ON a.id = r.attempt_id JOIN invoicing_invoice v ON v.id = a.invoice_id
WHERE s.amount <> r.amount_minor OR s.currency <> r.currency
ORDER BY s.reference
"""
_REFUND_ALONE = """
SELECT r.reference, r.amount_minor AS amount, r.currency, r.state, v.number, v.payer_id
FROM payments_refund r
JOIN payments_paymentattempt a ON a.id = r.attempt_id JOIN invoicing_invoice v ON v.id = a.invoice_id
WHERE r.reference IS NOT NULL AND r.state IN ('pending', 'succeeded')
  AND (r.created_at >= %s OR r.reference = ANY(%s))
  AND NOT EXISTS (SELECT 1 FROM seen_refund s WHERE s.reference = r.reference)
ORDER BY r.created_at, r.reference
"""
_STRANGE_CHARGEBACK = """
SELECT s.reference, s.charge, s.amount, s.currency, s.withdrawn, m.number, m.payer_id
FROM seen_chargeback s JOIN matched m ON m.reference = s.charge
WHERE m.payer_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM payments_chargeback c WHERE c.reference = s.reference)
ORDER BY s.reference
"""


def match() -> None:
    """Join what was seen with what is ours; the questions below are asked of the outcome."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.matched")
        cursor.execute(_MATCHED)
        cursor.execute("CREATE INDEX ON matched (ours_id)")
        cursor.execute("ANALYZE matched")


def payers() -> dict[str, UUID]:
    """Whose charges those are that no attempt of ours made; nobody else would know for their fees."""
    found = rows("SELECT reference, payer_id FROM matched WHERE attempt_id IS NULL AND payer_id IS NOT NULL")
    return {row["reference"]: row["payer_id"] for row in found}


def incidents() -> Iterator[Found]:
    """What must stop collection: an invoice paid twice, a charge that nobody here made."""
    twice = rows(_TWICE)
    for row in twice:
        yield _words.two_charges(row)
    named = {charge for row in twice for charge in row["charges"]}
    for row in rows(_WITHOUT_ATTEMPT):
        if row["reference"] not in named:
            yield _words.charge_without_attempt(row)


def charges(named: set[str], *, since: datetime, now: datetime) -> Iterator[Found]:
    """Every other difference of a charge; `named` are charges of incidents."""
    for row in rows(_OTHER_AMOUNT):
        yield _words.charge_amount(row)
    for row in rows(_WITHOUT_ENTRY):
        if row["reference"] not in named:
            yield _words.charge_without_entry(row)
    still = open_objects()
    for row in _missing(rows(_ATTEMPT_ALONE, [since, still]), _has_charge):
        yield _words.attempt_without_charge(row)
    keys = [f"payment:{name}" for name in still]
    for row in _missing(rows(_ENTRY_ALONE, [since, keys]), _has_charge):
        yield _words.entry_without_charge(row)
    for row in rows(_NO_FEE_YET, [now - _FEE_COMES_WITHIN]):
        yield _balance_words.fee_missing(row)
    for row in rows(_OTHERS):
        yield _balance_words.other_customers(row)


def refunds_and_chargebacks(*, since: datetime) -> Iterator[Found]:
    """Every difference of a refund or a dispute."""
    for row in rows(_STRANGE_REFUND):
        yield _words.refund_not_ours(row)
    for row in rows(_REFUND_AMOUNT):
        yield _words.refund_amount(row)
    for row in _missing(rows(_REFUND_ALONE, [since, open_objects()]), _has_refund):
        yield _words.refund_without_stripe(row)
    for row in rows(_STRANGE_CHARGEBACK):
        yield _words.chargeback_unknown(row)


def _missing(found: list[dict[str, Any]], is_there: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
    for index, row in enumerate(found):
        if index >= _MOST_ASKED or not is_there(row["reference"]):
            yield row


def _has_charge(reference: str) -> bool:
    try:
        return gateway().fetch_charge(reference=reference).succeeded
    except NotAccepted:
        raise
    except OurMistake:  # there is no such charge
        return False


def _has_refund(reference: str) -> bool:
    try:
        return gateway().fetch_refund(reference=reference).status is not RefundStatus.FAILED
    except NotAccepted:
        raise
    except OurMistake:  # there is no such refund
        return False
