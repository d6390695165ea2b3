"""Stripe's money facts into our tables and the books: movements with their fees, payouts; each once.

Charges, refunds and chargebacks are posted by payments. Here the fee of every movement is posted, and what
goes from Stripe to our bank. Events and reconciliation come here with what was just read, and seeing the
same twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db.models import Sum

from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Fact, Side, post, post_all
from callbill.domain.payments.gateway import ChargeView, PayoutView, TransactionView, gateway
from callbill.domain.payments.models import Chargeback, GatewayCustomer, PaymentAttempt, PaymentIntent, Refund
from callbill.domain.reconciliation.models import BalanceTransaction, Payout
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.money import Money

_AT_ONCE = 500
_JUST_BEFORE = timedelta(days=1)
_CAME_BACK = ("failed", "canceled")
# Stripe bills for its software by movements that are nothing but a fee (reporting category "fee").
_ONLY_A_FEE = "fee"


def cost_of(row: TransactionView | BalanceTransaction) -> Money:
    """What Stripe keeps for itself of a movement."""
    if isinstance(row, TransactionView):
        minor = row.fee.minor - (row.amount.minor if row.kind == _ONLY_A_FEE else 0)
        return Money(minor, row.fee.currency)
    minor = row.fee_minor - (row.amount_minor if row.kind == _ONLY_A_FEE else 0)
    return Money(minor, row.currency)


@outside_transaction
def keep_all(
    views: Iterable[TransactionView], *, now: datetime, payers: Mapping[str, UUID] | None = None
) -> tuple[int, int]:
    """Keep movements as they are read, some hundred at a time. Returns how many were read and were new."""
    read = new = 0
    rest = iter(views)
    while batch := list(islice(rest, _AT_ONCE)):
        read += len(batch)
        new += keep_transactions(batch, now=now, payers=payers or {})
    return read, new


@in_transaction
def keep_transactions(
    views: Sequence[TransactionView], *, now: datetime, payers: Mapping[str, UUID] | None = None
) -> int:
    """Keep each movement once and post its fee once (`fee:<reference>`). Returns how many were new.

    The fee is posted for whose charge, refund or dispute it is; `payers` tells of sources that payments does
    not know yet. A movement of nobody we know has no payer. One from before our books begin is kept for
    comparing, and its fee is not posted.
    """
    rows = [
        BalanceTransaction(
            reference=view.reference,
            kind=view.kind,
            source=view.source,
            amount_minor=view.amount.minor,
            fee_minor=view.fee.minor,
            net_minor=view.net.minor,
            currency=view.net.currency,
            created_at=view.created_at,
        )
        for view in views
    ]
    BalanceTransaction.objects.bulk_create(rows, ignore_conflicts=True)
    new = BalanceTransaction.objects.filter(id__in=[row.id for row in rows]).count()
    known = {**(payers or {}), **_payers_of([view.source for view in views])}
    begin = books_begin()
    ours = [view for view in views if view.source in known or view.created_at >= begin]
    post_all(facts=[_fee(view, known.get(view.source), now) for view in ours if cost_of(view).minor])
    return new


def books_begin() -> datetime:
    """When what Stripe takes and pays out begins to be ours: just before our first payment.

    An account may have had a life before Callbill. That is in other books, and posting it here once more
    would put a past of fees and payouts on the day of the first reconciliation.
    """
    first = PaymentIntent.objects.order_by("id").values_list("created_at", flat=True).first()
    return first - _JUST_BEFORE if first else datetime.max.replace(tzinfo=UTC)


def _fee(view: TransactionView, payer_id: UUID | None, now: datetime) -> Fact:
    cost = cost_of(view)
    return Fact(
        key=f"fee:{view.reference}",
        kind="fee",
        at=now,
        description=f"Stripe's fee for {view.source or view.reference}",
        sides=(
            Side(Account.STRIPE_FEES, payer_id, cost),
            Side(Account.STRIPE_CLEARING, payer_id, -cost),
        ),
    )


def _payers_of(sources: Sequence[str]) -> dict[str, UUID]:
    """Whose charges, refunds and disputes these are."""
    known: dict[str, UUID] = {}
    for rows in (
        PaymentAttempt.objects.filter(charge__in=sources).values_list("charge", "invoice__payer_id"),
        Refund.objects.filter(reference__in=sources).values_list("reference", "attempt__invoice__payer_id"),
        Chargeback.objects.filter(reference__in=sources).values_list(
            "reference", "attempt__invoice__payer_id"
        ),
    ):
        known.update({source or "": payer_id for source, payer_id in rows})
    return known


@in_transaction
def keep_payout(view: PayoutView, *, now: datetime) -> Payout:
    """Keep a payout and post it once (`payout:<reference>`): bank against Stripe clearing.

    The money leaves Stripe's balance when the payout is made. One that fails or is canceled, even after it
    was paid, is answered once by the opposite posting (`payout_failed:<reference>`). One from before our
    books begin is kept and not posted.
    """
    payout, _ = Payout.objects.select_for_update().get_or_create(
        reference=view.reference,
        defaults={
            "status": view.status,
            "amount_minor": view.amount.minor,
            "currency": view.amount.currency,
            "created_at": view.created_at,
        },
    )
    payout.status, payout.arrives_at = view.status, view.arrives_at
    payout.save(update_fields=["status", "arrives_at"])
    if view.created_at < books_begin():
        return payout
    _post_payout("payout", view.reference, view.amount, now)
    if view.status in _CAME_BACK:
        _post_payout("payout_failed", view.reference, -view.amount, now)
    return payout


def _post_payout(kind: str, reference: str, amount: Money, now: datetime) -> None:
    words = "Payout {} to our bank" if kind == "payout" else "Payout {} came back from our bank"
    post(
        key=f"{kind}:{reference}",
        kind=kind,
        at=now,
        description=words.format(reference),
        sides=[Side(Account.BANK, None, amount), Side(Account.STRIPE_CLEARING, None, -amount)],
    )


@outside_transaction
def match_payout(payout: Payout, *, now: datetime) -> Money:
    """Ask what an automatic payout is made of, keep that, and say what its movements come to.

    When they come to its amount it is matched for good.
    """
    rest = iter(gateway().transactions_in(payout=payout.reference))
    while batch := list(islice(rest, _AT_ONCE)):
        keep_transactions(batch, now=now)
        of_batch = BalanceTransaction.objects.filter(reference__in=[view.reference for view in batch])
        of_batch.exclude(payout=payout).update(payout=payout)
    total = payout.transactions.aggregate(all=Sum("net_minor", default=0))["all"]
    if total == payout.amount_minor:
        payout.matched_at = now
        payout.save(update_fields=["matched_at"])
    return Money(total, payout.currency)


def payer_of_charge(charge: ChargeView) -> UUID | None:
    """Whose customer was charged, if it is one of ours."""
    return (
        GatewayCustomer.objects.filter(reference=charge.customer).values_list("payer_id", flat=True).first()
        if charge.customer
        else None
    )


def _charge_booked(reference: str, now: datetime) -> None:
    charge = gateway().fetch_charge(reference=reference)
    if not charge.transaction:
        return
    payer_id = payer_of_charge(charge)
    payers = {reference: payer_id} if payer_id else None
    keep_all(gateway().transactions_of(source=reference), now=now, payers=payers)


def _money_moved(reference: str, now: datetime) -> None:
    keep_all(gateway().transactions_of(source=reference), now=now)


def _payout_moved(reference: str, now: datetime) -> None:
    keep_payout(gateway().fetch_payout(reference=reference), now=now)
    _money_moved(reference, now)


# What of Stripe's messages is for the books; payments finds it by settings.BOOKED_EVENTS.
EVENT_HANDLERS = {
    # A movement comes with its charge, or a while after it (capture_method automatic_async).
    "charge.succeeded": _charge_booked,
    "charge.updated": _charge_booked,
    "refund.created": _money_moved,
    "refund.updated": _money_moved,
    "refund.failed": _money_moved,
    "charge.dispute.funds_withdrawn": _money_moved,
    "charge.dispute.funds_reinstated": _money_moved,
    "charge.dispute.closed": _money_moved,
    "payout.created": _payout_moved,
    "payout.updated": _payout_moved,
    "payout.paid": _payout_moved,
    "payout.failed": _payout_moved,
    "payout.canceled": _payout_moved,
}
