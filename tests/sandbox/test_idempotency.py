"""Idempotency keys as docs.stripe.com/api/idempotent_requests says, and faults on the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.handle import Handle
from stripe_sandbox.idempotency import Kept, Keys
from stripe_sandbox.storage import Store

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
    assert [each.last_response.headers["idempotency-key"] for each in (first, second)] == ["k1", "k1"]
    assert charges_of(client, card[0]) == 1


def test_an_empty_key_is_none(sandbox: Handle) -> None:
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": ""}
    made = [
        requests.post(f"{sandbox.url}/v1/customers", {"name": name}, headers=headers, timeout=5)
        for name in ("A", "B")
    ]
    assert [each.json()["name"] for each in made] == ["A", "B"]
    assert "idempotency-key" not in made[0].headers
    assert [entry["idempotency_key"] for entry in sandbox.log()] == [None, None]


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
    assert client.v1.customers.create({}, {"idempotency_key": "k" * 255}).id
    stranger = stripe.StripeClient("sk_live_other", base_addresses={"api": sandbox.url})
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.customers.create({"name": "C"}, {"idempotency_key": "k2"})
    assert client.v1.customers.create({"name": "D"}, {"idempotency_key": "k2"}).name == "D"


def test_an_answer_of_an_executed_request_is_kept_whatever_it_was(
    sandbox: Handle, client: stripe.StripeClient
) -> None:
    asked = {"amount": 500, "currency": "usd", "customer": "cus_missing"}
    ids = []
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.payment_intents.create(asked, {"idempotency_key": "k1"})  # type: ignore[arg-type]
        assert refused.value.http_status == 400
        ids.append(refused.value.headers["idempotent-replayed"] if ids else refused.value.request_id)
    assert ids[1] == "true"
    assert [entry["replayed"] for entry in sandbox.log()] == [False, True]


@pytest.mark.parametrize(
    ("path", "wrong", "code", "right"),
    [
        ("refunds", {}, "parameter_missing", {"payment_intent": "pi_missing"}),
        ("payment_intents", {"amount": 10, "currency": "usd"}, "amount_too_small", {"amount": 900}),
        ("payment_intents", {"amount": 900, "currency": "xxx"}, None, {"currency": "usd"}),
        (
            "payment_intents",
            {"amount": 900, "currency": "usd", "off_session": "true"},
            None,
            {"confirm": "true"},
        ),
        (
            "setup_intents",
            {"allowed_payment_method_types[]": "card", "automatic_payment_methods[enabled]": "true"},
            "parameters_exclusive",
            {"automatic_payment_methods[enabled]": "false"},
        ),
        (
            "setup_intents",
            {"mandate_data[customer_acceptance][type]": "offline"},
            None,
            {"confirm": "true", "return_url": "https://shop.example/"},
        ),
        (
            "setup_intents",
            {
                "confirm": "true",
                "return_url": "https://shop.example/",
                "payment_method": "pm_card_visa",
                "mandate_data[customer_acceptance][type]": "online",
            },
            "parameter_missing",
            {"mandate_data[customer_acceptance][type]": "offline"},
        ),
        (
            "setup_intents",
            {"confirm": "true", "payment_method": "pm_card_visa"},
            None,
            {"return_url": "https://shop.example/"},
        ),
        (
            "setup_intents",
            {"payment_method_data[type]": "card"},
            "parameter_unknown",
            {"description": "still of a server"},
        ),
        ("payment_methods", {}, "parameter_missing", {"type": "card", "card[token]": "tok_visa"}),
        ("payment_methods", {"type": "card"}, "parameter_missing", {"card[token]": "tok_visa"}),
        (
            "payment_methods",
            {"type": "card", "card[number]": "4242424242424242"},
            "parameter_missing",
            {"type": "card"},
        ),
        (
            "webhook_endpoints",
            {"url": "nowhere", "enabled_events[]": "*"},
            "url_invalid",
            {"url": "http://here"},
        ),
        ("webhook_endpoints", {"url": "http://here", "enabled_events": ""}, None, {"enabled_events[]": "*"}),
        ("customers", {"expand[]": "shoe"}, None, {"expand[]": "default_source"}),
    ],
)
def test_a_mistake_in_the_parameters_does_not_use_up_the_key(
    sandbox: Handle, path: str, wrong: dict[str, object], code: str | None, right: dict[str, object]
) -> None:
    """Stripe keeps no answer when parameters fail validation; the key is free for the right ones."""

    def ask(**params: object) -> requests.Response:
        headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": "k1"}
        return requests.post(f"{sandbox.url}/v1/{path}", params, headers=headers, timeout=5)

    first = ask(**wrong)
    assert (first.status_code, first.json()["error"].get("code")) == (400, code)
    assert "idempotent-replayed" not in ask(**wrong).headers
    again = ask(**{**wrong, **right})
    assert again.json().get("error", {}).get("type") != "idempotency_error"


def test_forgotten_answers_leave_the_table() -> None:
    store = Store()
    keys = Keys(store)

    def kept() -> int:
        return int(store.db.execute("SELECT count(*) FROM idempotency").fetchone()[0])

    for number in range(300):
        keys.keep(f"old-{number}", "f", 1000, Kept(200, "{}", "req_1"))
    assert kept() == 300
    for number in range(30):
        keys.keep(f"day-{number}", "f", 1000 + DAY - 1, Kept(200, "{}", "req_1"))
    assert kept() == 330  # a second too young
    for number in range(30):
        keys.keep(f"new-{number}", "f", 1000 + DAY, Kept(200, "{}", "req_1"))
    assert kept() == 60
    assert keys.begin("day-1", "f", 1000 + DAY) == Kept(200, "{}", "req_1")
    assert keys.begin("old-1", "f", 1000 + DAY) is None


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
