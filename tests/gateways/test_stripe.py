"""The Stripe gateway: its settings, the parameters it sends, errors in our words. Against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from django.db import transaction

from callbill.domain.payments.gateway import (
    BadSignature,
    Declined,
    IntentStatus,
    NotAccepted,
    OurMistake,
    OutcomeUnknown,
    RefundStatus,
    TooSmall,
    TryLater,
)
from callbill.gateways.stripe import _client
from callbill.gateways.stripe._views import from_stripe, to_stripe
from callbill.gateways.stripe.gateway import StripeGateway
from callbill.lib.transactions import TransactionOpen
from callbill.rules.money import Money
from stripe_sandbox.handle import Handle
from stripe_sandbox.server import running

FIFTY = Money(50_00, "USD")


@pytest.fixture(scope="module")
def one_sandbox() -> Iterator[Handle]:
    with running() as handle:
        yield handle


@pytest.fixture
def sandbox(one_sandbox: Handle, settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> Handle:
    one_sandbox.reset()
    settings.STRIPE_API_BASE = one_sandbox.url
    settings.STRIPE_SECRET_KEY = one_sandbox.secret_key
    settings.STRIPE_PUBLISHABLE_KEY = one_sandbox.publishable_key
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.02)
    return one_sandbox


@pytest.fixture
def gateway(sandbox: Handle) -> StripeGateway:
    return StripeGateway()


@pytest.fixture
def customer(gateway: StripeGateway) -> str:
    return gateway.create_customer(name="Acme Dental", metadata={"payer": "p1"}, key="cus:1")


def save_card(gateway: StripeGateway, customer: str, token: str = "pm_card_visa") -> str:
    setup = gateway.start_card_setup(customer=customer, metadata={"setup": "s1"}, key=f"seti:{token}")
    assert (setup.status, setup.card, setup.setup_id) == (IntentStatus.WAITING, None, "s1")
    gateway._client.v1.setup_intents.confirm(setup.reference, {"payment_method": token})
    done = gateway.card_setup_result(reference=setup.reference)
    assert done.status is IntentStatus.SUCCEEDED
    assert done.card is not None
    assert done.card.customer == customer
    return done.card.reference


def intent(gateway: StripeGateway, customer: str, amount: Money = FIFTY, key: str = "pi:1") -> str:
    view = gateway.create_intent(
        customer=customer,
        amount=amount,
        description="Invoice CIC-1",
        statement_suffix="CALLS",
        metadata={"intent": key},
        key=key,
    )
    assert (view.status, view.amount, view.latest_charge) == (IntentStatus.WAITING, amount, "")
    return view.reference


def test_a_charge_from_card_form_to_money(gateway: StripeGateway, customer: str, sandbox: Handle) -> None:
    card = save_card(gateway, customer)
    reference = intent(gateway, customer)
    done = gateway.confirm(reference=reference, card=card, key="att:1")
    assert (done.status, done.received) == (IntentStatus.SUCCEEDED, FIFTY)
    charge = gateway._client.v1.charges.retrieve(done.latest_charge)
    assert charge.statement_descriptor_suffix == "CALLS"
    assert gateway.fetch_intent(reference=reference) == done
    assert gateway.find_intent(customer=customer, intent_id="pi:1") == done
    assert gateway.find_intent(customer=customer, intent_id="pi:2") is None
    # A paid payment cannot be charged again, whatever the key: what it is now has to be looked at.
    with pytest.raises(OutcomeUnknown):
        gateway.confirm(reference=reference, card=card, key="att:2")
    # Every POST went out under a key of ours.
    keys = [row["idempotency_key"] for row in sandbox.log() if row["method"] == "POST"]
    assert {"cus:1", "pi:1", "att:1", "att:2"} <= set(keys)
    assert None not in keys


def test_the_same_key_never_does_it_twice(gateway: StripeGateway, customer: str) -> None:
    assert gateway.create_customer(name="Acme Dental", metadata={"payer": "p1"}, key="cus:1") == customer
    assert intent(gateway, customer) == intent(gateway, customer)
    with pytest.raises(OurMistake):
        intent(gateway, customer, Money(60_00, "USD"))


def test_a_decline_comes_with_its_codes_and_the_payment(gateway: StripeGateway, customer: str) -> None:
    card = save_card(gateway, customer, "pm_card_chargeCustomerFail")
    reference = intent(gateway, customer)
    with pytest.raises(Declined) as declined:
        gateway.confirm(reference=reference, card=card, key="att:1")
    codes, view = declined.value.codes, declined.value.view
    assert (codes.code, codes.decline_code) == ("card_declined", "generic_decline")
    assert codes.advice_code == "try_again_later"
    assert view is not None
    assert view.status is IntentStatus.WAITING
    assert view.latest_charge.startswith("ch_")
    assert gateway.fetch_intent(reference=reference).refusal == codes


def test_amounts_change_and_payments_are_given_up(gateway: StripeGateway, customer: str) -> None:
    reference = intent(gateway, customer)
    changed = gateway.change_amount(reference=reference, amount=Money(40_00, "USD"), key="amount:1")
    assert changed.amount == Money(40_00, "USD")
    assert gateway.cancel_intent(reference=reference, key="cancel:1").status is IntentStatus.CANCELED
    with pytest.raises(OutcomeUnknown):
        gateway.change_amount(reference=reference, amount=FIFTY, key="amount:2")


def test_cards_are_listed_and_detached_once_or_twice(gateway: StripeGateway, customer: str) -> None:
    card = save_card(gateway, customer)
    assert [c.reference for c in gateway.cards(customer=customer)] == [card]
    gateway.detach_card(reference=card, key="detach:1")
    gateway.detach_card(reference=card, key="detach:2")
    assert gateway.cards(customer=customer) == ()
    assert gateway.card(reference=card).customer == ""


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("reset_mid_body", OutcomeUnknown),
        ("500_after", OutcomeUnknown),
        ("500_before", OutcomeUnknown),
        ("503", OutcomeUnknown),
        ("html", OutcomeUnknown),
        ("429", TryLater),
        ("409", TryLater),
        ("lock_timeout", TryLater),
    ],
)
def test_faults_in_our_words(
    gateway: StripeGateway, customer: str, sandbox: Handle, action: str, error: type[Exception]
) -> None:
    sandbox.fault(action, path="/v1/payment_intents$", method="POST", times=5)
    with pytest.raises(error) as raised:
        intent(gateway, customer)
    assert type(raised.value) is error
    assert sandbox.secret_key not in str(raised.value)


def test_a_timeout_is_an_unknown_outcome(
    sandbox: Handle, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_client, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(_client, "NETWORK_RETRIES", 0)
    sandbox.fault("timeout_after", path="/v1/payment_intents$", method="POST")
    impatient = StripeGateway()
    with pytest.raises(OutcomeUnknown):
        intent(impatient, customer)
    assert impatient.find_intent(customer=customer, intent_id="pi:1") is not None


def test_mistakes_of_ours(gateway: StripeGateway, customer: str) -> None:
    with pytest.raises(OurMistake):
        gateway.fetch_intent(reference="pi_unknown")
    with pytest.raises(OurMistake):
        intent(gateway, "cus_unknown", key="pi:x")
    with pytest.raises(TooSmall):
        intent(gateway, customer, Money(49, "USD"), key="pi:small")


@pytest.mark.parametrize(
    ("secret", "base", "words"),
    [
        ("", None, "No Stripe key is configured"),
        ("sk_live_abc", None, "live key, but STRIPE_API_BASE"),
        ("rk_live_abc", None, "live key, but STRIPE_API_BASE"),
        ("sk_nonsense", None, "key"),
    ],
)
def test_keys_that_are_not_accepted(
    gateway: StripeGateway, settings: Any, secret: str, base: str | None, words: str
) -> None:
    settings.STRIPE_SECRET_KEY = secret
    with pytest.raises(NotAccepted, match=f"(?i){words}"):
        gateway.create_customer(name="Acme", metadata={}, key="cus:1")


def test_the_card_page_needs_a_publishable_key(gateway: StripeGateway, settings: Any) -> None:
    assert gateway.page_settings().publishable_key == "pk_test_sandbox"
    settings.STRIPE_PUBLISHABLE_KEY = ""
    with pytest.raises(NotAccepted, match="STRIPE_PUBLISHABLE_KEY"):
        gateway.page_settings()


@pytest.mark.django_db(transaction=True)
def test_nobody_talks_to_stripe_inside_a_transaction(gateway: StripeGateway) -> None:
    with transaction.atomic(), pytest.raises(TransactionOpen):
        gateway.fetch_intent(reference="pi_1")
    now = datetime.now(UTC)
    with transaction.atomic(), pytest.raises(BadSignature):
        gateway.verify_event(payload=b"{}", signature="", now=now)


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        (Money(1234, "USD"), 1234),
        (Money(1234, "JPY"), 1234),
        (Money(1234, "ISK"), 123400),
        (Money(5, "UGX"), 500),
        (Money(1230, "KWD"), 1230),
    ],
)
def test_stripes_own_minor_units(amount: Money, units: int) -> None:
    assert to_stripe(amount) == units
    assert from_stripe(units, amount.currency.lower()) == amount


def test_a_sum_that_no_card_can_pay_exactly() -> None:
    with pytest.raises(OurMistake, match="last decimal"):
        to_stripe(Money(1234, "KWD"))


def test_a_refund_is_made_once_under_its_key_and_found_by_our_id(
    gateway: StripeGateway, sandbox: Handle, customer: str
) -> None:
    view = gateway.create_intent(
        customer=customer,
        amount=FIFTY,
        description="d",
        statement_suffix="",
        metadata={"intent": "i1"},
        key="r:1",
    )
    attached = gateway._client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    paid = gateway.confirm(reference=view.reference, card=attached.id, key="r:2")
    ten = Money(10_00, "USD")
    asked = {"charge": paid.latest_charge, "amount": ten, "metadata": {"refund": "r1"}, "key": "refund:r1"}
    first, again = gateway.refund(**asked), gateway.refund(**asked)
    assert first == again
    assert (first.status, first.amount, first.refund_id) == (RefundStatus.SUCCEEDED, ten, "r1")
    assert gateway.find_refund(intent=view.reference, refund_id="r1") == first
    assert gateway.find_refund(intent=view.reference, refund_id="other") is None
    assert gateway.fetch_refund(reference=first.reference) == first
    with pytest.raises(OurMistake, match="greater than unrefunded"):
        gateway.refund(charge=paid.latest_charge, amount=FIFTY, metadata={}, key="refund:r2")
