"""What happened, asked for: by kind, by time, by whether it was delivered, for thirty days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sandbox.handle import Handle

from .receiver import Receiver

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]
DAY = 86400


def types(client: stripe.StripeClient, **params: Any) -> list[str]:
    """The kinds of the events found, newest first, over as many pages as it takes."""
    return [event.type for event in client.v1.events.list(params).auto_paging_iter()]  # type: ignore[arg-type]


def test_events_are_found_by_kind_and_group(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card())
    client.v1.refunds.create({"payment_intent": paid.id})
    everything = types(client)
    assert types(client, type="refund.created") == ["refund.created"]
    groups = types(client, type="payment_intent.*", limit=1)
    assert groups == ["payment_intent.succeeded", "payment_intent.created"]
    several = types(client, types=["charge.refunded", "charge.succeeded", "payment_intent.*"], limit=2)
    assert several == [
        name for name in everything if name in {*groups, "charge.refunded", "charge.succeeded"}
    ]
    assert types(client, type="*") == everything
    assert types(client, type="invoice.paid") == []
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        types(client, type="charge.failed", types=["charge.failed"])


def test_events_page_backwards_over_several_kinds(client: stripe.StripeClient) -> None:
    for number in range(4):
        made = client.v1.customers.create({"name": str(number)})
        client.v1.customers.update(made.id, {"name": f"{number}!"})
    everything = [event.id for event in client.v1.events.list({"type": "customer.*"}).data]
    assert len(everything) == 8
    page = client.v1.events.list({"type": "customer.*", "ending_before": everything[5], "limit": 3})
    assert [event.id for event in page.data] == everything[2:5]
    assert page.has_more


def test_events_are_found_by_time(sandbox: Handle, client: stripe.StripeClient) -> None:
    client.v1.customers.create({"name": "early"})
    sandbox.advance(3600)
    late = client.v1.customers.create({"name": "late"})
    found = client.v1.events.list({"created": {"gte": late.created}, "type": "customer.created"}).data
    assert [event.data.object["name"] for event in found] == ["late"]
    found = client.v1.events.list({"created": {"lt": late.created}}).data
    assert [event.data.object["name"] for event in found] == ["early"]


def test_events_that_were_not_delivered_are_found_until_they_are(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.answers = [500, 500, 500]
    client.v1.customers.create({"name": "lost"})
    sandbox.wait_for_deliveries()
    client.v1.customers.create({"name": "delivered"})
    sandbox.wait_for_deliveries()
    (missed,) = client.v1.events.list({"delivery_success": False}).data
    assert missed.data.object["name"] == "lost"
    assert missed.pending_webhooks == 1
    (fine,) = client.v1.events.list({"delivery_success": True}).data
    assert fine.data.object["name"] == "delivered"
    assert client.v1.events.list({"delivery_success": False, "type": "customer.updated"}).data == []
    sandbox.redeliver(missed.id)
    sandbox.wait_for_deliveries()
    assert client.v1.events.list({"delivery_success": False}).data == []
    assert len(client.v1.events.list({"delivery_success": True, "type": "customer.created"}).data) == 2


def test_events_are_kept_thirty_days(sandbox: Handle, client: stripe.StripeClient) -> None:
    client.v1.customers.create({"name": "Acme"})
    (event,) = client.v1.events.list().data
    sandbox.advance(30 * DAY - 60)
    assert types(client) == types(client, type="customer.created") == ["customer.created"]
    assert client.v1.events.retrieve(event.id).id == event.id
    sandbox.advance(61)
    assert types(client) == types(client, type="customer.created") == []
    with pytest.raises(stripe.InvalidRequestError) as gone:
        client.v1.events.retrieve(event.id)
    assert (gone.value.http_status, gone.value.code) == (404, "resource_missing")


@pytest.mark.parametrize("again", ["doubled", "by hand", "to a third as well"])
def test_one_endpoint_that_hears_an_event_twice_does_not_hide_that_another_never_did(
    sandbox: Handle, client: stripe.StripeClient, again: str
) -> None:
    with Receiver() as good, Receiver() as bad, Receiver() as late:
        bad.answers = [500] * 6
        for receiver in (good, bad):
            client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["customer.created"]})
        if again == "doubled":
            sandbox.chaos("customer.created", duplicate=1)
        client.v1.customers.create({})
        sandbox.wait_for_deliveries()
        (event,) = client.v1.events.list({"delivery_success": False}).data
        if again == "to a third as well":
            client.v1.webhook_endpoints.create({"url": late.url, "enabled_events": ["customer.created"]})
        if again != "doubled":
            sandbox.redeliver(event.id)
            sandbox.wait_for_deliveries()
        assert len(good.received) == 2
        assert [each.id for each in client.v1.events.list({"delivery_success": False}).data] == [event.id]
        assert client.v1.events.retrieve(event.id).pending_webhooks == 1
        assert bad.answers == []
        sandbox.redeliver(event.id)
        sandbox.wait_for_deliveries()
        assert client.v1.events.list({"delivery_success": False}).data == []
