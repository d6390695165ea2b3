"""Stripe clearing against Stripe's own balance: movement by movement, then as a whole, by currency.

A whole that agrees by chance is no proof, and parts that agree say nothing of what belongs to no part. So
both are looked at: what each object moved and what was posted of it stand side by side, and Stripe's balance
must be the books, less what is on its way, with what is not ours and what differences name. Nothing is taken
for on its way or not ours without its object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Sum

from callbill.domain.ledger.models import Account, Posting
from callbill.domain.payments import operations as payments
from callbill.domain.payments.gateway import gateway
from callbill.domain.reconciliation import _balance_words as _words
from callbill.domain.reconciliation._facts import books_begin, keep_all
from callbill.domain.reconciliation._found import NOTES, Found
from callbill.domain.reconciliation._seen import rows
from callbill.domain.reconciliation.models import BalanceTransaction
from callbill.rules.money import Money

_TRIES = 3
_MOST_ASKED = 50
_JUST_NOW = timedelta(hours=1)
_KINDS = {"re": "refund.updated", "pyr": "refund.updated", "dp": "charge.dispute.updated"}
_KINDS["du"] = _KINDS["dp"]

# What each object at Stripe moved, without fees; what was posted of each on Stripe clearing, and whether it
# is one of ours. A posting that names nothing we know is its own object, under its key.
_SIDES = """
DROP TABLE IF EXISTS pg_temp.moved, pg_temp.posted;
CREATE TEMP TABLE moved AS
SELECT source, currency, sum(amount_minor)::bigint AS amount
FROM reconciliation_balancetransaction WHERE kind <> 'fee' GROUP BY source, currency;
CREATE TEMP TABLE posted AS
SELECT named.source, p.currency, sum(p.amount_minor)::bigint AS amount, min(e.key) AS key,
       (array_agg(p.payer_id))[1] AS payer_id, bool_and(named.known) AS known
FROM ledger_posting p JOIN ledger_entry e ON e.id = p.entry_id
CROSS JOIN LATERAL (SELECT split_part(e.key, ':', 1) AS fact,
                           substr(e.key, strpos(e.key, ':') + 1) AS name) k
LEFT JOIN payments_paymentattempt a ON k.fact = 'payment' AND a.charge = k.name AND a.state = 'succeeded'
LEFT JOIN payments_refund r ON k.fact IN ('refund_made', 'refund_failed')
      AND r.id::text = split_part(k.name, ':', 1)  -- made again after it came back: <refund>:2
LEFT JOIN reconciliation_payout o ON k.fact IN ('payout', 'payout_failed') AND o.reference = k.name
LEFT JOIN reconciliation_balancetransaction t
       ON k.fact IN ('fee', 'chargeback_moved') AND t.reference = k.name
CROSS JOIN LATERAL (SELECT
    CASE WHEN k.fact IN ('payment', 'payout', 'payout_failed') THEN k.name
         ELSE coalesce(r.reference, t.source, e.key) END AS source,
    coalesce(a.id, r.id, o.id) IS NOT NULL AS known) named
WHERE p.account = 'stripe_clearing' AND NOT (k.fact = 'fee' AND t.id IS NOT NULL)
GROUP BY named.source, p.currency;
CREATE INDEX ON moved (source);
CREATE INDEX ON posted (source);
ANALYZE moved;
ANALYZE posted;
"""
_FEES = """
SELECT t.reference, t.currency, cost.minor AS amount, -p.amount_minor AS posted,
       p.currency AS posted_currency, p.payer_id
FROM reconciliation_balancetransaction t
CROSS JOIN LATERAL (SELECT t.fee_minor - CASE t.kind WHEN 'fee' THEN t.amount_minor ELSE 0 END AS minor) cost
LEFT JOIN ledger_entry e ON e.key = 'fee:' || t.reference
LEFT JOIN ledger_posting p ON p.entry_id = e.id AND p.account = 'stripe_clearing'
WHERE (cost.minor <> coalesce(-p.amount_minor, 0) OR p.currency <> t.currency)
      AND NOT (e.id IS NULL AND t.created_at < %s)
ORDER BY t.created_at, t.reference
"""
_OBJECTS = """
SELECT m.source, m.currency, m.amount, coalesce(p.amount, 0) AS posted,
       coalesce(p.payer_id, v.payer_id) AS payer_id
FROM moved m
LEFT JOIN posted p ON p.source = m.source AND p.currency = m.currency
LEFT JOIN payments_chargeback c ON c.reference = m.source
LEFT JOIN payments_refund r ON r.reference = m.source
LEFT JOIN payments_paymentattempt a ON a.id = coalesce(c.attempt_id, r.attempt_id)
LEFT JOIN invoicing_invoice v ON v.id = a.invoice_id
WHERE m.amount <> coalesce(p.amount, 0) AND m.source <> '' AND (p.source IS NOT NULL
      OR coalesce(c.id, r.id) IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM posted q WHERE q.source = m.source))
ORDER BY m.source
"""
_EXCHANGED = """
SELECT p.currency, m.currency AS settled_in, count(*) FILTER (WHERE p.key LIKE 'payment:%%') AS charges,
       coalesce(sum(p.amount) FILTER (WHERE p.key LIKE 'payment:%%'), 0) AS amount,
       sum(p.amount) AS posted, sum(m.amount) AS settled
