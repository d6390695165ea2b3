"""A month that was billed, what becomes known of its calls later, and what staff decide."""

from __future__ import annotations

from datetime import date
from typing import Any

from callbill.domain.customers.models import Company
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Adjustment, CreditProposal, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import propose_corrections, run_billing
from callbill.domain.invoicing.queries import verify_invoice
from callbill.domain.usage.models import Call, CallCorrection
from callbill.domain.usage.operations import correct_call
from callbill.domain.users.models import User
from callbill.rules.money import Money
from tests.domain import world

FEBRUARY = world.at("2026-02-01T09:00")
TENTH = world.at("2026-02-10T09:00")
MARCH = world.at("2026-03-01T09:00")


def billed(count: int, contract: str = world.PER_CALL) -> tuple[Company, list[Call]]:
    """Acme with so many calls of January, billed on 1 February."""
    acme = world.company(contract=world.terms(contract))
    made = world.calls(acme, count)
    run_billing(now=FEBRUARY)
    return acme, made


def say(call: Call, actor: User, says: Any = "spam", reason: str = "A robot") -> CallCorrection:
    return correct_call(call_id=call.id, says=says, reason=reason, actor_id=actor.id, now=TENTH)


def the_proposal() -> CreditProposal:
    assert propose_corrections(now=TENTH).problems == []
    return CreditProposal.objects.get(state="proposed")


def approve(proposal: CreditProposal, actor: User, reason: str = "It was spam") -> list[Adjustment]:
    seen = Money(proposal.amount_minor, proposal.currency)
    return invoicing.approve_proposal(
        proposal_id=proposal.id, seen=seen, reason=reason, actor_id=actor.id, now=TENTH
    )


def refuse(proposal: CreditProposal, actor: User) -> None:
    invoicing.refuse_proposal(proposal_id=proposal.id, reason="It was no spam", actor_id=actor.id, now=TENTH)


def next_invoice() -> Invoice:
    run_billing(now=MARCH)
    invoice = Invoice.objects.get(first_day=date(2026, 2, 1))
    assert verify_invoice(str(invoice.number)) == []
    return invoice


def adjustment_lines(invoice: Invoice) -> list[tuple[str, int, int]]:
    found = InvoiceLine.objects.filter(section__invoice=invoice, kind="adjustment").order_by("position")
    return [(line.name, line.amount_minor, line.tax_minor) for line in found]
