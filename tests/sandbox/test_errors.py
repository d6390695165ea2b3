"""The errors that every endpoint shares, in Stripe's words and with its codes."""

from __future__ import annotations

import pytest
import requests
import stripe

from stripe_sandbox.handle import Handle
from stripe_sandbox.pipeline import _MODULES
from stripe_sandbox.settings import API_VERSION

ENDPOINTS = [endpoint for module in _MODULES for endpoint in module.ENDPOINTS]
# What reference/stripe.md and Stripe's own reference name for this product.
EXPECTED = """
GET POST /v1/customers; GET POST DELETE /v1/customers/{id}; GET /v1/customers/{id}/payment_methods
GET /v1/customers/{id}/payment_methods/{method}
GET POST /v1/setup_intents; GET POST /v1/setup_intents/{id}; POST /v1/setup_intents/{id}/confirm
POST /v1/setup_intents/{id}/cancel; GET /v1/setup_attempts
GET POST /v1/payment_methods; GET POST /v1/payment_methods/{id}; POST /v1/payment_methods/{id}/attach
POST /v1/payment_methods/{id}/detach
GET POST /v1/payment_intents; GET POST /v1/payment_intents/{id}; POST /v1/payment_intents/{id}/confirm
POST /v1/payment_intents/{id}/cancel
GET /v1/charges; GET POST /v1/charges/{id}
GET POST /v1/refunds; GET POST /v1/refunds/{id}; POST /v1/refunds/{id}/cancel
GET /v1/disputes; GET POST /v1/disputes/{id}; POST /v1/disputes/{id}/close; GET /v1/mandates/{id}
GET /v1/radar/early_fraud_warnings; GET /v1/radar/early_fraud_warnings/{id}
GET /v1/events; GET /v1/events/{id}
GET POST /v1/webhook_endpoints; GET POST DELETE /v1/webhook_endpoints/{id}
GET /v1/balance; GET /v1/balance_transactions; GET /v1/balance_transactions/{id}
GET /v1/payouts; GET /v1/payouts/{id}; GET /v1/account
"""


def test_every_endpoint_is_there() -> None:
    expected = set()
    for entry in EXPECTED.replace("\n", ";").split(";"):
        *methods, path = entry.split() or [""]
        expected |= {(method, path) for method in methods}
    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} == expected


def ask(sandbox: Handle, method: str, path: str, **params: str) -> requests.Response:
    """A request as the SDK makes it, without the SDK's help."""
    headers = {"Authorization": f"Bearer {sandbox.secret_key}"}
    given = {"params": params} if method == "GET" else {"data": params}
    return requests.request(method, sandbox.url + path, headers=headers, timeout=5, **given)  # type: ignore


WITH_ID = [one for one in ENDPOINTS if one.path.endswith("/{id}")]


@pytest.mark.parametrize("endpoint", WITH_ID, ids=[f"{one.method} {one.path}" for one in WITH_ID])
def test_what_is_not_there_is_missed_by_name(sandbox: Handle, endpoint: object) -> None:
    method, path = endpoint.method, endpoint.path  # type: ignore[attr-defined]
    answer = ask(sandbox, method, path.replace("{id}", "xx_none"))
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (404, "invalid_request_error")
    assert (error["code"], error["param"]) == ("resource_missing", "intent" if "_intents" in path else "id")
    assert error["message"].startswith("No such ")
    assert error["message"].endswith("'xx_none'")
    assert error["doc_url"] == "https://stripe.com/docs/error-codes/resource-missing"
    assert answer.headers["Request-Id"] in error["request_log_url"]


LISTS = [one for one in ENDPOINTS if one.method == "GET" and "limit" in one.params.fields]


@pytest.mark.parametrize("endpoint", LISTS, ids=[one.path for one in LISTS])
def test_every_list_refuses_the_same_mistakes(sandbox: Handle, endpoint: object) -> None:
    path = endpoint.path.replace("{id}", "xx_none")  # type: ignore[attr-defined]
    for params, code, param in (
        ({"limit": "0"}, "parameter_invalid_integer", "limit"),
        ({"limit": "101"}, "parameter_invalid_integer", "limit"),
        ({"limit": "many"}, "parameter_invalid_integer", "limit"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"starting_after": ""}, "parameter_invalid_empty", "starting_after"),
    ):
        needed = dict.fromkeys(endpoint.params.required, "seti_none")  # type: ignore[attr-defined]
        answer = ask(sandbox, "GET", path, **needed, **params)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


def test_metadata_has_fifty_keys_at_most(client: stripe.StripeClient) -> None:
    full = {f"key{number}": str(number) for number in range(50)}
    made = client.v1.customers.create({"metadata": full})
    assert made.metadata.to_dict() == full
    for change in ({"one": "more"}, {f"k{number}": "x" for number in range(51)}):
        with pytest.raises(stripe.InvalidRequestError, match="up to 50 keys"):
            client.v1.customers.update(made.id, {"metadata": change})
    swapped = client.v1.customers.update(made.id, {"metadata": {"key0": "", "one": "more"}})
    assert len(swapped.metadata.to_dict()) == 50


def test_answers_carry_their_request_and_version(sandbox: Handle) -> None:
    answer = ask(sandbox, "GET", "/v1/customers")
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == API_VERSION
    other = requests.get(
        f"{sandbox.url}/v1/customers",
        auth=(sandbox.secret_key, ""),
        headers={"Stripe-Version": "2026-09-30.endive"},
        timeout=5,
    )
    assert (other.status_code, other.headers["Stripe-Version"]) == (200, "2026-09-30.endive")
