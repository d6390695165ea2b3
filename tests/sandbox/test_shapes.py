"""Everything the sandbox answers is what the SDK's classes declare, and it takes only what Stripe takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe
import stripe.params

from stripe_sandbox.endpoint import Endpoint
from stripe_sandbox.resources import (
    balance_transactions,
    charges,
    customers,
    events,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
    webhook_endpoints,
)
from stripe_sandbox.schema import Choice, Either, Hash, Listed, Refused, Rule

from .sdk_types import parameter_names, response_errors, typed_dicts_in, words_in

Saved = Callable[..., tuple[str, str]]
CLASSES: dict[str, type] = {
    "customer": stripe.Customer,
    "payment_method": stripe.PaymentMethod,
    "setup_intent": stripe.SetupIntent,
    "setup_attempt": stripe.SetupAttempt,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "event": stripe.Event,
    "balance_transaction": stripe.BalanceTransaction,
    "webhook_endpoint": stripe.WebhookEndpoint,
    "account": stripe.Account,
}


def errors_of(answer: Any) -> list[str]:
    plain = answer.to_dict() if isinstance(answer, stripe.StripeObject) else answer
    return response_errors(plain, CLASSES[plain["object"]])


def test_the_checker_bites(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Acme"}).to_dict()
    assert errors_of(customer) == []
    assert errors_of({**customer, "shoe_size": 43}) == ["Customer.shoe_size: unknown property"]
    assert errors_of({**customer, "created": "today"}) == ["Customer.created: 'today' is not int"]
    assert errors_of({**customer, "tax_exempt": "often"}) != []
    del customer["livemode"]
    assert errors_of(customer) == ["Customer.livemode: missing"]


def test_every_answer_is_what_the_sdk_declares(
    client: stripe.StripeClient, saved_card: Saved, charge: Callable[..., stripe.PaymentIntent]
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
    assert {answer.object for answer in answers} >= CLASSES.keys() - {"setup_attempt"}
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


PARAMETERS: list[tuple[Endpoint, Any]] = [
    (endpoint, cls)
    for module, names in (
        (
            customers,
            {
                ("POST", 2): "CustomerCreateParams",
                ("POST", 3): "CustomerUpdateParams",
                ("GET", 2): "CustomerListParams",
                ("GET", 4): "CustomerPaymentMethodListParams",
            },
        ),
        (
            payment_methods,
            {
                ("POST", 2): "PaymentMethodCreateParams",
                ("POST", 3): "PaymentMethodUpdateParams",
                ("GET", 2): "PaymentMethodListParams",
                ("POST", 4): "PaymentMethodAttachParams",
            },
        ),
        (
            setup_intents,
            {
                ("POST", 2): "SetupIntentCreateParams",
                ("POST", 3): "SetupIntentUpdateParams",
                ("POST", 4): "SetupIntentConfirmParams",
            },
        ),
        (
            payment_intents,
            {
                ("POST", 2): "PaymentIntentCreateParams",
                ("POST", 3): "PaymentIntentUpdateParams",
                ("GET", 2): "PaymentIntentListParams",
                ("POST", 4): "PaymentIntentConfirmParams",
            },
        ),
        (charges, {("GET", 2): "ChargeListParams", ("POST", 3): "ChargeUpdateParams"}),
        (refunds, {("POST", 2): "RefundCreateParams", ("GET", 2): "RefundListParams"}),
        (events, {("GET", 2): "EventListParams"}),
        (balance_transactions, {("GET", 2): "BalanceTransactionListParams"}),
        (
            webhook_endpoints,
            {("POST", 2): "WebhookEndpointCreateParams", ("POST", 3): "WebhookEndpointUpdateParams"},
        ),
    )
    for endpoint in module.ENDPOINTS
    for cls in [names.pop((endpoint.method, endpoint.path.count("/")), None)]
    if cls
]
# What only Stripe.js sends, with a publishable key: the SDK, on servers, does not know it.
_BROWSER = {"client_secret", "key"}
_BROWSER_CARD = (".payment_method_data.card", ".payment_method_data.type=card")


@pytest.mark.parametrize(("endpoint", "name"), PARAMETERS, ids=[name for _, name in PARAMETERS])
def test_the_sandbox_takes_only_what_stripe_takes(endpoint: Endpoint, name: str) -> None:
    found = invented(endpoint.params.fields, getattr(stripe.params, name), name)
    assert [error for error in found if not error.endswith(_BROWSER_CARD)] == []


def invented(fields: dict[str, Rule], cls: Any, path: str) -> list[str]:
    """Parameters or words that the sandbox takes and the SDK does not know."""
    known = parameter_names(cls)
    found: list[str] = []
    for name, rule in fields.items():
        if isinstance(rule, Refused) or name in _BROWSER:
            continue
        if name not in known:
            found.append(f"{path}.{name}")
            continue
        found += _invented_in(rule, known[name], f"{path}.{name}")
    return found


def _invented_in(rule: Rule, hint: Any, path: str) -> list[str]:
    if isinstance(rule, Listed):
        return _invented_in(rule.of, hint, path)
    if isinstance(rule, Either):
        return [error for option in rule.rules for error in _invented_in(option, hint, path)]
    if isinstance(rule, Hash):
        options = [invented(rule.fields, cls, path) for cls in typed_dicts_in(hint)]
        return min(options, key=len) if options else [f"{path}: Stripe takes no hash"]
    if isinstance(rule, Choice) and words_in(hint):
        return [f"{path}={word}" for word in rule.words if word not in words_in(hint)]
    return []
