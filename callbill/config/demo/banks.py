"""What banks do in the demo's year: decline, ask for the cardholder, dispute, warn, replace, pay out."""

from __future__ import annotations

from callbill.config.demo.stage import Stage, charge_of, default_card, hear, newest_invoice, payer_of, staff
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import CollectionStop, FraudWarning
from callbill.domain.reconciliation import operations as reconciliation
from callbill.jobs import work

CONFIRMS = "iris@cobalt-design.example"
DISPUTES = "carl@tidewater-marina.example"
WARNED = "wren@bluebird-bakery.example"
REPLACED = "gail@redwood-storage.example"
CHARGED_BY_HAND = "june@lakeside-legal.example"
_BY_HAND = "Extra line"


def report_card_lost(stage: Stage) -> None:
    """A holder reports the card lost; the bank declines it from now on."""
    _decline(stage, "june@lakeside-legal.example", "lost_card")


def let_bank_decline(stage: Stage) -> None:
    """An account runs dry."""
    _decline(stage, "luis@summit-plumbing.example", "insufficient_funds")


def want_the_cardholder(stage: Stage) -> None:
    """The bank wants the next payment confirmed by the cardholder, who is not there."""
    if stage.sandbox:
        card = default_card(CONFIRMS).reference
        stage.sandbox.script(card, [{"code": "authentication_required", "times": 2}])


def replace_card(stage: Stage) -> None:
    """The bank replaces a card by one of another brand, which may not be charged before a new agreement."""
    if stage.sandbox is None:
        return
    card = default_card(REPLACED)
    if stage.sandbox.find(f"payment_methods/{card.reference}")["card"]["brand"] == "visa":
        stage.sandbox.replace_card(card.reference, "new_brand")
    hear(stage)


def dispute(stage: Stage, *, reason: str, due_in_days: int) -> None:
    """The cardholder tells the bank that the latest payment was not right; so long it waits for an answer."""
    if stage.sandbox is None:
        return
    charge = charge_of(newest_invoice(DISPUTES))
    if not stage.sandbox.find("disputes", charge=charge)["data"]:
        stage.sandbox.dispute(charge, reason=reason, due_in_days=due_in_days)
    hear(stage)


def decide_for_cardholder(stage: Stage) -> None:
    """The bank decides the dispute against us: what was paid is owed again."""
    if stage.sandbox is None:
        return
    for asked in stage.sandbox.find("disputes")["data"]:
        if asked["status"] == "needs_response":
            stage.sandbox.close_dispute(asked["id"], "lost")
    hear(stage)


def warn_of_fraud(stage: Stage) -> None:
    """The card's network warns of a payment, today: its message comes by webhook."""
    if stage.sandbox is None:
        return
    if stage.webhook:
        stage.sandbox.tell(*stage.webhook)
    charge = charge_of(newest_invoice(WARNED))
    if not stage.sandbox.find("radar/early_fraud_warnings", charge=charge)["data"]:
        stage.sandbox.warn(charge)
    if stage.webhook:
        stage.sandbox.wait_for_webhooks()
        payments.handle_events(now=stage.now)
    if not FraudWarning.objects.exists():
        hear(stage)


def charge_by_hand(stage: Stage) -> None:
    """Somebody charges a customer's card at Stripe itself, past Callbill: the books cannot know why."""
    if stage.sandbox:
        stage.sandbox.charge_by_hand(
            card=default_card(CHARGED_BY_HAND).reference, amount=2500, currency="usd", says=_BY_HAND
        )


def explain_charge(stage: Stage) -> None:
    """Staff read what reconciliation found, give the money back at Stripe, and lift the stop."""
    if stage.sandbox is None:
        return
    for charge in stage.sandbox.find("charges", limit="100")["data"]:
        if charge["description"] == _BY_HAND and not charge["refunded"]:
            stage.sandbox.refund_by_hand(charge["id"])
    for stop in CollectionStop.objects.filter(payer=payer_of(CHARGED_BY_HAND), lifted_at=None):
        payments.lift_collection_stop(
            stop_id=stop.id,
            actor_id=staff("sam@cic.example"),
            reason="Mia charged an extra line at Stripe by hand. I refunded it there and told June Park.",
            now=stage.now,
        )


def pay_out(stage: Stage) -> None:
    """Stripe pays out what is available."""
    if stage.sandbox:
        stage.sandbox.pay_out()


def reconcile(stage: Stage) -> None:
    """What the worker does at night: compare attempts, books and Stripe, after posting fees and payouts."""
    if stage.sandbox:
        reconciliation.reconcile(now=stage.now, trigger="schedule")
        work.deliver(now=stage.now)


def _decline(stage: Stage, email: str, decline_code: str) -> None:
    if stage.sandbox:
        stage.sandbox.decline_next(default_card(email).reference, decline_code=decline_code, times=3)
