"""A sandbox for the session, emptied for each test, and the product pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from callbill.domain.payments import gateway
from stripe_sandbox.handle import Handle
from stripe_sandbox.server import running
from tests.domain.payments.shop import Shop


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[Handle]:
    """Started once."""
    with running(webhook_retries=(0.05, 0.05)) as handle:
        yield handle


@pytest.fixture
def sandbox(one_sandbox: Handle, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handle]:
    """Empty, and where the product's gateway talks to."""
    one_sandbox.set_webhook(None)
    one_sandbox.reset()
    settings.STRIPE_API_BASE = one_sandbox.url
    settings.STRIPE_SECRET_KEY = one_sandbox.secret_key
    settings.STRIPE_PUBLISHABLE_KEY = one_sandbox.publishable_key
    settings.STRIPE_WEBHOOK_SECRETS = [one_sandbox.webhook_secret]
    # The SDK's own retries, without their waiting.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.02)
    gateway._made.cache_clear()
    yield one_sandbox
    gateway._made.cache_clear()


@pytest.fixture
def shop(sandbox: Handle, transactional_db: None) -> Shop:
    """Acme, its administrator and a member of staff, with nothing saved at Stripe yet."""
    return Shop(sandbox)
