"""What staff do with invoices that were issued."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from callbill.config.simulation.deeds._asked import NOTHING, OWED, REASON, invoice_of
from callbill.config.simulation.story import Step
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Adjustment, CreditProposal
from callbill.domain.payments import operations as payments
from callbill.rules.money import Money

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


def credit(world: World, step: Step) -> str:
    """Staff credit a part of every line, or all."""
    invoice = invoice_of(world, step, ("open", "past_due", "paid", "uncollectible"))
    if invoice is None:
        return NOTHING
    percent = step.details["percent"]
    lines = [line for section in invoice.sections.all() for line in section.lines.exclude(kind="discount")]
    amounts = {line.id: (line.amount_minor + line.discount_minor) * percent // 100 for line in lines}
    chosen = None if percent == 100 else {line: amount for line, amount in amounts.items() if amount}
    invoicing.credit_lines(
        invoice_id=invoice.id, amounts=chosen, reason=REASON, actor_id=world.staff_id, now=world.now
    )
    return "credited"


def void(world: World, step: Step) -> str:
    """Staff withdraw an unpaid invoice, and bill its period again at once or by the next run."""
    invoice = invoice_of(world, step, OWED)
    if invoice is None:
        return NOTHING
    invoicing.void_invoice(
        invoice_id=invoice.id,
        reason=REASON,
        actor_id=world.staff_id,
        now=world.now,
        bill_again=step.details["again"],
    )
    return "void"


def write_off(world: World, step: Step) -> str:
    """Staff give up an invoice."""
    invoice = invoice_of(world, step, ("past_due",))
    if invoice is None:
        return NOTHING
    invoicing.write_off(invoice_id=invoice.id, reason=REASON, actor_id=world.staff_id, now=world.now)
    return "written off"


def recovery(world: World, step: Step) -> str:
    """Money comes by bank for an invoice that was written off."""
    invoice = invoice_of(world, step, ("uncollectible",))
    if invoice is None:
        return NOTHING
    payments.record_bank_payment(
        invoice_id=invoice.id,
        method="bank_transfer",
        amount=Money(invoice.due_minor, invoice.currency),
        reference=f"bank {step.day}",
        received_on=world.now.date() - timedelta(days=1),
        reason=REASON,
        actor_id=world.staff_id,
        now=world.now,
    )
    return "recovered"


def adjust(world: World, step: Step) -> str:
    """Staff put a credit or a charge on a company's next invoice."""
    company = world.company(step.who)
    if company is None:
        return NOTHING
    invoicing.add_adjustment(
        company_id=company.id,
        kind=Adjustment.Kind.CORRECTION,
        name="Goodwill",
        amount=Money(step.details["cents"], world.story.currency_of(step.who)),
        reason=REASON,
        actor_id=world.staff_id,
        now=world.now,
    )
    return "waits for the next invoice"


def outage(world: World, step: Step) -> str:
    """Staff enter an hour and more in which no calls came through."""
    company = world.company(step.who)
    if company is None:
        return NOTHING
    day = world.today - timedelta(days=step.details["days_back"])
    starts = world.wall(day, 10)
    made = invoicing.propose_outage_credit(
        company_id=company.id,
        service="",
        starts=starts,
        ends=starts + timedelta(minutes=95),
        incident=f"INC-{step.day}",
        reason=REASON,
        actor_id=world.staff_id,
        now=world.now,
    )
    return "proposed" if made.proposal_id else "no credit"


def decide(world: World, step: Step) -> str:
    """Staff decide the oldest proposed credit."""
    waiting = CreditProposal.objects.filter(state="proposed").order_by("created_at", "id").first()
    if waiting is None:
        return NOTHING
    staff, now = world.staff_id, world.now
    if not step.details["approve"]:
        invoicing.refuse_proposal(proposal_id=waiting.id, reason=REASON, actor_id=staff, now=now)
        return "refused"
    seen = Money(waiting.amount_minor, waiting.currency)
    invoicing.approve_proposal(proposal_id=waiting.id, seen=seen, reason=REASON, actor_id=staff, now=now)
    return "approved"
