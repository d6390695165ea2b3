"""/v1/charges: what was charged, or refused."""

from __future__ import annotations

from ..context import Context
from ..endpoint import Endpoint
from ..lists import CREATED, PAGING, equals, page
from ..schema import Params, Rule, Text, merge_metadata
from ..storage import Document
from .shapes import METADATA, SHIPPING


def retrieve(ctx: Context) -> Document:
    """The charge."""
    return ctx.load("charge", ctx.path[0])


def update(ctx: Context) -> Document:
    """Change words on a charge, never money."""
    charge = ctx.load("charge", ctx.path[0])
    was = ctx.snapshot(charge)
    for name in ("description", "receipt_email", "shipping"):
        if name in ctx.params:
            charge[name] = ctx.params[name]
    if "metadata" in ctx.params:
        charge["metadata"] = merge_metadata(charge["metadata"], ctx.params["metadata"])
    return charge if charge == was else ctx.replace(charge, "charge.updated", was=was)


def list_all(ctx: Context) -> Document:
    """Charges of a customer or a PaymentIntent."""
    return page(ctx, "charge", "/v1/charges", equals(ctx.params, "customer", "payment_intent"))


_LIST: dict[str, Rule] = {**PAGING, "created": CREATED, "customer": Text(), "payment_intent": Text()}
_UPDATE: dict[str, Rule] = {
    "description": Text(),
    "metadata": METADATA,
    "receipt_email": Text(512),
    "shipping": SHIPPING,
}
ENDPOINTS = [
    Endpoint("GET", "/v1/charges", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/charges/{id}", retrieve),
    Endpoint("POST", "/v1/charges/{id}", update, Params(_UPDATE)),
]
