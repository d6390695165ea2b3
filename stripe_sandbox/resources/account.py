"""/v1/account: the one account of this sandbox."""

from __future__ import annotations

from ..context import Context
from ..endpoint import Endpoint
from ..settings import ACCOUNT_ID
from ..storage import Document


def retrieve(ctx: Context) -> Document:
    """The account; always able to charge."""
    return {
        "id": ACCOUNT_ID,
        "object": "account",
        "business_type": "company",
        "charges_enabled": True,
        "country": "US",
        "created": 1577836800,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "sandbox@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


ENDPOINTS = [Endpoint("GET", "/v1/account", retrieve)]
