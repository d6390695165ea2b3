"""Stripe's door: genuine events are kept once and only trigger a look at Stripe itself."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from callbill.domain.payments import operations, queries
from callbill.domain.payments.models import (
    GatewayEvent,
    PaymentAttempt,
    PaymentIntent,
    PaymentMethod,
    Refund,
)
from callbill.lib.fields import new_id
from tests.domain.payments.shop import ISSUED, Shop
from tests.domain.payments.test_refunds import credit, refund

DOOR = "/webhooks/stripe/"


def sign(payload: bytes, secret: str, at: datetime | None = None) -> str:
    sent = int((at or datetime.now(UTC)).timestamp())
    mac = hmac.new(secret.encode(), f"{sent}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={sent},v1={mac},v0=noise"


def knock(payload: bytes, signature: str) -> int:
    answer = Client(enforce_csrf_checks=True).post(
        DOOR, payload, content_type="application/json", headers={"Stripe-Signature": signature}
    )
    assert answer.content == b""
    return answer.status_code


def deliver(shop: Shop, kind: str, *, times: int = 1) -> list[int]:
    """Bring the sandbox's events of that kind to the door, as it would."""
    events = [e for e in shop.stripe.v1.events.list({"limit": 100}).data if e.type == kind]
    assert events, f"the sandbox told no {kind}"
    codes = []
    for event in events:
        body = json.dumps(event.to_dict()).encode()
        codes += [knock(body, sign(body, shop.sandbox.webhook_secret)) for _ in range(times)]
    return codes


def an_event(**changes: Any) -> bytes:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "data": {"object": {"id": "pi_1", "amount": 1}},
        **changes,
    }
    return json.dumps(event).encode()


def test_an_answer_that_never_came_is_settled_by_the_event(shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("reset_mid_body", path="/confirm$", method="POST")
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
    operations.collect_due(now=ISSUED)
    assert shop.attempt(invoice).state == "submitted"
    assert deliver(shop, "payment_intent.succeeded", times=2) == [200, 200]
    (event,) = GatewayEvent.objects.all()
    assert event.object_id == PaymentIntent.objects.get().reference
    assert operations.handle_events(now=datetime.now(UTC)) == 1
    assert operations.handle_events(now=datetime.now(UTC)) == 0
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    operations.sweep_attempts(now=ISSUED + timedelta(hours=1))
    assert len(shop.told("payment_received")) == 1


def test_the_sandbox_itself_delivers_to_the_door(shop: Shop, live_server: Any) -> None:
    shop.sandbox.set_webhook(live_server.url + DOOR)
    form = operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip=None, now=ISSUED)
    shop.fill_in(form)
    delivered = shop.sandbox.wait_for_deliveries()
    shop.sandbox.set_webhook(None)
    assert {row["state"] for row in delivered} == {"succeeded"}
    assert GatewayEvent.objects.filter(kind="setup_intent.succeeded").count() == 1
    operations.handle_events(now=datetime.now(UTC))
    assert len(queries.cards(shop.admin, shop.payer.id, now=ISSUED)) == 1


def test_the_event_may_come_before_the_answer_is_written_down(shop: Shop) -> None:
    """As after a kill between Stripe's answer and our next commit: the payment is found by our id in it."""
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("reset_mid_body", path="/confirm$", method="POST")
    shop.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
    operations.collect_due(now=ISSUED)
    PaymentIntent.objects.update(reference=None)
    deliver(shop, "payment_intent.succeeded")
    operations.handle_events(now=datetime.now(UTC))
    invoice.refresh_from_db()
    assert invoice.status == "paid"


