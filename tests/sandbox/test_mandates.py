"""Consent to later charges: kept when a card is saved or charged with it, void when the card is detached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sandbox.handle import Handle

from .sdk_types import response_errors

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]
ONLINE: dict[str, Any] = {
    "customer_acceptance": {"type": "online", "online": {"ip_address": "192.0.2.7", "user_agent": "Firefox"}}
}


def test_consent_given_with_a_card_becomes_a_mandate_until_the_card_is_detached(
    client: stripe.StripeClient,
) -> None:
    customer = client.v1.customers.create({}).id
    intent = client.v1.setup_intents.create({"customer": customer, "allowed_payment_method_types": ["card"]})
    assert intent.mandate is None
    with pytest.raises(stripe.CardError):
        client.v1.setup_intents.confirm(
            intent.id, {"payment_method": "pm_card_chargeDeclined", "mandate_data": ONLINE}
        )
    done = client.v1.setup_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "mandate_data": ONLINE}
    )
    mandate = client.v1.mandates.retrieve(str(done.mandate), {"expand": ["payment_method"]})
    assert response_errors({**mandate.to_dict(), "payment_method": "pm_x"}, stripe.Mandate) == []
    assert (mandate.status, mandate.type, mandate.payment_method.customer) == (
        "active",
        "multi_use",
        customer,
    )
    acceptance = mandate.customer_acceptance
    assert (acceptance.type, acceptance.online.ip_address) == ("online", "192.0.2.7")
    assert acceptance.accepted_at >= done.created
    client.v1.payment_methods.detach(str(done.payment_method))
    assert client.v1.mandates.retrieve(mandate.id).status == "inactive"
    (event,) = client.v1.events.list({"type": "mandate.updated"}).data
    assert event.data.previous_attributes.to_dict() == {"status": "active"}


def test_consent_survives_the_authentication(sandbox: Handle, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({}).id
    waiting = client.v1.setup_intents.create(
        {
            "customer": customer,
            "allowed_payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "mandate_data": {"customer_acceptance": {"type": "offline", "accepted_at": 1700000000}},
        }
    )
    assert (waiting.status, waiting.mandate) == ("requires_action", None)
    sandbox.authenticate(waiting.id, str(waiting.client_secret))
    done = client.v1.setup_intents.retrieve(waiting.id)
    assert client.v1.mandates.retrieve(str(done.mandate)).customer_acceptance.accepted_at == 1700000000


def test_consent_given_with_a_payment_is_named_on_its_charge(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card(), mandate_data=ONLINE, expand=["latest_charge"])
    mandate = paid.latest_charge.payment_method_details.card.mandate
    assert client.v1.mandates.retrieve(mandate).payment_method == paid.payment_method


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"mandate_data": ONLINE}, "mandate_data"),
        (
            {"mandate_data": {"customer_acceptance": {"type": "online"}}, "confirm": True},
            "mandate_data[customer_acceptance][online]",
        ),
        (
            {"mandate_data": {"customer_acceptance": {"type": "online", "online": {"user_agent": "x"}}}},
            "mandate_data[customer_acceptance][online][ip_address]",
        ),
        (
            {"mandate_data": {"customer_acceptance": {"accepted_at": 1}}},
            "mandate_data[customer_acceptance][type]",
        ),
    ],
)
def test_consent_that_is_incomplete_is_refused(
    client: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    wanted = {"allowed_payment_method_types": ["card"], "payment_method": "pm_card_visa", **params}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.create(wanted)  # type: ignore[arg-type]
    assert refused.value.param == param
