"""What every operation tells: exactly these events, in this order, and no event that nothing tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import stripe

from stripe_sandbox.events import NAMES
from stripe_sandbox.handle import Handle

DAY = 86400
CARDS = {"allowed_payment_method_types": ["card"]}
MONEY = {"amount": 5000, "currency": "usd", **CARDS}
CONSENT = {"customer_acceptance": {"type": "offline"}}
THREE_D = "pm_card_authenticationRequired"


@dataclass
class Stage:
    """A sandbox to do things in, and short words for them."""

    sandbox: Handle
    sdk: Any

    def customer(self) -> str:
        """A new one."""
        return str(self.sdk.customers.create({}).id)

    def card(self, token: str = "pm_card_visa", customer: str = "") -> tuple[str, str]:
        """A customer and a card attached to them."""
        customer = customer or self.customer()
        return customer, str(self.sdk.payment_methods.attach(token, {"customer": customer}).id)

    def pay(self, token: str = "pm_card_visa", **more: Any) -> Any:
        """A payment confirmed at once."""
        customer, card = self.card(token)
        given = {**MONEY, "customer": customer, "payment_method": card, "confirm": True, **more}
        return self.sdk.payment_intents.create(given)

    def settled(self, token: str = "pm_card_visa") -> Any:
        """A payment whose money is there, and nothing left to happen by itself."""
        made = self.pay(token)
        self.sandbox.advance(3)
        return made

    def setup(self, token: str = "pm_card_visa", **more: Any) -> Any:
        """A SetupIntent that is not confirmed."""
        return self.sdk.setup_intents.create(
            {**CARDS, "customer": self.customer(), "payment_method": token, **more}
        )

    def dispute(self, **more: Any) -> str:
        """The cardholder disputes a new payment."""
        return str(self.sandbox.dispute(self.settled().latest_charge, **more)["id"])


# What is to be told, by story: what comes before its `yield` is another's business.
Story = Callable[[Stage], Iterator[None]]
STORIES: dict[Story, list[str]] = {}


def tells(*names: str) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        STORIES[story] = list(names)
        return story

    return keep


@tells("customer.created")
def customer_made(on: Stage) -> Iterator[None]:
    yield
    on.customer()


@tells("customer.created", "payment_method.attached")
def customer_made_with_a_card(on: Stage) -> Iterator[None]:
    yield
    on.sdk.customers.create({"payment_method": "pm_card_visa"})


@tells("customer.updated")
def customer_changed(on: Stage) -> Iterator[None]:
    customer = on.customer()
    yield
    on.sdk.customers.update(customer, {"name": "Acme"})
    on.sdk.customers.update(customer, {"name": "Acme"})  # changes nothing


@tells("payment_method.detached", "customer.updated", "customer.deleted")
def customer_deleted(on: Stage) -> Iterator[None]:
    customer, card = on.card()
    on.sdk.customers.update(customer, {"invoice_settings": {"default_payment_method": card}})
    yield
    on.sdk.customers.delete(customer)


@tells("payment_method.attached")
def card_attached(on: Stage) -> Iterator[None]:
    customer = on.customer()
    yield
    on.card(customer=customer)


@tells("payment_method.updated")
def card_changed(on: Stage) -> Iterator[None]:
    _, card = on.card()
    yield
    on.sdk.payment_methods.update(card, {"card": {"exp_year": 2045}})


@tells("payment_method.automatically_updated")
def card_replaced_by_its_bank(on: Stage) -> Iterator[None]:
    _, card = on.card()
    yield
    on.sandbox.update_card(card, "new_number")


@tells("payment_method.detached")
def card_detached(on: Stage) -> Iterator[None]:
    _, card = on.card()
    yield
    on.sdk.payment_methods.detach(card)


@tells("payment_method.detached", "mandate.updated")
def card_with_a_mandate_detached(on: Stage) -> Iterator[None]:
    setup = on.setup(confirm=True, mandate_data=CONSENT)
    yield
    on.sdk.payment_methods.detach(setup.payment_method)


@tells("setup_intent.created")
def setup_made(on: Stage) -> Iterator[None]:
    yield
    on.sdk.setup_intents.create(CARDS)


@tells()
def setup_changed(on: Stage) -> Iterator[None]:
    setup = on.setup()
    yield
    on.sdk.setup_intents.update(setup.id, {"description": "x"})


@tells("setup_intent.canceled")
def setup_canceled(on: Stage) -> Iterator[None]:
    setup = on.setup()
    yield
    on.sdk.setup_intents.cancel(setup.id)


@tells("payment_method.attached", "setup_intent.succeeded")
def setup_confirmed(on: Stage) -> Iterator[None]:
    setup = on.setup()
    yield
    on.sdk.setup_intents.confirm(setup.id)


@tells("setup_intent.setup_failed")
def setup_refused(on: Stage) -> Iterator[None]:
    setup = on.setup("pm_card_chargeDeclined")
    yield
    with pytest.raises(stripe.CardError):
        on.sdk.setup_intents.confirm(setup.id)


@tells("setup_intent.requires_action")
def setup_asks_the_cardholder(on: Stage) -> Iterator[None]:
    setup = on.setup(THREE_D)
    yield
    on.sdk.setup_intents.confirm(setup.id)


@tells("payment_method.attached", "setup_intent.succeeded")
def setup_authenticated(on: Stage) -> Iterator[None]:
    setup = on.setup(THREE_D, confirm=True)
    yield
    on.sandbox.authenticate(setup.id, setup.client_secret)


@tells("setup_intent.setup_failed")
def setup_not_authenticated(on: Stage) -> Iterator[None]:
    setup = on.setup(THREE_D, confirm=True)
    yield
    on.sandbox.authenticate(setup.id, setup.client_secret, passed=False)


@tells("payment_intent.created")
def payment_made(on: Stage) -> Iterator[None]:
    yield
    on.sdk.payment_intents.create(MONEY)


@tells()
def payment_changed(on: Stage) -> Iterator[None]:
    made = on.sdk.payment_intents.create(MONEY)
    yield
    on.sdk.payment_intents.update(made.id, {"amount": 900})


@tells("payment_intent.canceled")
def payment_canceled(on: Stage) -> Iterator[None]:
    made = on.sdk.payment_intents.create(MONEY)
    yield
    on.sdk.payment_intents.cancel(made.id)


@tells("payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "charge.updated")
def payment_succeeds(on: Stage) -> Iterator[None]:
    customer, card = on.card()
    yield
    on.sdk.payment_intents.create({**MONEY, "customer": customer, "payment_method": card, "confirm": True})
    on.sandbox.advance(3)


@tells("payment_intent.created", "charge.failed", "payment_intent.payment_failed")
def payment_declined(on: Stage) -> Iterator[None]:
    customer, card = on.card("pm_card_chargeCustomerFail")
    yield
    with pytest.raises(stripe.CardError):
        on.sdk.payment_intents.create(
            {**MONEY, "customer": customer, "payment_method": card, "confirm": True}
        )


@tells("payment_intent.created", "payment_intent.requires_action")
def payment_asks_the_cardholder(on: Stage) -> Iterator[None]:
    customer, card = on.card(THREE_D)
    yield
    on.sdk.payment_intents.create({**MONEY, "customer": customer, "payment_method": card, "confirm": True})


@tells("payment_intent.succeeded", "charge.succeeded")
def payment_authenticated(on: Stage) -> Iterator[None]:
    made = on.pay(THREE_D)
    yield
    on.sandbox.authenticate(made.id, made.client_secret)


@tells("payment_intent.payment_failed")
def payment_not_authenticated(on: Stage) -> Iterator[None]:
    made = on.pay(THREE_D)
    yield
    on.sandbox.authenticate(made.id, made.client_secret, passed=False)


@tells("payment_intent.processing", "payment_intent.succeeded", "charge.succeeded", "charge.updated")
def payment_waits_for_the_bank(on: Stage) -> Iterator[None]:
    customer, card = on.card()
    on.sandbox.card(card, outcomes=[{"outcome": "processing", "seconds": 60}])
    made = on.sdk.payment_intents.create({**MONEY, "customer": customer, "payment_method": card})
    yield
    on.sdk.payment_intents.confirm(made.id)
    on.sandbox.advance(70)


@tells("charge.updated")
def charge_changed(on: Stage) -> Iterator[None]:
    made = on.settled()
    yield
    on.sdk.charges.update(made.latest_charge, {"description": "x"})


@tells("refund.created", "charge.refunded")
def refund_made(on: Stage) -> Iterator[None]:
    made = on.settled()
    yield
    on.sdk.refunds.create({"payment_intent": made.id})
    on.sandbox.advance(10)


@tells("refund.updated")
def refund_changed(on: Stage) -> Iterator[None]:
    refund = on.sdk.refunds.create({"payment_intent": on.settled().id})
    yield
    on.sdk.refunds.update(refund.id, {"metadata": {"a": "1"}})


@tells("refund.created", "charge.refunded", "refund.updated", "refund.failed", "charge.updated")
def refund_comes_back(on: Stage) -> Iterator[None]:
    made = on.settled("pm_card_refundFail")
    yield
    on.sdk.refunds.create({"payment_intent": made.id})
    on.sandbox.advance(10)


@tells("charge.dispute.created", "charge.dispute.funds_withdrawn")
def dispute_raised(on: Stage) -> Iterator[None]:
    charge = on.settled().latest_charge
    yield
    on.sandbox.dispute(charge)


@tells("charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_reinstated")
def dispute_won_by_evidence(on: Stage) -> Iterator[None]:
    dispute = on.dispute()
    yield
    on.sdk.disputes.update(dispute, {"evidence": {"uncategorized_text": "winning_evidence"}})
    on.sandbox.advance(10)


@tells("charge.dispute.closed")
def dispute_lost(on: Stage) -> Iterator[None]:
    dispute = on.dispute()
    yield
    on.sdk.disputes.close(dispute)


@tells("charge.dispute.created", "charge.dispute.updated", "charge.dispute.funds_withdrawn")
def inquiry_escalated(on: Stage) -> Iterator[None]:
    charge = on.settled().latest_charge
    yield
    on.sandbox.escalate_dispute(on.sandbox.dispute(charge, inquiry=True)["id"])


@tells(
    "radar.early_fraud_warning.created",
    "refund.created",
    "charge.refunded",
    "radar.early_fraud_warning.updated",
)
def warning_heeded(on: Stage) -> Iterator[None]:
    made = on.settled()
    yield
    on.sandbox.early_fraud_warning(made.latest_charge)
    on.sdk.refunds.create({"payment_intent": made.id})


LEFT = ("payout.created", "payout.updated", "payout.reconciliation_completed")


@tells(*LEFT, "payout.updated", "payout.paid")
def payout_arrives(on: Stage) -> Iterator[None]:
    on.settled()
    on.sandbox.advance(3 * DAY)
    yield
    on.sandbox.close_payout()
    on.sandbox.advance(3 * DAY)


@tells(*LEFT, "payout.updated", "payout.paid", "payout.updated", "payout.failed")
def payout_bounces(on: Stage) -> Iterator[None]:
    on.settled()
    on.sandbox.advance(3 * DAY)
    yield
    on.sandbox.close_payout(fail=True)
    on.sandbox.advance(3 * DAY)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_an_operation_tells_exactly_this(sandbox: Handle, client: stripe.StripeClient, story: Story) -> None:
    def told() -> list[str]:
        return [event.type for event in client.v1.events.list({"limit": 100}).data][::-1]

    steps = story(Stage(sandbox, client.v1))
    next(steps)
    before = told()
    assert next(steps, "done") == "done"
    assert told()[len(before) :] == STORIES[story]


def test_every_event_is_told_by_something() -> None:
    assert {name for names in STORIES.values() for name in names} == set(NAMES)
