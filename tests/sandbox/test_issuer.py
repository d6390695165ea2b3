"""What a card's bank does by itself: new dates, numbers and brands, closed accounts, late answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sandbox.handle import Handle

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]
UPDATED = "payment_method.automatically_updated"


def update(sandbox: Handle, method: str, kind: str) -> Any:
    """What the card updater tells about a saved card."""
    return sandbox.control("POST", f"/cards/{method}/update", {"kind": kind})


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("new_expiry", {"exp_year"}),
        ("new_number", {"exp_year", "last4", "fingerprint"}),
        ("new_brand", {"exp_year", "last4", "fingerprint", "brand", "display_brand", "networks"}),
    ],
)
def test_the_updater_tells_what_changed(
    *,
    sandbox: Handle,
    client: stripe.StripeClient,
    saved_card: Saved,
    charge: Charge,
    kind: str,
    changed: set[str],
) -> None:
    customer, method = saved_card()
    before = client.v1.payment_methods.retrieve(method).card.to_dict()
    answer = update(sandbox, method, kind)
    after = client.v1.payment_methods.retrieve(method)
    assert answer["card"] == after.card.to_dict()
    assert {name for name, value in before.items() if after.card.to_dict()[name] != value} == changed
    (event,) = client.v1.events.list({"type": UPDATED}).data
    previous = event.data.previous_attributes.to_dict()
    assert previous.keys() == {"card"}
    assert previous["card"].keys() == changed
    assert previous["card"]["exp_year"] == before["exp_year"] == after.card.exp_year - 3
    assert (after.customer, event.data.object["id"]) == (customer, method)
    assert charge(customer, method).status == "succeeded"


def test_an_expired_card_is_good_again_with_its_new_date(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    sandbox.advance(3 * 365 * 86400)
    with pytest.raises(stripe.CardError) as declined:
        charge(customer, method)
    assert declined.value.code == "expired_card"
    update(sandbox, method, "new_expiry")
    assert charge(customer, method).status == "succeeded"


def test_a_closed_account_is_told_by_declines_only(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    update(sandbox, method, "closed")
    assert client.v1.events.list({"type": UPDATED}).data == []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            charge(customer, method)
        error = declined.value.error
        assert (error.code, error.decline_code) == ("card_declined", "invalid_account")
        assert (error.advice_code, error.network_decline_code) == ("do_not_try_again", "46")
    assert sandbox.control("GET", f"/cards/{method}")["closed"] is True
    update(sandbox, method, "new_number")
    assert charge(customer, method).status == "succeeded"


def test_the_updater_refuses_what_makes_no_sense(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved
) -> None:
    _, method = saved_card()
    for given, words in (
        ({"kind": "new_colour"}, "kind must be one of"),
        ({}, "kind must be one of"),
        ({"kind": "closed", "when": 1}, "no \\['when'\\] here"),
    ):
        with pytest.raises(ValueError, match=words):
            sandbox.control("POST", f"/cards/{method}/update", given)
    with pytest.raises(ValueError, match="no payment method pm_none"):
        update(sandbox, "pm_none", "closed")
    client.v1.payment_methods.detach(method)
    with pytest.raises(ValueError, match="not saved with a customer"):
        update(sandbox, method, "new_expiry")


@pytest.mark.parametrize("declined", [False, True])
def test_a_bank_that_takes_its_time(
    *, sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge, declined: bool
) -> None:
    customer, method = saved_card()
    outcome: dict[str, Any] = {"outcome": "processing", "seconds": 3600}
    sandbox.card(
        method, outcomes=[{**outcome, "decline_code": "insufficient_funds"} if declined else outcome]
    )
    waiting = charge(customer, method)
    assert (waiting.status, waiting.latest_charge, waiting.payment_method) == ("processing", None, method)
    for attempt in (
        lambda: client.v1.payment_intents.confirm(waiting.id, {"payment_method": method}),
        lambda: client.v1.payment_intents.cancel(waiting.id),
        lambda: client.v1.payment_intents.update(waiting.id, {"amount": 900}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            attempt()
        assert refused.value.code == "payment_intent_unexpected_state"
    sandbox.advance(3590)
    assert client.v1.payment_intents.retrieve(waiting.id).status == "processing"
    sandbox.advance(11)
    done = client.v1.payment_intents.retrieve(waiting.id, {"expand": ["latest_charge"]})
    told = [event.type for event in client.v1.events.list({"type": "payment_intent.*"}).data]
    assert done.latest_charge.paid is not declined
    if declined:
        assert (done.status, done.payment_method) == ("requires_payment_method", None)
        assert done.last_payment_error.decline_code == "insufficient_funds"
        assert told[0] == "payment_intent.payment_failed"
    else:
        assert (done.status, done.amount_received) == ("succeeded", 5000)
        assert told[0] == "payment_intent.succeeded"
    assert told[1:] == ["payment_intent.processing", "payment_intent.created"]
    assert charge(customer, method).status == "succeeded"
