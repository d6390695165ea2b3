"""What every page knows: the seller's name and who is looking."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from callbill.domain.customers import queries as customers


def seller_and_viewer(request: HttpRequest) -> dict[str, Any]:
    """The seller for the header and the footer."""
    return {"seller": customers.seller()}
