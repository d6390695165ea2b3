"""Stripe clearing against Stripe's own balance: movement by movement, then as a whole, by currency.

A whole that agrees by chance is no proof, and parts that agree say nothing of what belongs to no part. So
both are looked at: every movement has its posting, no posting is without its object, and Stripe's balance is
the sum of its movements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from django.db.models import Sum

from callbill.domain.ledger.models import Account, Posting
from callbill.domain.payments import operations as payments
from callbill.domain.payments.gateway import gateway
from callbill.domain.reconciliation import _balance_words as _words
from callbill.domain.reconciliation._facts import keep_all
from callbill.domain.reconciliation._found import NOTES, Found
from callbill.domain.reconciliation._seen import rows
from callbill.domain.reconciliation.models import BalanceTransaction
from callbill.rules.money import Money

_TRIES = 3
_MOST_ASKED = 50
_JUST_NOW = timedelta(hours=1)
_KINDS = {"re": "refund.updated", "pyr": "refund.updated", "dp": "charge.dispute.updated"}
_KINDS["du"] = _KINDS["dp"]

_FEES = """
SELECT t.reference, t.currency,
       t.fee_minor - CASE t.kind WHEN 'fee' THEN t.amount_minor ELSE 0 END AS amount
FROM reconciliation_balancetransaction t
WHERE t.fee_minor <> CASE t.kind WHEN 'fee' THEN t.amount_minor ELSE 0 END
  AND NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.key = 'fee:' || t.reference)
ORDER BY t.created_at, t.reference
"""
_OBJECTS = """
WITH moved AS (
    SELECT t.source, t.currency, sum(t.amount_minor) AS amount
    FROM reconciliation_balancetransaction t
    WHERE t.source <> '' AND t.kind <> 'fee'
    GROUP BY t.source, t.currency
), names AS (
    SELECT m.source, k.key, NULL::uuid AS refund_payer
    FROM moved m CROSS JOIN LATERAL (VALUES
        ('payment:' || m.source), ('payout:' || m.source), ('payout_failed:' || m.source)) k(key)
    UNION ALL
    SELECT m.source, k.key, NULL FROM moved m JOIN payments_refund r ON r.reference = m.source
    CROSS JOIN LATERAL (
        SELECT fact || r.id || times AS key
        FROM (VALUES ('refund_made:'), ('refund_failed:')) f(fact),
             (VALUES (''), (':2'), (':3'), (':4'), (':5')) t(times)) k
    UNION ALL
    SELECT t.source, 'chargeback_moved:' || t.reference, NULL
    FROM reconciliation_balancetransaction t JOIN moved m ON m.source = t.source
), posted AS (
    SELECT n.source, p.currency, sum(p.amount_minor) AS amount, (array_agg(p.payer_id))[1] AS payer_id
    FROM names n JOIN ledger_entry e ON e.key = n.key
    JOIN ledger_posting p ON p.entry_id = e.id AND p.account = 'stripe_clearing'
    GROUP BY n.source, p.currency
)
SELECT m.source, m.currency, m.amount, coalesce(p.amount, 0) AS posted,
       coalesce(p.payer_id, v.payer_id) AS payer_id
FROM moved m
LEFT JOIN posted p ON p.source = m.source AND p.currency = m.currency
LEFT JOIN payments_chargeback c ON c.reference = m.source
LEFT JOIN payments_refund r ON r.reference = m.source
LEFT JOIN payments_paymentattempt a ON a.id = coalesce(c.attempt_id, r.attempt_id)
LEFT JOIN invoicing_invoice v ON v.id = a.invoice_id
WHERE (p.source IS NOT NULL OR c.id IS NOT NULL OR r.id IS NOT NULL) AND m.amount <> coalesce(p.amount, 0)
ORDER BY m.source
"""
_OTHER_KINDS = """
SELECT kind, currency, count(*) AS movements, sum(amount_minor) AS amount
FROM reconciliation_balancetransaction
WHERE kind NOT IN ('charge', 'charge_failure', 'refund', 'refund_failure', 'dispute', 'dispute_reversal',
                   'payout', 'payout_reversal', 'fee')
