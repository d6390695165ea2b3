"""What people ask for about payments."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from callbill.config.sandbox import SandboxRefused
from callbill.config.simulation.deeds._asked import NOTHING, OWED, REASON, invoice_of
from callbill.config.simulation.story import Step
from callbill.domain.disputes import operations as disputes
from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.payments import operations as payments
from callbill.domain.payments._confirming import ON_A_PAGE, confirm_path
from callbill.domain.payments.models import BankPayment, PaymentAttempt, Refund
from callbill.rules.money import Money

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


def pay_several(world: World, step: Step) -> str:
    """A billing administrator pays everything that is owed at once."""
    payer = world.payer(step.who)
    owed = Invoice.objects.filter(payer=payer, status__in=OWED).order_by("number") if payer else []
    numbers = [str(invoice.number) for invoice in owed]
    if not numbers:
        return NOTHING
    payments.pay_invoices(viewer=world.administrator(step.who), numbers=numbers, now=world.now)
    return f"{len(numbers)} asked"


def confirm(world: World, step: Step) -> str:
    """A cardholder opens the link in the mail and passes the bank's question, or not."""
    waiting = PaymentAttempt.objects.filter(state="action_required").order_by("created_at", "id").first()
    if waiting is None:
        return NOTHING
    token = confirm_path(waiting.id, now=world.now, lasts=ON_A_PAGE).strip("/").rpartition("/")[2]
    standing, form = payments.open_confirmation(token=token, now=world.now)
    if form is None:
        return str(standing.standing)
    with suppress(SandboxRefused):
        world.stripe.confirm_payment(
            client_secret=form.client_secret,
            publishable_key=form.publishable_key,
            card=form.card_reference,
            passes=step.details["passes"],
        )
    if not step.details["returns"]:
        return "browser closed"
    standing, _ = payments.open_confirmation(token=token, now=world.now)
    return str(standing.standing)


def bank_payment(world: World, step: Step) -> str:
    """Staff record a bank transfer, or the cheque of the step: a part of what is due, all, or more."""
    invoice = invoice_of(world, step, OWED)
    if invoice is None:
        return NOTHING
    cheque = step.details.get("cheque", "")
    payments.record_bank_payment(
        invoice_id=invoice.id,
        method="cheque" if cheque else "bank_transfer",
        amount=Money(max(invoice.due_minor * step.details["percent"] // 100, 1), invoice.currency),
        reference=cheque or f"transfer {step.day} {step.minute}",
        received_on=world.today,
        reason=REASON,
        actor_id=world.staff_id,
        now=world.now,
    )
    return "recorded"


def bank_return(world: World, step: Step) -> str:
    """The bank returns the payer's oldest payment that it has not: the cheque bounced."""
    stood = BankPayment.objects.filter(invoice__payer=world.payer(step.who), returned_at=None)
    oldest = stood.order_by("recorded_at", "id").first()
    if oldest is None:
        return NOTHING
    payments.return_bank_payment(
        payment_id=oldest.id, reason=REASON, returned_on=world.today, actor_id=world.staff_id, now=world.now
    )
    return "returned"


def hold(world: World, step: Step) -> str:
    """Staff take an invoice out of collection for a while."""
    invoice = invoice_of(world, step, OWED)
    if invoice is None:
        return NOTHING
    disputes.place_hold(
        invoice_id=invoice.id,
        kind="staff",
        cause=f"call {step.day}",
        amount=None,
        reason=REASON,
        actor_id=world.staff_id,
        now=world.now,
    )
    return "held"


def lift_hold(world: World, step: Step) -> str:
    """Staff lift the oldest hold."""
    oldest = Hold.objects.filter(lifted_at=None).order_by("placed_at", "id").first()
    if oldest is None:
        return NOTHING
    payments.lift_hold(hold_id=oldest.id, actor_id=world.staff_id, reason=REASON, now=world.now)
    return "lifted"
