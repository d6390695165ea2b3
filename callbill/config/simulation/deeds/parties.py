"""What changes about customers themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from callbill.config.simulation import customers
from callbill.config.simulation.deeds._asked import NOTHING
from callbill.config.simulation.story import Step
from callbill.domain.contracts import operations as contracts
from callbill.domain.customers import operations as people
from callbill.rules.period import period_containing

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


def change_payer(world: World, step: Step) -> str:
    """From its next billing period on a company joins its organization's invoice, or leaves it."""
    member = next((m for m in world.story.cast if m.key == step.who and m.organization), None)
    if member is None:
        return NOTHING
    # On the eve of a billing day it takes effect on the next morning; else that is too early, for a month.
    day = world.today if step.details.get("eve") else world.today + timedelta(days=1)
    coming = period_containing(day, member.billing_day, customers.ZONE).end_day
    held = world.payers[member.key]
    if held[-1][0] >= coming:
        return NOTHING
    other = "company" if held[-1][1] == "organization" else "organization"
    held.append((coming, other))
    try:
        world.load_customers()
    except contracts.FileRefused:
        held.pop()
        raise
    return f"{other} from {coming}"


def add_contact(world: World, step: Step) -> str:
    """A billing administrator has the mails sent to one more address."""
    payer = world.payer(step.who)
    if payer is None:
        return NOTHING
    people.add_billing_contact(
        viewer=world.administrator(step.who), payer_id=payer.id, email=f"second@{step.who}.example"
    )
    return "added"
