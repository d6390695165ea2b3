"""Everything the sandbox answers is what the SDK's classes declare, and it takes only what Stripe takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import stripe
from stripe._object_classes import get_object_class
from stripe.params import PaymentIntentCreateParams

from stripe_sandbox import events
from stripe_sandbox.endpoint import Endpoint, Router
from stripe_sandbox.handle import Handle
from stripe_sandbox.pipeline import _MODULES
from stripe_sandbox.resources import customers
from stripe_sandbox.schema import Boolean, Choice, Hash, Integer, Listed, Metadata, Rule, Text
from tests import wire

from .sdk_endpoints import find
from .sdk_rules import invented
from .sdk_types import parameter_names, response_errors

Saved = Callable[..., tuple[str, str]]
# The design's list of endpoints (its 4.1).
DESIGNED = {
    "/v1/customers": "POST GET",
    "/v1/customers/x": "GET POST DELETE",
    "/v1/customers/x/payment_methods": "GET",
    "/v1/setup_intents": "POST GET",
    "/v1/setup_intents/x": "GET POST",
    "/v1/setup_intents/x/confirm": "POST",
    "/v1/setup_intents/x/cancel": "POST",
    "/v1/payment_methods": "GET POST",
    "/v1/payment_methods/x": "GET POST",
    "/v1/payment_methods/x/attach": "POST",
    "/v1/payment_methods/x/detach": "POST",
    "/v1/payment_intents": "POST GET",
    "/v1/payment_intents/x": "GET POST",
    "/v1/payment_intents/x/confirm": "POST",
    "/v1/payment_intents/x/cancel": "POST",
    "/v1/charges": "GET",
    "/v1/charges/x": "GET",
    "/v1/refunds": "POST GET",
    "/v1/refunds/x": "GET POST",
    "/v1/disputes": "GET",
    "/v1/disputes/x": "GET POST",
    "/v1/disputes/x/close": "POST",
    "/v1/events": "GET",
    "/v1/events/x": "GET",
    "/v1/webhook_endpoints": "POST GET",
    "/v1/webhook_endpoints/x": "DELETE",
    "/v1/balance": "GET",
    "/v1/balance_transactions": "GET",
    "/v1/payouts": "GET",
    "/v1/payouts/x": "GET",
    "/v1/account": "GET",
}


def errors_of(answer: Any) -> list[str]:
    plain = answer.to_dict() if isinstance(answer, stripe.StripeObject) else answer
    return response_errors(plain, get_object_class("V1", plain["object"]))


def test_the_checker_bites(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Acme"}).to_dict()
    assert errors_of(customer) == []
    assert errors_of({**customer, "shoe_size": 43}) == ["Customer.shoe_size: unknown property"]
    assert errors_of({**customer, "created": "today"}) == ["Customer.created: 'today' is not int"]
    assert errors_of({**customer, "tax_exempt": "often"}) != []
    del customer["livemode"]
    assert errors_of(customer) == ["Customer.livemode: missing"]


def test_every_answer_is_what_the_sdk_declares(
    sandbox: Handle,
    client: stripe.StripeClient,
    saved_card: Saved,
    charge: Callable[..., stripe.PaymentIntent],
) -> None:
    customer, method = saved_card()
    paid = charge(
        customer, method, expand=["latest_charge.balance_transaction", "customer", "payment_method"]
    )
    answers: list[Any] = [
        paid,
        client.v1.customers.retrieve(customer),
        client.v1.payment_methods.retrieve(method),
    ]
    answers += [client.v1.accounts.retrieve_current(), client.v1.charges.retrieve(paid.latest_charge.id)]
    answers.append(
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 100, "reason": "duplicate"})
    )
    with pytest.raises(stripe.CardError) as declined:
        charge(*saved_card("pm_card_chargeCustomerFail"))
    answers.append(client.v1.payment_intents.retrieve(declined.value.error.payment_intent.id))
    answers.append(client.v1.charges.retrieve(declined.value.error.charge))
    waiting = client.v1.setup_intents.create({"customer": customer, "allowed_payment_method_types": ["card"]})
    answers.append(
        client.v1.setup_intents.confirm(
            waiting.id,
            {"payment_method": "pm_card_authenticationRequired", "return_url": "https://shop.example/back"},
        )
    )
    sandbox.authenticate(waiting.id, waiting.client_secret)
    answers.append(
        client.v1.webhook_endpoints.create({"url": "https://shop.example/hook", "enabled_events": ["*"]})
    )
    for lists in (
        client.v1.setup_intents.list(),
        client.v1.payment_intents.list({"customer": customer}),
        client.v1.balance_transactions.list(),
        client.v1.setup_attempts.list({"setup_intent": waiting.id}),
        client.v1.events.list({"limit": 100}),
    ):
        answers += lists.data
    assert {answer.object for answer in answers} >= {
        "customer",
        "payment_method",
        "setup_intent",
        "payment_intent",
        "charge",
        "refund",
        "event",
        "balance_transaction",
        "setup_attempt",
        "webhook_endpoint",
        "account",
    }
    assert [error for answer in answers for error in errors_of(answer)] == []


def test_every_event_carries_an_object_of_its_kind(
    client: stripe.StripeClient, saved_card: Saved, charge: Callable[..., stripe.PaymentIntent]
) -> None:
    customer, method = saved_card()
    client.v1.refunds.create({"payment_intent": charge(customer, method).id})
    client.v1.payment_methods.detach(method)
    events = client.v1.events.list({"limit": 100}).data
    assert len({event.type for event in events}) > 8
    for event in events:
        inside = event.data.object.to_dict()
        assert event.type.startswith(inside["object"]), event.type
        assert errors_of(inside) == []


ENDPOINTS: list[Endpoint] = [endpoint for module in _MODULES for endpoint in module.ENDPOINTS]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_the_sandbox_takes_only_what_stripe_takes(endpoint: Endpoint) -> None:
    call = find(endpoint.method, re.sub(r"\{\w+\}", "id_1", endpoint.path))
    assert call is not None, "the SDK has no such call"
    found = invented(endpoint.params.fields, call.params, call.params.__name__)
    assert found == []
    assert endpoint.params.expandable == ("expand" in parameter_names(call.params))
    if endpoint.method == "POST":
        wanted = set(endpoint.params.required)
        assert call.params.__required_keys__ <= wanted, "Stripe wants more than the sandbox"


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for path, methods in DESIGNED.items() for method in methods.split()],
)
def test_every_address_of_the_design_is_answered(method: str, path: str) -> None:
    assert Router(ENDPOINTS).find(method, path) is not None


@pytest.mark.parametrize(
    ("name", "rule", "wrong"),
    [
        ("amount", Integer(), False),
        ("amount", Text(), True),
        ("confirm", Boolean(), False),
        ("confirm", Integer(), True),
        ("confirm", Listed(Boolean()), True),
        ("currency", Boolean(), True),
        ("currency", Choice("usd"), False),
        ("capture_method", Choice("automatic"), False),
        ("capture_method", Choice("tomorrow"), True),
        ("capture_method", Text(), True),
        ("allowed_payment_method_types", Listed(Choice("card")), False),
        ("allowed_payment_method_types", Choice("card"), True),
        ("allowed_payment_method_types", Listed(Text()), True),
        ("metadata", Metadata(), False),
        ("metadata", Text(), True),
        ("metadata", Hash({}), True),
        ("shipping", Hash({"name": Text()}), False),
        ("shipping", Hash({"name": Integer()}), True),
        ("shipping", Metadata(), True),
        ("shoe_size", Integer(), True),
    ],
)
def test_the_checker_of_rules_bites(*, name: str, rule: Rule, wrong: bool) -> None:
    assert bool(invented({name: rule}, PaymentIntentCreateParams, "")) is wrong


def test_the_checker_of_requests_bites() -> None:
    def wrong(method: str, path: str, **given: Any) -> list[str]:
        return wire.exchange_errors(method, path, given, 200, b"half a bo")

    intents = "/v1/payment_intents"
    good = {"amount": "500", "currency": "usd", "off_session": "true", "metadata": {"a": "b"}}
    assert wrong("POST", intents, **good) == []
    assert wrong("POST", intents, **good, payment_method_types=["card"]) == [
        f"POST {intents}: PaymentIntentCreateParams.payment_method_types: unknown parameter"
    ]
    for change in (
        {"amount": "5.00"},
        {"capture_method": "tomorrow"},
        {"confirm": "yes"},
        {"metadata": "text"},
        {"metadata": {"a": {"b": "c"}}},
        {"expand": "customer"},
        {"automatic_payment_methods": {"enabled": "true", "allow_redirects": "no"}},
        {"automatic_payment_methods": {}},
    ):
        assert len(wrong("POST", intents, **{**good, **change})) == 1, change
    assert "missing" in wrong("POST", intents, amount="500")[0]
    assert wrong("PUT", intents) == [f"PUT {intents}: the SDK has no such call"]
    assert wire.exchange_errors("POST", intents, {"amount": "x"}, 400, b"half a bo") == []


def test_what_is_wrong_on_the_wire_is_noticed(
    client: stripe.StripeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = customers.retrieve
    endpoint = next(each for each in customers.ENDPOINTS if each.handler is plain)
    noticed = monkeypatch.setattr(wire, "_found", []) or wire._found
    made = client.v1.customers.create({"name": "Acme"})
    client.v1.customers.retrieve(made.id)
    assert noticed == []
    object.__setattr__(endpoint, "handler", lambda ctx: {**plain(ctx), "shoe_size": 43})
    try:
        client.v1.customers.retrieve(made.id)
    finally:
        object.__setattr__(endpoint, "handler", plain)
    assert set(noticed) == {f"GET /v1/customers/{made.id}: Customer.shoe_size: unknown property"}
    assert len(noticed) == 2  # by the SDK's client, and at the sandbox
    monkeypatch.undo()


def test_what_is_wrong_with_a_written_event_is_noticed(
    client: stripe.StripeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed = monkeypatch.setattr(wire, "_found", []) or wire._found
    plain = events._written
    with monkeypatch.context() as patch:
        patch.setattr(events, "_written", lambda *given: plain(*given).replace('"request":', '"asked":', 1))
        client.v1.customers.create({"name": "Acme"}, {"idempotency_key": 'so "called"'})
    assert [each.partition(": ")[::2] for each in noticed][1:] == [
        ("Event.asked", "unknown property"),
    ]
    noticed.clear()
    client.v1.customers.create({"name": "Acme"}, {"idempotency_key": 'so "named"'})
    assert noticed == []
    monkeypatch.undo()
