"""Events and their delivery: signed, retried, to those who listen, in the SDK's eyes genuine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sandbox.handle import Handle
from stripe_sandbox.settings import API_VERSION

from .receiver import Receiver

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]


def told(receiver: Receiver) -> list[str]:
    return [json.loads(body)["type"] for _, body in receiver.received]


def test_a_payment_tells_its_whole_story(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    paid = charge(customer, method)
    client.v1.refunds.create({"payment_intent": paid.id})
    sandbox.advance(10)
    sandbox.wait_for_deliveries()
    assert sorted(told(receiver)) == sorted(
        [
            "customer.created",
            "setup_intent.created",
            "payment_method.attached",
            "setup_intent.succeeded",
            "payment_intent.created",
            "payment_intent.succeeded",
            "charge.succeeded",
            "charge.updated",
            "refund.created",
            "charge.refunded",
        ]
    )
    for signature, body in receiver.received:
        event = stripe.Webhook.construct_event(body, signature, sandbox.webhook_secret)
        assert event.api_version == "2026-10-28.endive"
        kept = client.v1.events.retrieve(event.id)
        assert (kept.type, kept.pending_webhooks) == (event.type, 0)


def test_an_event_names_the_request_that_caused_it(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create({}, {"idempotency_key": "because"})
    event = client.v1.events.list().data[0]
    assert event.request.id == made.last_response.headers["request-id"]
    assert event.request.idempotency_key == "because"
    client.v1.customers.update(made.id, {"name": "New"})
    assert client.v1.events.list().data[0].data.previous_attributes.to_dict() == {"name": None}


def test_a_wrong_secret_does_not_verify(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    client.v1.customers.create({})
    sandbox.wait_for_deliveries()
    signature, body = receiver.received[0]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(
            body.replace(b"customer", b"costumer"), signature, sandbox.webhook_secret
        )


def test_a_failed_delivery_is_tried_again_and_signed_anew(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.answers = [500, 302]
    client.v1.customers.create({})
    found = sandbox.wait_for_deliveries()
    assert [attempt["status"] for attempt in found[0]["attempts"]] == [500, 302, 200]
    assert len({body for _, body in receiver.received}) == 1
    for signature, body in receiver.received:
        stripe.Webhook.construct_event(body, signature, sandbox.webhook_secret)


def test_after_the_last_try_the_event_can_be_found_and_delivered_by_hand(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.answers = [500, 500, 500]
    client.v1.customers.create({})
    assert sandbox.wait_for_deliveries()[0]["state"] == "failed"
    client.v1.customers.create({})
    sandbox.wait_for_deliveries()
    lost = client.v1.events.list({"delivery_success": False}).data
    assert len(lost) == 1
    assert len(client.v1.events.list({"delivery_success": True}).data) == 1
    sandbox.redeliver(lost[0].id)
    sandbox.wait_for_deliveries()
    assert [json.loads(body)["id"] for _, body in receiver.received].count(lost[0].id) == 4
    with pytest.raises(ValueError, match="no event"):
        sandbox.redeliver("evt_unknown")


def test_an_endpoint_hears_only_what_it_asked_for(sandbox: Handle, client: stripe.StripeClient) -> None:
    with Receiver() as cards, Receiver() as money:
        first = client.v1.webhook_endpoints.create(
            {"url": cards.url, "enabled_events": ["payment_method.attached"]}
        )
        second = client.v1.webhook_endpoints.create(
            {"url": money.url, "enabled_events": ["payment_intent.created"]}
        )
        customer = client.v1.customers.create({}).id
        client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
        client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
        sandbox.wait_for_deliveries()
        assert (told(cards), told(money)) == (["payment_method.attached"], ["payment_intent.created"])
        stripe.Webhook.construct_event(cards.received[0][1], cards.received[0][0], first.secret)
        client.v1.webhook_endpoints.update(first.id, {"disabled": True})
        client.v1.webhook_endpoints.delete(second.id)
        client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
        client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
        sandbox.wait_for_deliveries()
        assert (len(cards.received), len(money.received)) == (1, 1)
    assert [one.id for one in client.v1.webhook_endpoints.list().data] == [first.id]
    assert client.v1.webhook_endpoints.retrieve(first.id).to_dict().get("secret") is None
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.webhook_endpoints.create({"url": "nowhere", "enabled_events": ["*"]})
    assert refused.value.param == "url"


def test_an_endpoint_that_is_switched_off_is_not_told_of_what_waited(
    sandbox: Handle, client: stripe.StripeClient
) -> None:
    with Receiver() as receiver:
        made = client.v1.webhook_endpoints.create(
            {"url": receiver.url, "enabled_events": ["customer.created"]}
        )
        sandbox.chaos(delay=3600)
        client.v1.customers.create({})
        client.v1.webhook_endpoints.update(made.id, {"disabled": True})
        sandbox.advance(3601)
        (delivery,) = sandbox.wait_for_deliveries()
        assert (delivery["state"], delivery["attempts"], receiver.received) == ("failed", [], [])
        (lost,) = client.v1.events.list({"delivery_success": False}).data
        client.v1.webhook_endpoints.update(made.id, {"disabled": False})
        sandbox.redeliver(lost.id)
        sandbox.wait_for_deliveries()
        assert told(receiver) == ["customer.created"]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"enabled_events": ["charge.suceeded"]}, "enabled_events[0]"),
        ({"enabled_events": ["charge.failed", "charge.*"]}, "enabled_events[1]"),
        ({"enabled_events": []}, "enabled_events"),
        ({"api_version": "2025-09-30.clover"}, "api_version"),
        ({"url": "nowhere"}, "url"),
    ],
)
def test_an_endpoint_that_would_hear_nothing_it_understands_is_refused(
    client: stripe.StripeClient, wrong: dict[str, Any], param: str
) -> None:
    good: dict[str, Any] = {"url": "http://127.0.0.1:9/", "enabled_events": ["*"], "api_version": API_VERSION}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.webhook_endpoints.create({**good, **wrong})  # type: ignore[typeddict-item]
    assert refused.value.param == param
    assert client.v1.webhook_endpoints.create(good).api_version == API_VERSION  # type: ignore[arg-type]


def test_there_are_at_most_sixteen_endpoints(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    """The one of the flags among them, which may be put elsewhere: more would not be told."""
    for _ in range(15):
        client.v1.webhook_endpoints.create(
            {"url": "http://127.0.0.1:9/", "enabled_events": ["charge.failed"]}
        )
    with pytest.raises(stripe.InvalidRequestError, match="maximum of 16"):
        client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    sandbox.set_webhook("http://127.0.0.1:9/")
    sandbox.set_webhook(None)
    client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    with pytest.raises(ValueError, match="maximum of 16"):
        sandbox.set_webhook("http://127.0.0.1:9/")


def test_events_are_listed_by_type(client: stripe.StripeClient, saved_card: Saved) -> None:
    saved_card()
    names = [event.type for event in client.v1.events.list({"type": "setup_intent.*"}).data]
    assert names == ["setup_intent.succeeded", "setup_intent.created"]
    some = client.v1.events.list({"types": ["customer.created", "payment_method.attached"]}).data
    assert {event.type for event in some} == {"customer.created", "payment_method.attached"}
    since = client.v1.events.list().data[0].created
    assert client.v1.events.list({"created": {"gt": since + 1000}}).data == []


def test_old_events_are_gone_after_thirty_days(sandbox: Handle, client: stripe.StripeClient) -> None:
    client.v1.customers.create({})
    sandbox.advance(31 * 86400)
    assert client.v1.events.list().data == []


def test_a_dead_endpoint_does_not_hold_up_the_api(sandbox: Handle, client: stripe.StripeClient) -> None:
    sandbox.set_webhook("http://127.0.0.1:9/")
    client.v1.customers.create({})
    found = sandbox.wait_for_deliveries()
    assert found[0]["state"] == "failed"
    assert "refused" in found[0]["attempts"][0]["error"].lower()
