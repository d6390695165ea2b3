"""What cardholders' banks do by themselves: disputes, warnings of fraud, new cards; and Stripe's payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callbill.config.simulation.deeds._asked import NOTHING
from callbill.config.simulation.story import Step
from callbill.domain.payments.models import PaymentAttempt

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


def dispute(world: World, step: Step) -> str:
    """A cardholder disputes a charge, or the bank only asks about it."""
    charge = _charge(world, step)
    if not charge:
        return NOTHING
    world.stripe.switch("POST", "/disputes", {"charge": charge, "inquiry": step.details["inquiry"]})
    return "disputed"


def dispute_decided(world: World, step: Step) -> str:
    """The bank decides the oldest dispute that it has not decided."""
    waiting = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
    found = [row for row in world.stripe.all("disputes") if row["status"] in waiting]
    if not found:
        return NOTHING
    inquiry = found[0]["status"].startswith("warning")
    outcome = "warning_closed" if inquiry else step.details["outcome"]
    world.stripe.switch("POST", f"/disputes/{found[0]['id']}/close", {"outcome": outcome})
    return outcome


def fraud_warning(world: World, step: Step) -> str:
    """The network warns that a charge may be fraud."""
    charge = _charge(world, step)
    if not charge:
        return NOTHING
    world.stripe.switch("POST", "/early_fraud_warnings", {"charge": charge})
    return "warned"


def payout(world: World, step: Step) -> str:
    """Stripe sends what is available to our bank, which may refuse it."""
    made = world.stripe.switch("POST", "/payouts/close", {"fail": step.details["fail"]})
    return f"{len(made['payouts'])} payouts"


def card_replaced(world: World, step: Step) -> str:
    """The issuer of the default card sends one of another brand."""
    card = world.default_card(step.who)
    if card is None:
        return NOTHING
    brand = "mastercard" if card.brand == "visa" else "visa"
    change = {"brand": brand, "last4": "2222", "exp_year": world.now.year + 3, "by_issuer": True}
    world.stripe.switch("POST", f"/cards/{card.reference}", change)
    return "done"


def _charge(world: World, step: Step) -> str:
    """A charge that succeeded, of the payer, by the step's place; "" without any."""
    paid = PaymentAttempt.objects.filter(state="succeeded", invoice__payer=world.payer(step.who))
    found = list(paid.order_by("finished_at", "id").values_list("charge", flat=True))
    return str(found[step.details["place"] % len(found)]) if found else ""
