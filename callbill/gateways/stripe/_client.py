"""The one place that makes a StripeClient."""

from __future__ import annotations

from django.conf import settings
from stripe import RequestsClient, StripeClient

from callbill.domain.payments.gateway import NotAccepted

API_VERSION = "2026-10-28.endive"
TIMEOUT_SECONDS = 20
NETWORK_RETRIES = 2


def client() -> StripeClient:
    """A client with explicit timeout, retries and API version, at STRIPE_API_BASE if that is set.

    Raises NotAccepted without a key, or for a live key together with another address than Stripe's:
    a live key must never be sent anywhere else.
    """
    key, base = settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE
    if not key:
        raise NotAccepted(
            "No Stripe key is configured. Set STRIPE_SECRET_KEY, or run `callbill demo` with its sandbox."
        )
    if base and "_live_" in key:
        raise NotAccepted(
            f"STRIPE_SECRET_KEY is a live key, but STRIPE_API_BASE points to {base}. "
            "Remove STRIPE_API_BASE to charge real cards, or use a test key."
        )
    return StripeClient(
        key,
        stripe_version=API_VERSION,
        base_addresses={"api": base.rstrip("/")} if base else {},
        max_network_retries=NETWORK_RETRIES,
        http_client=RequestsClient(timeout=TIMEOUT_SECONDS),
    )
