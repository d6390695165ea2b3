"""Idempotency keys as docs.stripe.com/api/idempotent_requests says, and faults on the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.handle import Handle

from .conftest import client_for

Saved = Callable[..., tuple[str, str]]
DAY = 24 * 3600


def pay(
    client: stripe.StripeClient, customer: str, method: str, key: str, amount: int = 5000
) -> stripe.PaymentIntent:
    """Charge a saved card under an idempotency key."""
    return client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "usd",
            "customer": customer,
            "payment_method": method,
            "confirm": True,
            "off_session": True,
            "allowed_payment_method_types": ["card"],
        },
        {"idempotency_key": key},
    )


def charges_of(client: stripe.StripeClient, customer: str) -> int:
    return len(client.v1.charges.list({"customer": customer, "limit": 100}).data)


def test_the_same_key_answers_the_same_and_charges_once(
    client: stripe.StripeClient, saved_card: Saved
) -> None:
    card = saved_card()
    first, second = pay(client, *card, "k1"), pay(client, *card, "k1")
    assert first.id == second.id
    assert "idempotent-replayed" not in first.last_response.headers
    assert second.last_response.headers["idempotent-replayed"] == "true"
    assert charges_of(client, card[0]) == 1


def test_a_decline_is_replayed_too(sandbox: Handle, client: stripe.StripeClient, saved_card: Saved) -> None:
    card = saved_card()
    sandbox.decline_next(card[1])
    charges = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            pay(client, *card, "k1")
        charges.append(declined.value.error.charge)
    assert charges[0] == charges[1]
    assert pay(client, *card, "k2").status == "succeeded"


def test_another_request_under_the_same_key_is_refused(
    client: stripe.StripeClient, saved_card: Saved
) -> None:
    card = saved_card()
    pay(client, *card, "k1")
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        pay(client, *card, "k1", amount=6000)
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({}, {"idempotency_key": "k1"})
    assert charges_of(client, card[0]) == 1


def test_a_key_in_flight_is_refused_and_not_kept(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved
) -> None:
    card = saved_card()
    sandbox.fault("slow", path="payment_intents$", seconds=2)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(pay(client_for(sandbox), *card, "k1")))
    thread.start()
    wait_for_request(sandbox, "k1")
    with pytest.raises(stripe.APIError) as refused:
        pay(client, *card, "k1")
    assert (refused.value.http_status, refused.value.error.code) == (409, "idempotency_key_in_use")
    thread.join()
    assert pay(client, *card, "k1").id == results[0].id
    assert charges_of(client, card[0]) == 1


def wait_for_request(sandbox: Handle, key: str) -> None:
    """Until the sandbox has begun a request with this key."""
    while not any(entry["idempotency_key"] == key for entry in sandbox.log()):
        pass


def test_an_old_key_executes_again(sandbox: Handle, client: stripe.StripeClient, saved_card: Saved) -> None:
    card = saved_card()
    first = pay(client, *card, "k1")
    sandbox.advance(DAY - 60)
    assert pay(client, *card, "k1").id == first.id
    sandbox.advance(120)
    assert pay(client, *card, "k1").id != first.id
    assert charges_of(client, card[0]) == 2


def test_what_was_refused_before_it_began_does_not_use_up_the_key(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.create({"age": 3}, {"idempotency_key": "k1"})  # type: ignore[typeddict-unknown-key]
    sandbox.fault("429", path="customers")
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.create({"name": "A"}, {"idempotency_key": "k1"})
    assert client.v1.customers.create({"name": "B"}, {"idempotency_key": "k1"}).name == "B"
    with pytest.raises(stripe.InvalidRequestError, match="at most 255"):
        client.v1.customers.create({}, {"idempotency_key": "k" * 256})


@pytest.mark.parametrize(
    ("fault", "error", "charges"),
    [
        ("timeout_after", stripe.APIConnectionError, 1),
        ("reset_after", stripe.APIConnectionError, 1),
        ("reset_mid_body", stripe.APIConnectionError, 1),
        ("500_after", stripe.APIError, 1),
        ("timeout_before", stripe.APIConnectionError, 0),
        ("reset_before", stripe.APIConnectionError, 0),
        ("500_before", stripe.APIError, 0),
        ("503", stripe.APIError, 0),
        ("html", stripe.APIError, 0),
        ("409", stripe.APIError, 0),
        ("429", stripe.RateLimitError, 0),
        ("lock_timeout", stripe.RateLimitError, 0),
    ],
)
def test_a_fault_says_nothing_about_the_money(
    *,
    sandbox: Handle,
    client: stripe.StripeClient,
    saved_card: Saved,
    fault: str,
    error: type[Exception],
    charges: int,
) -> None:
    card = saved_card()
    sandbox.fault(fault, path="payment_intents", method="POST")
    with pytest.raises(error):
        pay(client_for(sandbox, timeout=1), *card, "k1")
    sandbox.wait_for_requests()
    assert charges_of(client, card[0]) == charges
    assert sandbox.control("GET", "/faults") == []
    if fault.startswith("500"):
        with pytest.raises(stripe.APIError):
            pay(client, *card, "k1")
    else:
        assert pay(client, *card, "k1").status == "succeeded"
        assert charges_of(client, card[0]) == 1


def test_the_sdks_own_retries_find_the_answer(sandbox: Handle, saved_card: Saved) -> None:
    card = saved_card()
    patient = client_for(sandbox, retries=2, timeout=1.5)
    for number, fault in enumerate(("timeout_after", "lock_timeout", "503")):
        sandbox.fault(fault, path="payment_intents", method="POST")
        assert pay(patient, *card, f"k{number}").status == "succeeded"
    assert charges_of(patient, card[0]) == 3


def test_faults_wait_for_their_turn_and_repeat(sandbox: Handle, client: stripe.StripeClient) -> None:
    sandbox.fault("503", path="^/v1/customers$", method="POST", after=1, times=2)
    seen = []
    for _ in range(4):
        try:
            client.v1.customers.create({})
            seen.append(200)
        except stripe.APIError as error:
            seen.append(error.http_status)
        client.v1.customers.list()
    assert seen == [200, 503, 503, 200]


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "meteor"},
        {"action": "503", "path": "("},
        {"action": "503", "times": -1},
        {"action": "503", "when": "now"},
        {"action": "slow", "seconds": "long"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(sandbox: Handle, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="error"):
        sandbox.control("POST", "/faults", wrong)


def test_pages_of_other_sites_cannot_give_orders(sandbox: Handle) -> None:
    answer = requests.post(
        f"{sandbox.url}/_sandbox/reset", headers={"Origin": "https://evil.example"}, timeout=5
    )
    assert answer.status_code == 403


def test_the_log_keeps_no_card_numbers(sandbox: Handle, client: stripe.StripeClient) -> None:
    card = {"number": "4242424242424242", "exp_month": 1, "exp_year": 2044, "cvc": "987"}
    client.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
    kept = repr(sandbox.log())
    assert "4242424242" not in kept
    assert "987" not in kept.replace(sandbox.log()[-1]["id"], "")
    assert sandbox.log()[-1]["params"]["card"]["number"] == "(not logged)"