GROUP BY kind, currency ORDER BY kind, currency
"""
_GIVEN_BACK = """
SELECT s.reference FROM seen_refund s
WHERE s.charge = ANY(%s) AND NOT EXISTS (SELECT 1 FROM payments_refund r WHERE r.reference = s.reference)
UNION ALL
SELECT s.reference FROM seen_chargeback s
WHERE s.charge = ANY(%s) AND NOT EXISTS (SELECT 1 FROM payments_chargeback c WHERE c.reference = s.reference)
"""
# Postings that belong to no object at Stripe that we know.
_BELONGS_TO_NOTHING = """
SELECT p.currency, sum(p.amount_minor) AS amount
FROM ledger_posting p JOIN ledger_entry e ON e.id = p.entry_id
WHERE p.account = 'stripe_clearing'
  AND e.kind NOT IN ('refund_made', 'refund_failed', 'fee', 'payout', 'payout_failed',
                     'chargeback_withdrawn', 'chargeback_reinstated')
  AND NOT (e.kind = 'payment' AND EXISTS (
      SELECT 1 FROM payments_paymentattempt a
      WHERE a.charge = substr(e.key, 9) AND a.state = 'succeeded'))
GROUP BY p.currency
"""


def movements(named: Collection[str], *, now: datetime) -> Iterator[Found]:
    """Fees without a posting, objects that moved another amount than was posted, movements of other kinds.

    However old they are: nothing of it needs Stripe's lists. `named` are objects with a difference of their
    own.
    """
    for row in rows(_FEES):
        yield _words.fee_unposted(row)
    off = [row for row in rows(_OBJECTS) if row["source"] not in named]
    for row in off[:_MOST_ASKED]:
        # It may have moved since the lists were read; then it is only late.
        kind = _KINDS.get(row["source"].partition("_")[0])
        if kind:
            payments.look_at(kind=kind, reference=row["source"], now=now)
    for row in rows(_OBJECTS) if off else ():
        if row["source"] not in named:
            yield _words.movement_amount(row)
    for row in rows(_OTHER_KINDS):
        yield _words.other_movements(row)


def clearing(found: Iterable[Found], *, now: datetime) -> Iterator[Found]:
    """Stripe clearing and Stripe's balance as a whole. `found` are all other differences. Asks Stripe."""
    found = list(found)
    explained = _explained(found)
    named_strays = _named_strays(found)
    at_stripe = _balance(now)
    in_books = Counter(
        dict(
            Posting.objects.filter(account=Account.STRIPE_CLEARING)
            .values_list("currency")
            .annotate(Sum("amount_minor"))
        )
    )
    kept = _kept()
    strays = {row["currency"]: int(row["amount"]) for row in rows(_BELONGS_TO_NOTHING)}
    for currency in sorted({*at_stripe, *in_books, *kept}):
        unread = at_stripe[currency] - kept[currency]
        rest = unread - strays.get(currency, 0) + named_strays[currency]
        named = explained[currency] - named_strays[currency]
        if rest + named:
            yield _words.clearing(
                in_books=Money(in_books[currency], currency),
                at_stripe=Money(at_stripe[currency], currency),
                named=Money(named, currency),
                unexplained=Money(rest, currency),
            )


def _balance(now: datetime) -> Counter[str]:
    """Stripe's balance, with every movement kept that is in it: read again if it moved meanwhile."""
    held: Counter[str] = Counter()
    for _ in range(_TRIES):
        keep_all(gateway().transactions(since=now - _JUST_NOW), now=now)
        held = Counter({amount.currency: amount.minor for amount in gateway().balance()})
        kept = _kept()
        if all(held[currency] == kept[currency] for currency in {*held, *kept}):
            break
    return held


def _kept() -> Counter[str]:
    return Counter(dict(BalanceTransaction.objects.values_list("currency").annotate(Sum("net_minor"))))


def _named_strays(found: Iterable[Found]) -> Counter[str]:
    """What of the postings that belong to nothing has a difference of its own."""
    total: Counter[str] = Counter()
    for difference in found:
        if difference.kind == "entry_without_charge" and difference.amount is not None:
            total[difference.amount.currency] += difference.amount.minor
    return total


def _explained(found: Iterable[Found]) -> Counter[str]:
    """What the differences found so far come to on the clearing account; notes explain nothing wrong."""
    total: Counter[str] = Counter()
    sources: set[str] = set()
    for difference in found:
        if difference.kind in NOTES:
            continue
        sources.update(difference.sources)
        for amount in difference.explains:
            total[amount.currency] += amount.minor
    # What was given back of a charge that the books do not have is not in the books either.
    sources.update(row["reference"] for row in rows(_GIVEN_BACK, [list(sources)] * 2))
    moved = BalanceTransaction.objects.filter(source__in=sources)
    total.update(dict(moved.values_list("currency").annotate(Sum("amount_minor"))))
    return total
