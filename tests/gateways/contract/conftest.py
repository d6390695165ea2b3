"""Where the contract is asked: of a sandbox, and of Stripe itself with STRIPE_CONTRACT_KEY=sk_test_...

A test that needs the sandbox's switches takes the fixture `control` and is collected for the sandbox only.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe

from callbill.gateways.stripe.gateway import StripeGateway
from stripe_sandbox.handle import Handle
from stripe_sandbox.server import running

KEY = os.environ.get("STRIPE_CONTRACT_KEY", "")
_LONGEST_WAIT = 120


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test once for every place where it can be asked."""
    if "where" not in metafunc.fixturenames:
        return
    if KEY and not KEY.startswith(("sk_test_", "rk_test_")):
        raise pytest.UsageError("STRIPE_CONTRACT_KEY must be a key of test mode: sk_test_...")
    places = ["sandbox"] if "control" in metafunc.fixturenames or not KEY else ["sandbox", "stripe"]
    metafunc.parametrize("where", places)


@pytest.fixture(scope="module")
def one_sandbox() -> Iterator[Handle]:
    """A sandbox for the tests of a file."""
    with running() as handle:
        yield handle


@dataclass
class Place:
    """One place where the contract is asked; `key` makes idempotency keys that no other run has used."""

    gateway: StripeGateway
    control: Handle | None
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def sdk(self) -> Any:
        """The gateway's own client, for what the gateway has no verb for."""
        return self.gateway._client.v1

    def key(self, name: str) -> str:
        """An idempotency key."""
        return f"contract:{self.run}:{name}"

    def customer(self) -> str:
        """A new customer."""
        return self.gateway.create_customer(
            name="Contract", metadata={"run": self.run}, key=self.key("customer")
        )

    def card(self, customer: str, token: str = "pm_card_visa") -> str:
        """A test card attached to the customer."""
        return str(self.sdk.payment_methods.attach(token, {"customer": customer}).id)

    def eventually(self, ask: Callable[[], Any]) -> Any:
        """What `ask` answers once that is something: after a while at Stripe, at once with a moved clock."""
        if self.control:
            self.control.advance(3600)
            self.control.wait_until_idle()
        end = time.monotonic() + (0 if self.control else _LONGEST_WAIT)
        while not (found := ask()) and time.monotonic() < end:
            time.sleep(2)
        assert found
        return found


@pytest.fixture
def place(where: str, one_sandbox: Handle, settings: Any, db: None) -> Place:
    """The place named by `where`, ready to be asked."""
    if where == "stripe":
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = None, KEY
        return Place(StripeGateway(), None)
    one_sandbox.reset()
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = one_sandbox.url, one_sandbox.secret_key
    return Place(StripeGateway(), one_sandbox)


@pytest.fixture
def control(place: Place, monkeypatch: pytest.MonkeyPatch) -> Handle:
    """The sandbox's switches; a test with it is not asked of Stripe."""
    assert place.control is not None
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.02)
    return place.control
