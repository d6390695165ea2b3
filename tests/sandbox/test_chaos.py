"""Chaos among the deliveries: every kind, exactly as asked, the same for the same seed, without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from stripe_sandbox.handle import Handle

from .receiver import Receiver

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]


def ids(receiver: Receiver) -> list[str]:
    return [json.loads(body)["id"] for _, body in receiver.received]


def types(receiver: Receiver) -> list[str]:
    return [json.loads(body)["type"] for _, body in receiver.received]


def customers(client: stripe.StripeClient, number: int) -> list[str]:
    """The ids of the events of so many new customers, in the order they were made."""
    for _ in range(number):
        client.v1.customers.create({})
    made = client.v1.events.list({"limit": number, "type": "customer.created"}).data
    return [event.id for event in reversed(made)]


def test_a_delay_is_of_the_sandboxs_clock(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    sandbox.chaos("customer.created", delay=3600)
    (late,) = customers(client, 1)
    client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    sandbox.wait_for_due_deliveries()
    assert types(receiver) == ["payment_intent.created"]
    sandbox.advance(3601)
    sandbox.wait_for_deliveries()
    assert ids(receiver)[1:] == [late]


def test_duplicates_are_the_same_event_and_twins_another_about_the_same(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    sandbox.chaos("customer.created", duplicate=2, times=1)
    sandbox.chaos("payment_intent.created", twin=True)
    (doubled,) = customers(client, 1)
    customers(client, 1)
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    sandbox.wait_for_deliveries()
    assert ids(receiver).count(doubled) == 3
    assert types(receiver).count("customer.created") == 4
    twins = client.v1.events.list({"type": "payment_intent.created"}).data
    assert len({event.id for event in twins}) == 2
    assert {event.data.object.id for event in twins} == {intent.id}
    assert {event.id for event in twins} <= set(ids(receiver))
    assert all(event.pending_webhooks == 0 for event in twins)


def story(receiver: Receiver, charge: Charge, saved: tuple[str, str], sandbox: Handle) -> list[str]:
    """The types that one charge tells, in the order they arrived."""
    sandbox.wait_for_deliveries()
    receiver.received.clear()
    charge(*saved)
    sandbox.wait_until_idle()
    sandbox.wait_for_deliveries()
    return types(receiver)


def test_events_of_one_request_come_in_another_order_the_same_for_the_same_seed(
    sandbox: Handle, receiver: Receiver, saved_card: Saved, charge: Charge
) -> None:
    saved = saved_card()
    orders = []
    for seed in (0, 0, 1, 2, 3, 4):
        sandbox.chaos("^(payment_intent|charge.succeeded)", reorder=True, seed=seed)
        orders.append([name for name in story(receiver, charge, saved, sandbox) if name != "charge.updated"])
        sandbox.clear_chaos()
    made = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    assert all(sorted(order) == sorted(made) for order in orders)
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) > 1
    # Whatever the seed, what came first now comes last.
    first = receiver_order_without_chaos(sandbox, receiver, saved, charge)[0]
    assert all(order[-1] == first for order in orders)


def receiver_order_without_chaos(
    sandbox: Handle, receiver: Receiver, saved: tuple[str, str], charge: Charge
) -> list[str]:
    """The order in which the events were made."""
    story(receiver, charge, saved, sandbox)
    made = sorted(sandbox.deliveries(), key=lambda row: int(row["id"]))
    names = {json.loads(body)["id"]: json.loads(body)["type"] for _, body in receiver.received}
    return [names[row["event"]] for row in made if row["event"] in names]


def test_dropped_events_are_found_through_the_api_and_made_good(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    sandbox.chaos("customer.created", drop="1/3", seed=1)
    made = customers(client, 7)
    sandbox.wait_for_deliveries()
    lost = [event.id for event in client.v1.events.list({"delivery_success": False, "limit": 100}).data]
    assert lost[::-1] == [made[2], made[5]]  # the first of every three, counted from the seed
    assert sorted(ids(receiver)) == sorted(set(made) - set(lost))
    assert client.v1.events.retrieve(lost[0]).pending_webhooks == 1
    sandbox.clear_chaos()
    sandbox.redeliver(lost[0])
    sandbox.wait_for_deliveries()
    assert [event.id for event in client.v1.events.list({"delivery_success": False}).data] == lost[1:]


def test_an_event_comes_before_the_answer(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver, saved_card: Saved, charge: Charge
) -> None:
    saved = saved_card()
    sandbox.wait_for_deliveries()
    receiver.received.clear()
    sandbox.chaos("payment_intent.succeeded", before_answer=True)
    paid = charge(*saved)
    # Nothing was waited for: it was there when the answer came, and what it tells was true by then.
    assert "payment_intent.succeeded" in types(receiver)
    told = next(json.loads(b) for _, b in receiver.received if b"payment_intent.succeeded" in b)
    assert told["data"]["object"]["id"] == paid.id


def test_wrong_and_stale_signatures_come_first_and_good_ones_after(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.verify = lambda signature, body: stripe.Webhook.construct_event(
        body, signature, sandbox.webhook_secret
    )
    sandbox.chaos("customer.created", wrong_signature=1, stale=1)
    customers(client, 1)
    (row,) = sandbox.wait_for_deliveries()
    assert [(each["status"], each["flaw"]) for each in row["attempts"]] == [
        (400, "wrong_signature"),
        (400, "stale"),
        (200, None),
    ]
    wrong, stale, good = receiver.received
    for (signature, body), words in ((wrong, "No signatures found"), (stale, "outside the tolerance")):
        with pytest.raises(stripe.SignatureVerificationError, match=words):
            stripe.Webhook.construct_event(body, signature, sandbox.webhook_secret)
    assert stripe.Webhook.construct_event(good[1], good[0], sandbox.webhook_secret)


def test_a_rolled_secret_signs_beside_the_old_one_for_a_while(
    sandbox: Handle, client: stripe.StripeClient, receiver: Receiver
) -> None:
    old = sandbox.webhook_secret
    sandbox.roll_secret("whsec_new", keep=3600)
    customers(client, 1)
    sandbox.wait_for_deliveries()
    sandbox.advance(3601)
    customers(client, 1)
    sandbox.wait_for_deliveries()
    (both, first), (one, second) = receiver.received
    assert stripe.Webhook.construct_event(first, both, old)
    assert stripe.Webhook.construct_event(first, both, "whsec_new")
    assert stripe.Webhook.construct_event(second, one, "whsec_new")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(second, one, old)
    sandbox.webhook_secret = old
    with pytest.raises(ValueError, match="whsec_"):
        sandbox.roll_secret("short")


def test_rules_are_counted_shown_and_taken_away(sandbox: Handle, client: stripe.StripeClient) -> None:
    with Receiver() as receiver:
        sandbox.set_webhook(receiver.url)
        sandbox.chaos("customer.created", drop=True, times=2)
        sandbox.chaos("", delay=5)
        customers(client, 1)
        rules = sandbox.control("GET", "/webhooks/chaos")
        assert [(rule["id"], rule["seen"]) for rule in rules] == [("chaos_000001", 1), ("chaos_000002", 1)]
        customers(client, 2)
        assert [rule["id"] for rule in sandbox.control("GET", "/webhooks/chaos")] == ["chaos_000002"]
        assert sandbox.clear_chaos() == []
        assert sandbox.control("GET", "/webhooks/chaos") == []
        sandbox.advance(6)
        sandbox.wait_for_deliveries()
        assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"for": "customer", "times": 3},
        {"weather": "bad"},
        {"for": "(", "drop": True},
        {"delay": -1},
        {"delay": True},
        {"duplicate": 1.5},
        {"drop": "often"},
        {"drop": "1/0"},
        {"drop": True, "times": 0},
        {"drop": True, "seed": "x"},
        ["drop"],
    ],
)
def test_chaos_that_makes_no_sense_is_refused(sandbox: Handle, wrong: Any) -> None:
    with pytest.raises(ValueError, match="error"):
        sandbox.control("POST", "/webhooks/chaos", wrong)
    assert sandbox.control("GET", "/webhooks/chaos") == []


def test_a_request_without_webhooks(sandbox: Handle, client: stripe.StripeClient, receiver: Receiver) -> None:
    sandbox.fault("no_webhooks", path="customers$", method="POST")
    silent, told = customers(client, 2)
    sandbox.wait_for_deliveries()
    assert ids(receiver) == [told]
    assert [event.id for event in client.v1.events.list({"delivery_success": False}).data] == [silent]