FROM posted p JOIN moved m ON m.source = p.source AND m.currency <> p.currency
WHERE NOT m.source = ANY(%s)
GROUP BY p.currency, m.currency ORDER BY p.currency, m.currency
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
# A dispute is told of together with its movement, so that movement can be read whenever it is posted.
_MOVEMENT_UNREAD = """
SELECT 1 FROM ledger_entry e WHERE e.key LIKE 'chargeback_moved:%%' AND NOT EXISTS (
    SELECT 1 FROM reconciliation_balancetransaction t WHERE t.reference = substr(e.key, 18))
LIMIT 1
"""
_ON_ITS_WAY = """
SELECT p.currency, sum(p.amount) AS amount FROM posted p
WHERE p.known AND NOT EXISTS (SELECT 1 FROM moved m WHERE m.source = p.source) AND NOT p.source = ANY(%s)
GROUP BY p.currency
"""
_NOT_OURS = """
SELECT currency, sum(amount) AS amount FROM (
    SELECT m.currency, m.amount FROM moved m
    WHERE NOT EXISTS (SELECT 1 FROM posted p WHERE p.source = m.source) AND NOT m.source = ANY(%s)
    UNION ALL
    SELECT t.currency, CASE t.kind WHEN 'fee' THEN t.amount_minor ELSE 0 END - t.fee_minor
    FROM reconciliation_balancetransaction t
    WHERE t.created_at < %s AND NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.key = 'fee:' || t.reference)
) each GROUP BY currency
"""
_STRAYS = """
SELECT p.currency, p.key FROM posted p
WHERE NOT p.known AND NOT EXISTS (SELECT 1 FROM moved m WHERE m.source = p.source)
      AND NOT p.source = ANY(%s)
ORDER BY p.key
"""


def movements(named: Collection[str], *, now: datetime) -> Iterator[Found]:
    """Fees that are not what was posted, objects that moved another amount, movements of other kinds.

    However old they are: nothing of it needs Stripe's lists. `named` are objects with a difference of their
    own.
    """
    for row in rows(_FEES, [books_begin()]):
        yield _words.fee_unposted(row) if row["posted"] is None else _words.fee_amount(row)
    _lay_out()
    off = [row for row in rows(_OBJECTS) if row["source"] not in named]
    for row in off[:_MOST_ASKED]:
        # It may have moved since the lists were read; then it is only late.
        kind = _KINDS.get(row["source"].partition("_")[0])
        if kind:
            payments.look_at(kind=kind, reference=row["source"], now=now)
    if off:
        _lay_out()
    for row in rows(_OBJECTS) if off else ():
        if row["source"] not in named:
            yield _words.movement_amount(row)
    for row in rows(_EXCHANGED, [list(named)]):
        yield _words.other_currency(row)
    for row in rows(_OTHER_KINDS):
        yield _words.other_movements(row)


def clearing(found: Iterable[Found], *, now: datetime) -> Iterator[Found]:
    """Stripe clearing and Stripe's balance as a whole. `found` are all other differences. Asks Stripe."""
    at_stripe = _balance(now)
    _lay_out()
    in_books = Counter(
        dict(
            Posting.objects.filter(account=Account.STRIPE_CLEARING)
            .values_list("currency")
            .annotate(Sum("amount_minor"))
        )
    )
    named, objects = _explained([each for each in found if each.kind not in NOTES])
    on_its_way, not_ours = _sums(_ON_ITS_WAY, objects), _sums(_NOT_OURS, objects, books_begin())
    strays = rows(_STRAYS, [objects])
    for currency in sorted({*at_stripe, *in_books, *_kept()}):
        unexplained = (
            *(at_stripe[currency] - in_books[currency], on_its_way[currency]),
            *(-not_ours[currency], -named[currency]),
        )
        if sum(unexplained) or named[currency]:
            yield _words.clearing(
                in_books=Money(in_books[currency], currency),
                at_stripe=Money(at_stripe[currency], currency),
                on_its_way=Money(on_its_way[currency], currency),
                not_ours=Money(not_ours[currency], currency),
                named=Money(named[currency], currency),
                unexplained=Money(sum(unexplained), currency),
                strays=[row["key"] for row in strays if row["currency"] == currency],
            )


def _lay_out() -> None:
    """Put what moved and what was posted side by side, as both are now."""
    with connection.cursor() as cursor:
        cursor.execute(_SIDES)


def _balance(now: datetime) -> Counter[str]:
    """Stripe's balance, with every movement kept that is in it: read again if it moved meanwhile."""
    held: Counter[str] = Counter()
    for _ in range(_TRIES):
        keep_all(gateway().transactions(since=now - _JUST_NOW), now=now)
        held = Counter({amount.currency: amount.minor for amount in gateway().balance()})
        kept = _kept()
        if all(held[currency] == kept[currency] for currency in {*held, *kept}) and not rows(
            _MOVEMENT_UNREAD
        ):
            break
    return held


def _kept() -> Counter[str]:
    return Counter(dict(BalanceTransaction.objects.values_list("currency").annotate(Sum("net_minor"))))


def _sums(question: str, but: Sequence[str], *more: object) -> Counter[str]:
    return Counter({row["currency"]: int(row["amount"]) for row in rows(question, [list(but), *more])})


def _explained(found: Sequence[Found]) -> tuple[Counter[str], list[str]]:
    """What differences come to on the clearing account, and the objects of which that is said."""
    total: Counter[str] = Counter()
    sources = {source for difference in found for source in difference.sources}
    # What was given back of a charge that the books do not have is not in the books either.
    sources.update(row["reference"] for row in rows(_GIVEN_BACK, [list(sources)] * 2))
    for difference in found:
        for amount in difference.explains:
            total[amount.currency] += amount.minor
    moved = "SELECT currency, sum(amount) AS amount FROM moved WHERE source = ANY(%s) GROUP BY currency"
    total.update(_sums(moved, list(sources)))
    return total, [*sources, *(difference.about for difference in found if difference.explains)]
