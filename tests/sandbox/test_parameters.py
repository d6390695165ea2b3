"""What is asked for is done or refused, never taken and ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import stripe

from stripe_sandbox.handle import Handle

Saved = Callable[..., tuple[str, str]]
CARDS = {"allowed_payment_method_types": ["card"]}
MONEY = {"amount": 500, "currency": "usd"}
THREE_D = {"card": {"request_three_d_secure": "any"}}


@pytest.mark.parametrize("when", ["update", "confirm"])
def test_a_payment_may_be_changed_to_settle_at_once(
    client: stripe.StripeClient, saved_card: Saved, when: str
) -> None:
    customer, method = saved_card()
    made = client.v1.payment_intents.create({**MONEY, "customer": customer, **CARDS})  # type: ignore[typeddict-item]
    now: Any = {"capture_method": "automatic"}
    if when == "update":
        assert client.v1.payment_intents.update(made.id, now).capture_method == "automatic"
        now = {}
    paid = client.v1.payment_intents.confirm(
        made.id, {"payment_method": method, "expand": ["latest_charge"], **now}
    )
    assert paid.capture_method == "automatic"
    assert paid.latest_charge.balance_transaction.startswith("txn_")  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["payment_intents", "setup_intents"])
def test_a_card_is_taken_from_an_intent(client: stripe.StripeClient, saved_card: Saved, kind: str) -> None:
    customer, method = saved_card()
    intents: Any = getattr(client.v1, kind)
    money = MONEY if kind == "payment_intents" else {}
    made = intents.create({**money, "customer": customer, "payment_method": method, **CARDS})
    assert made.status == "requires_confirmation"
    emptied = intents.update(made.id, {"payment_method": ""})
    assert (emptied.status, emptied.payment_method) == ("requires_payment_method", None)
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        intents.confirm(made.id)


@pytest.mark.parametrize("kind", ["payment_intents", "setup_intents"])
def test_kinds_of_payment_may_be_chosen_late(
    client: stripe.StripeClient, saved_card: Saved, kind: str
) -> None:
    """Without them a server must say where a redirect comes back to."""
    customer, method = saved_card()
    intents: Any = getattr(client.v1, kind)
    given = {"customer": customer, **(MONEY if kind == "payment_intents" else {})}
    first, second = intents.create(given), intents.create(given)
    for made in (first, second):
        with pytest.raises(stripe.InvalidRequestError, match="return_url"):
            intents.confirm(made.id, {"payment_method": method})
    changed = intents.update(first.id, CARDS)
    assert (changed.allowed_payment_method_types, changed.automatic_payment_methods) == (["card"], None)
    assert intents.confirm(first.id, {"payment_method": method}).status == "succeeded"
    assert intents.confirm(second.id, {"payment_method": method, **CARDS}).status == "succeeded"


def test_a_customers_cards_are_listed_by_redisplay(client: stripe.StripeClient, saved_card: Saved) -> None:
    customer, method = saved_card()
    cards = client.v1.customers.payment_methods
    assert cards.list(customer, {"allow_redisplay": "always"}).data == []
    client.v1.payment_methods.update(method, {"allow_redisplay": "always"})
    assert [each.id for each in cards.list(customer, {"allow_redisplay": "always"}).data] == [method]


def test_a_new_customer_has_the_footer_that_was_given(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({"invoice_settings": {"footer": "Thank you"}})
    assert made.invoice_settings.footer == "Thank you"


@pytest.mark.parametrize(
    ("ask", "given"),
    [
        ("payment_intents.create", {**MONEY, "payment_method_options": THREE_D}),
        ("payment_intents.create", {**MONEY, "excluded_payment_method_types": ["affirm"]}),
        ("setup_intents.create", {"payment_method_options": THREE_D}),
        ("setup_intents.create", {"attach_to_self": True}),
        ("payment_methods.create", {"type": "card", "customer": "cus_1"}),
        ("payment_methods.create", {"type": "card", "payment_method": "pm_card_visa"}),
        ("payment_methods.create", {"type": "card", "card": {"networks": {"preferred": "visa"}}}),
        ("customers.list", {"test_clock": "clock_1"}),
    ],
)
def test_what_the_sandbox_does_not_have_is_refused(
    client: stripe.StripeClient, ask: str, given: dict[str, Any]
) -> None:
    resource, verb = ask.split(".")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        getattr(getattr(client.v1, resource), verb)(given)
    assert refused.value.code == "parameter_unknown"


def test_confirmation_by_servers_only_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({**MONEY, "confirmation_method": "manual"})  # type: ignore[typeddict-item]
    assert refused.value.param == "confirmation_method"


def test_a_browser_cannot_say_that_the_cardholder_is_away(
    sandbox: Handle, client: stripe.StripeClient
) -> None:
    """It would be charged without 3D Secure."""
    made = client.v1.payment_intents.create({**MONEY, **CARDS})  # type: ignore[typeddict-item]
    given = {"client_secret": made.client_secret, "key": sandbox.publishable_key}
    card = {"payment_method": "pm_card_authenticationRequiredSetupForOffSession", "use_stripe_sdk": "true"}
    url = f"{sandbox.url}/v1/payment_intents/{made.id}/confirm"
    refused = requests.post(url, {**given, **card, "off_session": "true"}, timeout=5)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "off_session")
    asked = requests.post(url, {**given, **card}, timeout=5)
    assert asked.json()["status"] == "requires_action"


def test_a_payment_its_bank_thinks_about_is_not_canceled(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved
) -> None:
    customer, method = saved_card()
    sandbox.card(method, outcomes=[{"outcome": "processing"}])
    given: Any = {**MONEY, **CARDS, "customer": customer, "payment_method": method, "confirm": True}
    made = client.v1.payment_intents.create(given)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.cancel(made.id)
    assert refused.value.error.code == "payment_intent_unexpected_state"
    assert str(refused.value).count("processing") == 1  # which it is, and not among those that may be
