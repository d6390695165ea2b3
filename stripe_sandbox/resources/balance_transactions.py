"""/v1/balance_transactions: one line of the account's books for everything that moved money; /v1/balance."""

from __future__ import annotations

from ..context import Context
from ..endpoint import Endpoint
from ..expansion import aged
from ..lists import CREATED, PAGING, Conditions, page
from ..schema import Params, Rule, Text
from ..storage import Document


def retrieve(ctx: Context) -> Document:
    """One line."""
    line = ctx.load("balance_transaction", ctx.path[0])
    aged(line, ctx.now)
    return line


def list_all(ctx: Context) -> Document:
    """Lines by `payout` (with the payout's own line), `source`, `type`, `currency` and time."""
    params = ctx.params
    where: Conditions = []
    if params.get("payout"):
        ctx.load("payout", params["payout"], param="payout")
        where.append(("payout = ?", params["payout"]))
    if params.get("source"):
        where.append(("label = ?", params["source"]))
    # One index is enough for a list: the fields after the first only filter (the + hides them from SQLite).
    for name in ("type", "currency"):
        if params.get(name):
            where.append((f"{'+' if where else ''}{name} = ?", params[name]))
    found = page(
        ctx, "balance_transaction", "/v1/balance_transactions", where, timed=not params.get("source")
    )
    for line in found["data"]:
        aged(line, ctx.now)
    return found


def balance(ctx: Context) -> Document:
    """What the account has, by currency: available now, and pending until its day."""
    held = ctx.store.held(ctx.now) or {"usd": (0, 0)}
    return {
        "object": "balance",
        "available": [_sum(currency, sums[0]) for currency, sums in held.items()],
        "livemode": False,
        "pending": [_sum(currency, sums[1]) for currency, sums in held.items()],
        "refund_and_dispute_prefunding": {
            "available": [{"amount": 0, "currency": currency} for currency in held],
            "pending": [{"amount": 0, "currency": currency} for currency in held],
        },
    }


def _sum(currency: str, amount: int) -> Document:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


_LIST: dict[str, Rule] = {
    **PAGING,
    "created": CREATED,
    "currency": Text(),
    "payout": Text(),
    "source": Text(),
    "type": Text(),
}
ENDPOINTS = [
    Endpoint("GET", "/v1/balance", balance),
    Endpoint("GET", "/v1/balance_transactions", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/balance_transactions/{id}", retrieve),
]