def test_late_and_repeated_events_change_nothing(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    before = list(PaymentAttempt.objects.values_list("id", "state", "charge"))
    deliver(shop, "payment_intent.payment_failed", times=3)
    deliver(shop, "payment_intent.succeeded", times=3)
    assert operations.handle_events(now=datetime.now(UTC)) == 2
    assert list(PaymentAttempt.objects.values_list("id", "state", "charge")) == before
    assert (len(shop.told("payment_failed")), len(shop.told("payment_received"))) == (1, 1)


def test_a_late_failure_does_not_touch_the_attempt_that_is_under_way(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    shop.sandbox.fault("429", path="/confirm$", method="POST")
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    assert shop.attempt(invoice).state == "submitted"
    deliver(shop, "payment_intent.payment_failed")
    assert operations.handle_events(now=datetime.now(UTC)) == 1
    assert shop.attempt(invoice).state == "submitted"
    assert len(shop.told("payment_failed")) == 1
    operations.sweep_attempts(now=ISSUED + timedelta(hours=1))
    assert shop.attempt(invoice).state == "succeeded"


def test_a_card_form_closed_after_confirming_keeps_the_card(shop: Shop) -> None:
    form = operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip=None, now=ISSUED)
    shop.fill_in(form)
    assert deliver(shop, "setup_intent.succeeded") == [200]
    operations.handle_events(now=datetime.now(UTC))
    (card,) = queries.cards(shop.admin, shop.payer.id, now=ISSUED)
    assert card.is_default
    # The browser comes back after all.
    again = operations.finish_card_setup(viewer=shop.admin, setup_id=form.setup_id, now=ISSUED)
    assert again is not None
    assert again.id == card.id


def test_a_card_the_issuer_replaced_is_followed(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.card(card.reference, exp_month=7, exp_year=2031, last4="9999")
    deliver(shop, "payment_method.automatically_updated")
    operations.handle_events(now=datetime.now(UTC))
    (shown,) = queries.cards(shop.admin, shop.payer.id, now=ISSUED)
    assert (shown.label, shown.expiry) == ("Visa •••• 9999", "07/2031")


def test_a_card_removed_at_stripe_is_gone_and_staff_hear_of_it(shop: Shop) -> None:
    card = shop.add_card()
    shop.stripe.v1.payment_methods.detach(card.reference)
    deliver(shop, "payment_method.detached")
    operations.handle_events(now=datetime.now(UTC))
    assert PaymentMethod.objects.get().removed_at is not None
    assert queries.open_matters(shop.staff)[0].kind == "default_card_gone"


def test_what_is_not_genuine_is_refused_without_a_word(shop: Shop, settings: Any) -> None:
    body = an_event()
    right = shop.sandbox.webhook_secret
    now = datetime.now(UTC)
    old, early = (
        sign(body, right, now - timedelta(seconds=310)),
        sign(body, right, now + timedelta(seconds=310)),
    )
    good = sign(body, right)
    replayed = f"t={int(now.timestamp())},{old}"
    for signature in (
        sign(body, "whsec_wrong"),
        old,
        early,
        replayed,
        "",
        "t=1",
        "v1=00",
        "nonsense",
        "t=x,v1=y",
    ):
        assert knock(body, signature) == 400, signature
    assert knock(body + b" ", good) == 400
    for broken in (b"", b"[]", b"{}", b"\xff\xfe", an_event(data={"object": {"id": 7}})):
        assert knock(broken, sign(broken, right)) == 400
    assert knock(b"x" * 1_000_001, good) == 413
    assert Client().get(DOOR).status_code == 405
    assert not GatewayEvent.objects.exists()
    assert knock(body, good) == 200
    assert knock(body, good) == 200
    # While secrets are rolled, the old one and the new one both open.
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", right]
    assert knock(an_event(id="evt_2"), sign(an_event(id="evt_2"), "whsec_new")) == 200
    assert knock(an_event(id="evt_3"), sign(an_event(id="evt_3"), right)) == 200
    assert GatewayEvent.objects.count() == 3


def test_nothing_of_the_body_is_kept_but_ids(shop: Shop) -> None:
    body = an_event(data={"object": {"id": "pi_1", "receipt_email": "ann@acme.example"}})
    knock(body, sign(body, shop.sandbox.webhook_secret))
    row = GatewayEvent.objects.values().get()
    assert "ann@acme.example" not in str(row)


def test_an_event_nobody_knows_is_kept_tried_and_at_last_given_to_staff(shop: Shop) -> None:
    body = an_event()
    knock(body, sign(body, shop.sandbox.webhook_secret))
    now = datetime.now(UTC)
    tries = 0
    for hour in range(24 * 8):
        operations.handle_events(now=now + timedelta(hours=hour))
        tries = GatewayEvent.objects.get().tries
    event = GatewayEvent.objects.get()
    assert (tries, event.handled_at) == (10, None)
    assert event.flagged_at is not None
    assert queries.open_matters(shop.staff)[0].kind == "event_not_applied"


def test_kinds_that_need_nothing_are_settled_at_once(shop: Shop) -> None:
    body = an_event(type="customer.created")
    knock(body, sign(body, shop.sandbox.webhook_secret))
    assert operations.handle_events(now=datetime.now(UTC)) == 1


def test_everything_made_at_stripe_names_its_environment(shop: Shop, settings: Any) -> None:
    """Frozen in the row, so that a key in flight says the same after the setting changed."""
    settings.CALLBILL_ENVIRONMENT = "blue"
    shop.add_card(default=True)
    invoice = shop.bill()
    shop.sandbox.fault("reset_after", path="/v1/payment_intents$", method="POST", times=9)
    operations.collect_due(now=ISSUED)
    settings.CALLBILL_ENVIRONMENT = "green"
    shop.sandbox.clear_faults()
    operations.sweep_attempts(now=ISSUED + timedelta(hours=1))
    invoice.refresh_from_db()
    assert invoice.status == "paid"
    api = shop.stripe.v1
    (intent,) = api.payment_intents.list({}).data
    (setup,) = api.setup_intents.list({}).data
    (customer,) = api.customers.list({}).data
    for there in (intent, setup, customer):
        assert there.to_dict()["metadata"]["environment"] == "blue"
    done = refund(shop, credit(shop, invoice, 35_00))
    (back,) = api.refunds.list({}).data
    assert back.to_dict()["metadata"] == {
        "refund": str(done.id),
        "credit_note": str(Refund.objects.get().credit_note_id),
        "environment": "green",
    }


def test_what_another_environment_made_is_left_alone(shop: Shop, settings: Any) -> None:
    settings.CALLBILL_ENVIRONMENT = "blue"
    theirs: Any = {"intent": str(new_id()), "setup": str(new_id()), "environment": "green"}
    api: Any = shop.stripe.v1
    customer = api.customers.create({"metadata": theirs}).id
    card = api.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    asked: Any = {"customer": customer, "payment_method": card, "confirm": True, "metadata": theirs}
    types: Any = {"allowed_payment_method_types": ["card"]}
    paid = api.payment_intents.create({**asked, **types, "amount": 500, "currency": "usd"})
    setup = api.setup_intents.create({**asked, **types})
    back = api.refunds.create({"charge": str(paid.latest_charge)})
    for kind, reference in (
        ("payment_intent.succeeded", paid.id),
        ("setup_intent.succeeded", setup.id),
        ("refund.created", back.id),
    ):
        GatewayEvent.objects.create(
            event_id=f"evt_{reference}", kind=kind, object_id=reference, received_at=ISSUED
        )
    operations.handle_events(now=ISSUED)
    left = GatewayEvent.objects.filter(handled_at=None).values_list("kind", "problem")
    assert list(left) == []
