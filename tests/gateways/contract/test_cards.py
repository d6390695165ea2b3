"""What test cards do (docs.stripe.com/testing): whoever asks for money must find them so at Stripe, too."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from callbill.domain.payments.gateway import Declined, IntentStatus

from .conftest import Place
from .test_contract import paid

CARDS = {"allowed_payment_method_types": ["card"]}
MONEY = {"amount": 5000, "currency": "usd", **CARDS}


def setup(place: Place, customer: str, card: str, **more: Any) -> Any:
    """A SetupIntent, confirmed."""
    given = {"customer": customer, "payment_method": card, "confirm": True, **CARDS, **more}
    return place.sdk.setup_intents.create(given)


def pay(place: Place, customer: str, card: str, **more: Any) -> Any:
    """A PaymentIntent, confirmed with the cardholder present unless `more` says otherwise."""
    given = {"customer": customer, "payment_method": card, "confirm": True, **MONEY, **more}
    return place.sdk.payment_intents.create(given)


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_some_cards_are_refused_when_they_are_saved(
    place: Place, token: str, code: str, decline_code: str | None
) -> None:
    customer = place.customer()
    with pytest.raises(stripe.CardError) as attached:
        place.sdk.payment_methods.attach(token, {"customer": customer})
    with pytest.raises(stripe.CardError) as confirmed:
        setup(place, customer, token)
    for refused in (attached.value, confirmed.value):
        assert (refused.http_status, refused.code) == (402, code)
        assert decline_code in (None, refused.error.decline_code)
    assert place.gateway.cards(customer=customer) == ()
    # What Stripe.js shows and the product reads later stands in the body and in the intent.
    told = confirmed.value.error.setup_intent
    assert (told.status, told.payment_method) == ("requires_payment_method", None)
    kept = place.sdk.setup_intents.retrieve(told.id).last_setup_error
    assert (kept.code, kept.type, kept.payment_method.object) == (code, "card_error", "payment_method")


def test_a_card_to_be_authenticated_once_is_refused_unless_it_was(place: Place) -> None:
    customer = place.customer()
    card = place.card(customer, "pm_card_authenticationRequiredOnSetup")
    with pytest.raises(Declined) as refused:
        paid(place, customer, card)
    assert refused.value.codes.code == "authentication_required"
    asked = setup(place, customer, "pm_card_authenticationRequiredOnSetup")
    assert (asked.status, asked.next_action.type) == ("requires_action", "use_stripe_sdk")
    if place.control:  # at Stripe only a browser can answer for the cardholder
        place.control.authenticate(asked.id, asked.client_secret)
        known = place.sdk.setup_intents.retrieve(asked.id).payment_method
        assert paid(place, customer, known, "i2").status is IntentStatus.SUCCEEDED


def test_a_card_set_up_for_later_is_charged_later_and_asks_who_is_there(place: Place) -> None:
    customer = place.customer()
    done = setup(place, customer, "pm_card_authenticationRequiredSetupForOffSession")
    assert done.status == "succeeded"
    assert paid(place, customer, done.payment_method).status is IntentStatus.SUCCEEDED
    asked = pay(place, customer, done.payment_method)
    assert (asked.status, asked.next_action.type) == ("requires_action", "use_stripe_sdk")


def test_a_refund_may_come_back(place: Place) -> None:
    customer = place.customer()
    made = paid(place, customer, place.card(customer, "pm_card_refundFail"))
    refund = place.sdk.refunds.create({"charge": made.latest_charge})
    assert refund.status == "succeeded"

    def failed() -> Any:
        again = place.sdk.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
        return again if again.status == "failed" else None

    back = place.eventually(failed)
    assert back.failure_balance_transaction.type == "refund_failure"
    assert place.sdk.charges.retrieve(made.latest_charge).refunded is False


def test_a_payment_that_is_blocked_is_told_as_fraudulent(place: Place) -> None:
    """Or with the code `fraud`, as one page of Stripe's documentation says: to be asked of Stripe."""
    customer = place.customer()
    card = place.card(customer, "pm_card_radarBlock")
    with pytest.raises(stripe.CardError) as blocked:
        pay(place, customer, card, off_session=True)
    assert (blocked.value.code, blocked.value.error.decline_code) == ("card_declined", "fraudulent")
    outcome = place.sdk.charges.retrieve(blocked.value.error.charge).outcome
    assert (outcome.type, outcome.reason) == ("blocked", "highest_risk_level")


def test_a_card_pays_for_its_own_customer_only(place: Place) -> None:
    owner, other = place.customer(), place.sdk.customers.create({"name": "Other"}).id
    card = place.card(owner)
    for customer in ({"customer": other}, {}):
        given = {**MONEY, **customer, "payment_method": card, "confirm": True}
        with pytest.raises(stripe.InvalidRequestError) as refused:
            place.sdk.payment_intents.create(given)
        assert (refused.value.http_status, refused.value.param) == (400, "payment_method")
    with pytest.raises(stripe.InvalidRequestError):
        setup(place, other, card)


def test_a_payment_that_is_over_says_so_by_code_and_shows_itself(place: Place) -> None:
    customer = place.customer()
    card = place.card(customer)
    done = paid(place, customer, card).reference
    gone = place.sdk.payment_intents.create(MONEY).id
    place.sdk.payment_intents.cancel(gone)
    intents = place.sdk.payment_intents
    for ask, over, status in (
        (lambda: intents.confirm(done, {"payment_method": card}), done, "succeeded"),
        (lambda: intents.cancel(done), done, "succeeded"),
        (lambda: intents.update(done, {"amount": 900}), done, "succeeded"),
        (lambda: intents.confirm(gone, {"payment_method": card}), gone, "canceled"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            ask()
        error = refused.value.error
        assert (refused.value.http_status, error.code) == (400, "payment_intent_unexpected_state")
        assert (error.payment_intent.id, error.payment_intent.status) == (over, status)


def test_ids_are_expanded_to_what_they_name(place: Place) -> None:
    customer = place.customer()
    made = paid(place, customer, place.card(customer))
    paths = ["customer", "payment_method", "latest_charge.payment_intent"]
    shown = place.sdk.payment_intents.retrieve(made.reference, {"expand": paths})
    assert (shown.customer.id, shown.payment_method.object) == (customer, "payment_method")
    assert shown.latest_charge.payment_intent.id == made.reference
    listed = place.sdk.payment_intents.list({"customer": customer, "expand": ["data.customer"]})
    assert [each.customer.id for each in listed.data] == [customer]
    for wrong in ("amount", "shoe_size", "customer.default_source.customer.default_source.customer"):
        with pytest.raises(stripe.InvalidRequestError):
            place.sdk.payment_intents.retrieve(made.reference, {"expand": [wrong]})
