"""What the official SDK makes of every fault, with retries and without: who may think what about the money.

Each row of the design's measured table ("What the SDK does with them") and more, over real HTTP.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import stripe

from stripe_sandbox.faults import ACTIONS
from stripe_sandbox.handle import Handle

Saved = Callable[..., tuple[str, str]]
KEY = "att:1"


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.02)


def client(sandbox: Handle, retries: int | None, timeout: float = 1.0) -> stripe.StripeClient:
    """The SDK as a program sets it up; `retries` None leaves them unset."""
    more: dict[str, Any] = {} if retries is None else {"max_network_retries": retries}
    return stripe.StripeClient(
        sandbox.secret_key,
        base_addresses={"api": sandbox.url},
        http_client=stripe.RequestsClient(timeout=timeout),
        **more,
    )


def pay(sdk: stripe.StripeClient, card: tuple[str, str]) -> stripe.PaymentIntent:
    """Charge a saved card, always under the same key."""
    return sdk.v1.payment_intents.create(
        {
            "amount": 5000,
            "currency": "usd",
            "customer": card[0],
            "payment_method": card[1],
            "confirm": True,
            "off_session": True,
            "allowed_payment_method_types": ["card"],
        },
        {"idempotency_key": KEY},
    )


@dataclass(frozen=True)
class Row:
    """A fault and what comes of it: the error (None: none), requests on the wire, charges made."""

    fault: str
    retries: int | None
    error: type[stripe.StripeError] | None
    wire: int
    charges: int
    should_retry: bool | None = None
    code: str | None = None
    more: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.fault}{dict(self.more) or ''}-{'unset' if self.retries is None else self.retries}"


Lost, Busy, Broken = stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError
YES, NO = (("should_retry", True),), (("should_retry", False),)
ROWS = [
    Row("timeout_after", 2, None, 2, 1),
    Row("timeout_after", None, Lost, 1, 1, should_retry=True),
    Row("timeout_before", 2, None, 2, 1),
    Row("timeout_before", None, Lost, 1, 0, should_retry=True),
    Row("reset_after", 2, None, 2, 1),
    Row("reset_after", None, Lost, 1, 1, should_retry=True),
    Row("reset_mid_body", 2, Lost, 1, 1, should_retry=False),
    Row("reset_mid_body", None, Lost, 1, 1, should_retry=False),
    Row("reset_before", 2, None, 2, 1),
    Row("reset_before", None, Lost, 1, 0, should_retry=True),
    Row("500_after", 2, Broken, 3, 1),
    Row("500_after", None, Broken, 1, 1),
    Row("500_before", 2, Broken, 3, 0),
    Row("500_before", None, Broken, 1, 0),
    Row("503", 2, None, 2, 1),
    Row("503", None, Broken, 1, 0),
    Row("html", 2, None, 2, 1),
    Row("html", None, Broken, 1, 0),
    Row("429", 2, Busy, 1, 0, code="rate_limit"),
    Row("429", None, Busy, 1, 0, code="rate_limit"),
    Row("429", 2, None, 2, 1, more=YES),
    Row("429", None, Busy, 1, 0, code="rate_limit", more=YES),
    Row("429", 2, Busy, 1, 0, code="rate_limit", more=NO),
    Row("lock_timeout", 2, None, 2, 1),
    Row("lock_timeout", None, Busy, 1, 0, code="lock_timeout"),
    Row("409", 2, None, 2, 1),
    Row("409", None, Broken, 1, 0, code="idempotency_key_in_use"),
    # The retries come while the first is still being executed; more patience would get its answer.
    Row("slow", 2, Broken, 3, 1, code="idempotency_key_in_use", more=(("seconds", 1.2),)),
    Row("slow", None, Lost, 1, 1, should_retry=True, more=(("seconds", 1.2),)),
    Row("slow_before", None, Lost, 1, 1, should_retry=True, more=(("seconds", 1.2),)),
    Row("no_webhooks", 2, None, 1, 1),
]


def test_every_fault_is_in_the_table() -> None:
    assert {row.fault for row in ROWS} == set(ACTIONS)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_the_sdk_makes_of_it(sandbox: Handle, saved_card: Saved, row: Row) -> None:
    card = saved_card()
    sandbox.fault(row.fault, path="payment_intents$", method="POST", **dict(row.more))
    sdk = client(sandbox, row.retries)
    raised: stripe.StripeError | None = None
    try:
        assert pay(sdk, card).status == "succeeded"
    except stripe.StripeError as error:
        raised = error
    assert type(raised) is (row.error or type(None))
    if row.should_retry is not None:
        assert isinstance(raised, stripe.APIConnectionError)
        assert raised.should_retry is row.should_retry
    if row.code:
        assert raised is not None
        # The code stands in the error object only: whoever branches on `error.code` would miss it.
        assert (raised.code, raised.error.code) == (None, row.code)
    sandbox.wait_for_requests()
    sent = [entry for entry in sandbox.log() if entry["path"].endswith("payment_intents")]
    assert [entry["idempotency_key"] for entry in sent] == [KEY] * row.wire
    assert charges(sandbox, card) == row.charges
    _and_after_it(sandbox, card, row)


def _and_after_it(sandbox: Handle, card: tuple[str, str], row: Row) -> None:
    """The same key again: a stored 500 is stored for good, anything else ends in exactly one charge."""
    sdk = client(sandbox, None)
    if row.fault.startswith("500"):
        with pytest.raises(stripe.APIError):
            pay(sdk, card)
        assert charges(sandbox, card) == row.charges
    else:
        assert pay(sdk, card).status == "succeeded"
        assert charges(sandbox, card) == 1


@pytest.mark.parametrize(
    ("change", "charged"),
    [({"payment_method": "pm_card_chargeCustomerFail"}, 1), ({"customer": "cus_of_nobody"}, 0)],
)
def test_a_refusal_may_be_lost_in_a_500_too(sandbox: Handle, change: dict[str, str], charged: int) -> None:
    sandbox.fault("500_after", path="payment_intents$", method="POST")
    sdk = client(sandbox, None).v1
    given: Any = {
        "amount": 5000,
        "currency": "usd",
        "confirm": True,
        "allowed_payment_method_types": ["card"],
    }
    for _ in range(2):
        with pytest.raises(stripe.APIError) as lost:
            sdk.payment_intents.create({**given, **change}, {"idempotency_key": KEY})
        assert lost.value.http_status == 500
    assert len(sdk.charges.list().data) == charged


def charges(sandbox: Handle, card: tuple[str, str]) -> int:
    """How often the card was charged."""
    return len(client(sandbox, 0).v1.charges.list({"customer": card[0]}).data)


@pytest.mark.parametrize("retries", [2, None])
def test_two_at_once_with_one_key_are_one_charge(
    sandbox: Handle, saved_card: Saved, retries: int | None
) -> None:
    card = saved_card()
    sandbox.fault("slow", path="payment_intents$", method="POST", seconds=1.5)
    first: list[stripe.PaymentIntent] = []
    thread = threading.Thread(target=lambda: first.append(pay(client(sandbox, 0, timeout=10), card)))
    thread.start()
    while not [entry for entry in sandbox.log() if entry["idempotency_key"] == KEY]:
        time.sleep(0.005)
    with pytest.raises(stripe.APIError) as refused:
        pay(client(sandbox, retries, timeout=10), card)
    assert (refused.value.http_status, refused.value.error.code) == (409, "idempotency_key_in_use")
    thread.join()
    assert pay(client(sandbox, retries), card).id == first[0].id
    assert charges(sandbox, card) == 1


def test_the_same_key_after_twenty_five_hours_charges_again(sandbox: Handle, saved_card: Saved) -> None:
    card = saved_card()
    pay(client(sandbox, 2), card)
    sandbox.advance(25 * 3600)
    pay(client(sandbox, 2), card)
    assert charges(sandbox, card) == 2
