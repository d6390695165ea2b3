"""What people ask for about payments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callbill.config.simulation.deeds._asked import NOTHING, OWED, REASON, invoice_of
from callbill.config.simulation.story import Step
from callbill.domain.invoicing.models import CreditNote
from callbill.domain.payments import operations as payments
from callbill.domain.payments.models import PaymentAttempt, Refund

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


def pay_now(world: World, step: Step) -> str:
    """A billing administrator pays an invoice with the default card."""
    invoice = invoice_of(world, step, OWED)
    if invoice is None:
        return NOTHING
    payments.pay_now(viewer=world.administrator(step.who), number=str(invoice.number), now=world.now)
    return "asked"


def retry_now(world: World, step: Step) -> str:
    """Staff try again."""
    invoice = invoice_of(world, step, OWED)
    if invoice is None:
        return NOTHING
    payments.retry_now(invoice_id=invoice.id, actor_id=world.staff_id, reason=REASON, now=world.now)
    return "asked"


def stop_waiting(world: World, step: Step) -> str:
    """Staff take back a payment that waits for its cardholder."""
    waiting = PaymentAttempt.objects.filter(state="action_required").order_by("created_at", "id").first()
    if waiting is None:
        return NOTHING
    payments.stop_waiting(
        invoice_id=waiting.invoice_id, actor_id=world.staff_id, reason=REASON, now=world.now
    )
    return "done"


def refund(world: World, step: Step) -> str:
    """Staff give the balance of a credit note back to the card."""
    notes = CreditNote.objects.filter(to_balance_minor__gt=0).order_by("-number")
    place = step.details["place"]
    note = notes[place : place + 1].first() or notes.first()
    if note is None:
        return NOTHING
    payments.refund_to_card(note_id=note.id, actor_id=world.staff_id, reason=REASON, now=world.now)
    return Refund.objects.filter(credit_note=note).latest("created_at").state
