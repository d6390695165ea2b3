"""/v1/balance_transactions: one line of the account's books for every charge and refund, with its fee."""

from __future__ import annotations

from ..context import Context
from ..endpoint import Endpoint
from ..lists import CREATED, PAGING, page
from ..schema import Params, Rule, Text
from ..storage import Document


def retrieve(ctx: Context) -> Document:
    """One line; it is available two days after it was written."""
    return _aged(ctx, ctx.load("balance_transaction", ctx.path[0]))


def list_all(ctx: Context) -> Document:
    """Lines by `source`, `type`, `currency` and time."""
    where = [("label = ?", ctx.params["source"])] if ctx.params.get("source") else []
    for name in ("type", "currency"):
        if ctx.params.get(name):
            where.append((f"json_extract(body, '$.{name}') = ?", ctx.params[name]))
    found = page(ctx, "balance_transaction", "/v1/balance_transactions", where)
    found["data"] = [_aged(ctx, transaction) for transaction in found["data"]]
    return found


def _aged(ctx: Context, transaction: Document) -> Document:
    if transaction["available_on"] <= ctx.now:
        transaction["status"] = "available"
    return transaction


_LIST: dict[str, Rule] = {**PAGING, "created": CREATED, "source": Text(), "type": Text(), "currency": Text()}
ENDPOINTS = [
    Endpoint("GET", "/v1/balance_transactions", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/balance_transactions/{id}", retrieve),
]
