"""/v1/payouts: what is available goes to the account's bank; automatic payouts only, made through /_sandbox.

A payout is made `pending`, on its way an hour later (its lines are reconciled then), `paid` after a day. One
that fails does so a day after it was paid, as Stripe warns it may, and its money is available again.
"""

from __future__ import annotations

from typing import Any

from ..context import Context
from ..endpoint import Endpoint
from ..errors import invalid
from ..ids import new_id
from ..lists import CREATED, PAGING, Conditions, between, page
from ..schema import Choice, Params, Rule, Text
from ..storage import Document
from .booking import PAYOUT, PAYOUT_FAILURE, book
from .currencies import CURRENCIES

HOUR, DAY = 3600, 86400
BANK = "ba_sandbox0000000000000001"
STATUSES = ("pending", "in_transit", "paid", "failed", "canceled")


def retrieve(ctx: Context) -> Document:
    """The payout."""
    return ctx.load("payout", ctx.path[0])


def list_all(ctx: Context) -> Document:
    """Payouts by `status`, `arrival_date`, `destination` and time."""
    params = ctx.params
    where: Conditions = []
    arrival = params.get("arrival_date")
    if params.get("status"):
        # One index is enough for a list (the + hides this one from SQLite).
        where.append(("label = ?" if arrival is None else "+label = ?", params["status"]))
    if params.get("destination") not in (None, BANK):
        raise invalid(f"No such external account: '{params['destination']}'", param="destination")
    if arrival is not None:
        where += between(arrival, "json_extract(body, '$.arrival_date')")
        # A payout arrives on the day after it was made; said here so that the list is read by time.
        lower = arrival if isinstance(arrival, int) else arrival.get("gte", arrival.get("gt"))
        upper = arrival if isinstance(arrival, int) else arrival.get("lte", arrival.get("lt"))
        where += [("created >= ?", lower - DAY)] if lower is not None else []
        where += [("created <= ?", upper)] if upper is not None else []
    timed = True if arrival is not None else None
    return page(ctx, "payout", "/v1/payouts", where, timed=timed)


def close(ctx: Context, currency: str | None = None, *, fail: bool = False) -> list[Document]:
    """Pay out what is available now, one payout per currency (or for one); none where that is nothing.

    ValueError for a currency that Stripe does not know.
    """
    held = ctx.store.held(ctx.now)
    if currency is not None and currency not in CURRENCIES:
        raise ValueError(f"there is no currency {currency}; say for instance usd")
    return [
        _make(ctx, name, available, fail=fail)
        for name, (available, _) in held.items()
        if currency in (None, name) and available > 0
    ]


def leave_later(ctx: Context, payout_id: str) -> None:
    """On its way; what is in it can be listed."""
    payout = ctx.store.get("payout", payout_id)
    if payout and payout["status"] == "pending":
        _change(ctx, payout, status="in_transit", reconciliation_status="completed")
        ctx.emit("payout.reconciliation_completed", payout)


def arrive_later(ctx: Context, payout_id: str) -> None:
    """The bank has it."""
    payout = ctx.store.get("payout", payout_id)
    if payout and payout["status"] == "in_transit":
        trace = {"status": "supported", "value": f"SANDBOX{payout_id[-12:].upper()}"}
        _change(ctx, payout, status="paid", trace_id=trace)
        ctx.emit("payout.paid", payout)


def bounce_later(ctx: Context, payout_id: str) -> None:
    """The bank sent it back."""
    payout = ctx.store.get("payout", payout_id)
    if payout is None or payout["status"] != "paid":
        return
    line = book(ctx, payout, PAYOUT_FAILURE, payout["amount"], words="PAYOUT FAILURE")
    _change(
        ctx,
        payout,
        status="failed",
        failure_code="account_closed",
        failure_message="The bank account has been closed.",
        failure_balance_transaction=line["id"],
    )
    ctx.emit("payout.failed", payout)


def _make(ctx: Context, currency: str, amount: int, *, fail: bool) -> Document:
    payout: Document = {
        "id": new_id("payout"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": (ctx.now + DAY) // DAY * DAY,
        "automatic": True,
        "balance_transaction": None,
        "created": ctx.now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": BANK,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
    ctx.store.pay_out(payout["id"], currency, ctx.now)
    line = book(ctx, payout, PAYOUT, -amount, words="STRIPE PAYOUT", payout=payout["id"])
    payout["balance_transaction"] = line["id"]
    ctx.insert(payout, "payout.created")
    ctx.later(HOUR, "payout_leaves", payout["id"])
    ctx.later(DAY, "payout_arrives", payout["id"])
    if fail:
        ctx.later(2 * DAY, "payout_bounces", payout["id"])
    return payout


def _change(ctx: Context, payout: Document, **change: Any) -> None:
    was = ctx.snapshot(payout)
    payout.update(change)
    ctx.replace(payout, "payout.updated", was=was)


_LIST: dict[str, Rule] = {
    **PAGING,
    "arrival_date": CREATED,
    "created": CREATED,
    "destination": Text(),
    "status": Choice(*STATUSES),
}
ENDPOINTS = [
    Endpoint("GET", "/v1/payouts", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/payouts/{id}", retrieve),
]
