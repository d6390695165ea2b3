"""Refunds that are late, fail or are refused, with their events and their lines in the books."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stripe

from stripe_sandbox.handle import Handle

from .sdk_types import response_errors

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]


@pytest.fixture
def paid_with(client: stripe.StripeClient, charge: Charge) -> Callable[[str], stripe.PaymentIntent]:
    """Pay with a card of this number."""

    def pay(number: str) -> stripe.PaymentIntent:
        customer = client.v1.customers.create({}).id
        card = {"number": number, "exp_month": 1, "exp_year": 2044, "cvc": "123"}
        made = client.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
        client.v1.payment_methods.attach(made.id, {"customer": customer})
        return charge(customer, made.id)

    return pay


def told(client: stripe.StripeClient) -> list[str]:
    """The events about refunds, oldest first."""
    kinds = ["refund.*", "charge.refunded", "charge.updated"]
    return [event.type for event in client.v1.events.list({"types": kinds, "limit": 100}).data][::-1]


def test_a_refund_that_arrives_later(
    sandbox: Handle,
    client: stripe.StripeClient,
    paid_with: Callable[[str], stripe.PaymentIntent],
) -> None:
    paid = paid_with("4000000000007726")
    sandbox.advance(3)
    refund = client.v1.refunds.create({"payment_intent": paid.id, "amount": 2000})
    assert refund.status == "pending"
    assert client.v1.charges.retrieve(str(paid.latest_charge)).amount_refunded == 2000
    assert told(client) == ["charge.updated", "refund.created", "charge.refunded"]
    sandbox.advance(10)
    done = client.v1.refunds.retrieve(refund.id)
    assert (done.status, response_errors(done.to_dict(), stripe.Refund)) == ("succeeded", [])
    (event,) = client.v1.events.list({"type": "refund.updated"}).data
    assert event.data.previous_attributes.to_dict() == {"status": "pending"}
    assert len(client.v1.balance_transactions.list({"type": "refund"}).data) == 1


def test_a_refund_that_comes_back(
    sandbox: Handle,
    client: stripe.StripeClient,
    paid_with: Callable[[str], stripe.PaymentIntent],
) -> None:
    paid = paid_with("4000000000005126")
    sandbox.advance(3)
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    assert refund.status == "succeeded"
    assert client.v1.charges.retrieve(str(paid.latest_charge)).refunded
    sandbox.advance(10)
    failed = client.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    line = failed.failure_balance_transaction
    assert (line.type, line.amount, line.net, line.source) == ("refund_failure", 5000, 5000, refund.id)
    assert told(client) == [
        "charge.updated",
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "refund.failed",
        "charge.updated",
    ]
    charged = client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charged.refunded, charged.amount_refunded) == (False, 0)
    lines = client.v1.balance_transactions.list({"source": refund.id}).data
    assert sorted(one.net for one in lines) == [-5000, 5000]
    assert client.v1.refunds.create({"payment_intent": paid.id, "amount": 5000}).amount == 5000


def test_a_cards_refund_cannot_be_canceled(
    client: stripe.StripeClient, paid_with: Callable[[str], stripe.PaymentIntent]
) -> None:
    for number, status in (("4000000000007726", "pending"), ("4242424242424242", "succeeded")):
        refund = client.v1.refunds.create({"payment_intent": paid_with(number).id})
        with pytest.raises(stripe.InvalidRequestError, match=f"a status of {status}"):
            client.v1.refunds.cancel(refund.id)
        assert client.v1.refunds.retrieve(refund.id).status == status


def test_what_was_not_paid_cannot_be_refunded(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        charge(*saved_card("pm_card_chargeCustomerFail"))
    error = declined.value.error
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": error.payment_intent.id})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be refunded"):
        client.v1.refunds.create({"charge": error.charge})
    for params, code in (({}, "parameter_missing"), ({"charge": "ch_none"}, "resource_missing")):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.refunds.create(params)  # type: ignore[arg-type]
        assert refused.value.code == code
    assert client.v1.refunds.list().data == []
