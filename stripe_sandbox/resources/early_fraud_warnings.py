"""/v1/radar/early_fraud_warnings: a card's issuer suspects fraud before there is a dispute."""

from __future__ import annotations

from ..context import Context
from ..endpoint import Endpoint
from ..lists import CREATED, PAGING, equals, page
from ..schema import Params, Rule, Text
from ..storage import Document
from .disputing import WARNING

_PATH = "/v1/radar/early_fraud_warnings"


def retrieve(ctx: Context) -> Document:
    """The warning."""
    return ctx.load(WARNING, ctx.path[0])


def list_all(ctx: Context) -> Document:
    """Warnings about a charge or a PaymentIntent, by time."""
    return page(ctx, WARNING, _PATH, equals(ctx.params, "charge", "payment_intent"))


_LIST: dict[str, Rule] = {**PAGING, "charge": Text(), "created": CREATED, "payment_intent": Text()}
ENDPOINTS = [
    Endpoint("GET", _PATH, list_all, Params(_LIST)),
    Endpoint("GET", f"{_PATH}/{{id}}", retrieve),
]
