"""The test cards of docs.stripe.com/testing when saved, when charged, and with scripted outcomes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stripe

from stripe_sandbox.handle import Handle

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]


@pytest.mark.parametrize(
    "token",
    [
        "pm_card_visa",
        "pm_card_mastercard",
        "pm_card_amex",
        "pm_card_authenticationRequiredSetupForOffSession",
    ],
)
def test_good_cards_are_saved_and_charged(saved_card: Saved, charge: Charge, token: str) -> None:
    assert charge(*saved_card(token)).status == "succeeded"


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_refused_cards_cannot_be_saved(
    client: stripe.StripeClient, token: str, code: str, decline_code: str
) -> None:
    customer = client.v1.customers.create({}).id
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.attach(token, {"customer": customer})
    assert (refused.value.code, refused.value.error.decline_code) == (code, decline_code)
    intent = client.v1.setup_intents.create({"customer": customer, "allowed_payment_method_types": ["card"]})
    with pytest.raises(stripe.CardError) as refused:
        client.v1.setup_intents.confirm(intent.id, {"payment_method": token})
    assert refused.value.http_status == 402
    assert refused.value.error.setup_intent.status == "requires_payment_method"
    kept = client.v1.setup_intents.retrieve(intent.id)
    assert (kept.last_setup_error.code, kept.payment_method) == (code, None)
    assert client.v1.payment_methods.list({"customer": customer}).data == []
    assert (
        client.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}).status == "succeeded"
    )


def test_a_decline_is_told_completely_and_leaves_the_intent_open(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card("pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as declined:
        charge(customer, method)
    error = declined.value.error
    assert (error.code, error.decline_code, error.advice_code) == (
        "card_declined",
        "generic_decline",
        "try_again_later",
    )
    assert error.payment_method.id == method
    intent = client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert (intent.last_payment_error.code, intent.latest_charge) == ("card_declined", error.charge)
    failed = client.v1.charges.retrieve(error.charge)
    assert (failed.status, failed.paid, failed.failure_code) == ("failed", False, "card_declined")
    assert failed.outcome.type == "issuer_declined"
    again = client.v1.payment_intents.confirm(
        intent.id,
        {"payment_method": client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id},
    )
    assert (again.status, again.last_payment_error) == ("succeeded", None)
    assert again.latest_charge != failed.id


def test_a_card_that_always_wants_authentication_fails_off_session_and_passes_on_session(
    sandbox: Handle, client: stripe.StripeClient
) -> None:
    customer = client.v1.customers.create({}).id
    setup = client.v1.setup_intents.create(
        {
            "customer": customer,
            "allowed_payment_method_types": ["card"],
            "confirm": True,
            "payment_method": "pm_card_authenticationRequired",
        }
    )
    assert (setup.status, setup.next_action.type) == ("requires_action", "use_stripe_sdk")
    sandbox.authenticate(setup.id, setup.client_secret)
    setup = client.v1.setup_intents.retrieve(setup.id)
    assert setup.status == "succeeded"
    intent = client.v1.payment_intents.create(
        {"amount": 700, "currency": "usd", "customer": customer, "allowed_payment_method_types": ["card"]}
    )
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.confirm(
            intent.id, {"payment_method": setup.payment_method, "off_session": True}
        )
    assert declined.value.code == "authentication_required"
    assert declined.value.error.decline_code == "authentication_required"
    present = client.v1.payment_intents.confirm(intent.id, {"payment_method": setup.payment_method})
    assert present.status == "requires_action"
    sandbox.authenticate(intent.id, intent.client_secret)
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    with pytest.raises(ValueError, match="not waiting for authentication"):
        sandbox.authenticate(intent.id, intent.client_secret)


def test_authentication_that_fails_is_told(sandbox: Handle, client: stripe.StripeClient) -> None:
    setup = client.v1.setup_intents.create(
        {
            "allowed_payment_method_types": ["card"],
            "confirm": True,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "return_url": "https://shop.example/back",
        }
    )
    assert setup.next_action.redirect_to_url.return_url == "https://shop.example/back"
    with pytest.raises(ValueError, match="no such authentication"):
        sandbox.authenticate(setup.id, "seti_wrong_secret_wrong")
    sandbox.authenticate(setup.id, setup.client_secret, passed=False)
    setup = client.v1.setup_intents.retrieve(setup.id)
    assert (setup.status, setup.last_setup_error.code) == (
        "requires_payment_method",
        "setup_intent_authentication_failure",
    )


@pytest.mark.parametrize(
    ("token", "decline_code"),
    [
        ("pm_card_authenticationRequiredOnSetup", None),
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_cards_that_authenticate_when_saved(
    sandbox: Handle, client: stripe.StripeClient, charge: Charge, token: str, decline_code: str | None
) -> None:
    customer = client.v1.customers.create({}).id
    setup = client.v1.setup_intents.create(
        {
            "customer": customer,
            "allowed_payment_method_types": ["card"],
            "confirm": True,
            "payment_method": token,
        }
    )
    sandbox.authenticate(setup.id, setup.client_secret)
    method = client.v1.setup_intents.retrieve(setup.id).payment_method
    if decline_code is None:
        assert charge(customer, method).status == "succeeded"
        return
    with pytest.raises(stripe.CardError) as declined:
        charge(customer, method)
    assert declined.value.error.decline_code == decline_code


def test_a_blocked_payment_never_reached_the_bank(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    with pytest.raises(stripe.CardError) as blocked:
        charge(*saved_card("pm_card_radarBlock"))
    assert (blocked.value.code, blocked.value.error.decline_code) == ("card_declined", "fraudulent")
    outcome = client.v1.charges.retrieve(blocked.value.error.charge).outcome
    assert (outcome.type, outcome.network_status) == ("blocked", "not_sent_to_network")


def test_scripted_outcomes_come_in_order_and_then_end(
    sandbox: Handle, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    sandbox.card(
        method,
        outcomes=[
            {"decline_code": "insufficient_funds", "times": 2},
            {"code": "expired_card"},
            {"outcome": "succeed"},
            {"code": "card_declined", "decline_code": "do_not_honor", "advice_code": "do_not_try_again"},
        ],
    )
    seen = []
    for _ in range(6):
        try:
            seen.append(charge(customer, method).status)
        except stripe.CardError as error:
            seen.append(f"{error.code}/{error.error.decline_code}/{error.error.advice_code}")
    assert seen == [
        "card_declined/insufficient_funds/try_again_later",
        "card_declined/insufficient_funds/try_again_later",
        "expired_card/expired_card/confirm_card_data",
        "succeeded",
        "card_declined/do_not_honor/do_not_try_again",
        "succeeded",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcomes": [{"colour": "red"}]},
        {"outcomes": ["no"]},
        {"size": 3},
        {"outcomes": [{"outcome": "maybe"}]},
        {"exp_year": "soon"},
    ],
)
def test_a_script_that_makes_no_sense_is_refused(
    sandbox: Handle, saved_card: Saved, wrong: dict[str, object]
) -> None:
    _, method = saved_card()
    with pytest.raises(ValueError, match="error"):
        sandbox.card(method, **wrong)


def test_a_card_expires_when_the_clock_passes_its_date(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    sandbox.set_clock("2031-05-15T00:00:00+00:00")
    sandbox.card(method, exp_month=5, exp_year=2031)
    assert charge(customer, method).status == "succeeded"
    sandbox.set_clock("2031-06-01T00:00:01+00:00")
    with pytest.raises(stripe.CardError) as declined:
        charge(customer, method)
    assert declined.value.code == "expired_card"


def test_the_issuer_replaces_a_card(sandbox: Handle, client: stripe.StripeClient, saved_card: Saved) -> None:
    _, method = saved_card()
    sandbox.card(method, exp_month=12, exp_year=2040, last4="1111")
    updated = client.v1.events.list({"type": "payment_method.automatically_updated"}).data[0]
    assert updated.data.previous_attributes["card"]["last4"] == "4242"
    assert client.v1.payment_methods.retrieve(method).card.last4 == "1111"


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"number": "4242424242424241", "exp_month": 1, "exp_year": 2044}, "incorrect_number"),
        ({"number": "4242", "exp_month": 1, "exp_year": 2044}, "invalid_number"),
        ({"number": "4242424242424242", "exp_month": 13, "exp_year": 2044}, "invalid_expiry_month"),
        ({"number": "4242424242424242", "exp_month": 1, "exp_year": 2020}, "invalid_expiry_year"),
        ({"number": "4242424242424242", "exp_month": 1, "exp_year": 2044, "cvc": "1"}, "invalid_cvc"),
    ],
)
def test_numbers_and_dates_that_cannot_be(
    client: stripe.StripeClient, card: dict[str, object], code: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("number", "first", "then"),
    [("4000000000007726", "pending", "succeeded"), ("4000000000005126", "succeeded", "failed")],
)
def test_refunds_that_are_late_or_fail(
    *, sandbox: Handle, client: stripe.StripeClient, charge: Charge, number: str, first: str, then: str
) -> None:
    customer = client.v1.customers.create({}).id
    card = {"number": number, "exp_month": 1, "exp_year": 2044, "cvc": "123"}
    made = client.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
    client.v1.payment_methods.attach(made.id, {"customer": customer})
    paid = charge(customer, made.id)
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    assert refund.status == first
    sandbox.advance(60)
    sandbox.wait_until_idle()
    assert client.v1.refunds.retrieve(refund.id).status == then
    assert client.v1.charges.retrieve(paid.latest_charge).refunded is (then == "succeeded")
