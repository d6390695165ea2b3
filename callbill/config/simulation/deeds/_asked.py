"""What deeds ask of the world before they act: whose card, which invoice; what they say if there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callbill.config.simulation.story import Step
from callbill.domain.invoicing.models import Invoice

if TYPE_CHECKING:
    from callbill.config.simulation.world import World

NOTHING = "nothing to do"
OWED = ("open", "past_due")
REASON = "In the story"


def invoice_of(world: World, step: Step, states: tuple[str, ...]) -> Invoice | None:
    """The payer's invoice of the step's place among those in these states, oldest first."""
    payer = world.payer(step.who)
    found = Invoice.objects.filter(payer=payer, status__in=states).order_by("first_day", "number")
    owed = list(found) if payer else []
    return owed[step.details.get("place", 0) % len(owed)] if owed else None
