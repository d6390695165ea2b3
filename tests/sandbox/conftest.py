"""A sandbox for each test, and the official SDK pointed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from playwright.sync_api import Browser, Page

from stripe_sandbox.handle import Handle
from stripe_sandbox.server import running

from .receiver import Receiver
from .shop import Shop


def client_for(sandbox: Handle, *, retries: int = 0, timeout: float = 5.0) -> stripe.StripeClient:
    """The SDK as a program would use it."""
    return stripe.StripeClient(
        sandbox.secret_key,
        base_addresses={"api": sandbox.url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Handle]:
    """One sandbox in memory for the whole session."""
    with running(webhook_retries=(0.05, 0.05)) as handle:
        yield handle


@pytest.fixture
def sandbox(shared_sandbox: Handle) -> Handle:
    """The shared sandbox, emptied."""
    shared_sandbox.set_webhook(None)
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture
def client(sandbox: Handle) -> stripe.StripeClient:
    """The SDK without retries of its own."""
    return client_for(sandbox)


@pytest.fixture
def receiver(sandbox: Handle) -> Iterator[Receiver]:
    """An endpoint that keeps what it is told, and is told everything."""
    with Receiver() as made:
        sandbox.set_webhook(made.url)
        yield made


@pytest.fixture
def saved_card(client: stripe.StripeClient) -> Callable[..., tuple[str, str]]:
    """Make a customer with a card saved through a SetupIntent; returns (customer, payment method)."""

    def save(token: str = "pm_card_visa") -> tuple[str, str]:
        customer = client.v1.customers.create({"name": "Acme Dental", "email": "billing@acme.example"})
        intent = client.v1.setup_intents.create(
            {"customer": customer.id, "usage": "off_session", "allowed_payment_method_types": ["card"]}
        )
        intent = client.v1.setup_intents.confirm(intent.id, {"payment_method": token})
        assert intent.status == "succeeded"
        return customer.id, str(intent.payment_method)

    return save


@pytest.fixture
def charge(client: stripe.StripeClient) -> Callable[..., stripe.PaymentIntent]:
    """Charge a saved card off-session, create and confirm in one."""

    def run(customer: str, method: str, amount: int = 5000, **more: Any) -> stripe.PaymentIntent:
        return client.v1.payment_intents.create(
            {
                "amount": amount,
                "currency": "usd",
                "customer": customer,
                "payment_method": method,
                "confirm": True,
                "off_session": True,
                "allowed_payment_method_types": ["card"],
                **more,  # type: ignore[typeddict-item]
            }
        )

    return run


@pytest.fixture
def shop(sandbox: Handle) -> Iterator[Shop]:
    """A page that uses the stand-in for Stripe.js."""
    with Shop(sandbox.url) as made:
        yield made


@pytest.fixture
def setup(client: stripe.StripeClient) -> stripe.SetupIntent:
    """Where that page saves a card."""
    customer = client.v1.customers.create({"name": "Acme"})
    return client.v1.setup_intents.create({"customer": customer.id, "allowed_payment_method_types": ["card"]})


@pytest.fixture
def on_console() -> list[str]:
    """What a browser may complain of: refused cards, and connections cut on purpose. A test may add to it."""
    return ["status of 402", "favicon", "net::ERR_"]


@pytest.fixture
def page(chrome: Browser, on_console: list[str]) -> Iterator[Page]:
    """A page whose console must stay free of errors: a broken policy or script shows there."""
    context = chrome.new_context()
    made = context.new_page()
    problems: list[str] = []
    made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    context.close()
    assert [text for text in problems if not any(words in text for words in on_console)] == []
