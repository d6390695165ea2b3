"""Proposed credits and outages as staff look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator

from callbill.domain.customers.queries import NotFound, Viewer
from callbill.domain.invoicing.models import Adjustment, CreditProposal, Outage
from callbill.rules.money import Money
from callbill.rules.period import Period

PAGE_SIZE = 25
STATES = tuple((state.value, str(state.label)) for state in CreditProposal.State)


@dataclass(frozen=True, slots=True)
class ProposedLine:
    """What one charge would be credited; negative: charged."""

    name: str
    amount: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A call behind a proposal: what was billed and what holds now, or that it started in the outage."""

    source: str
    source_call_id: str
    started_at: datetime
    was: str
    now: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposed credit (or charge, if negative) with all that staff need to decide it."""

    id: UUID
    title: str
    cause: str
    state: str
    state_word: str
    company_key: str
    company_name: str
    invoice_number: str
    period_label: str
    time_zone: str
    explanation: str
    amount: Money
    tax: Money
    lines: tuple[ProposedLine, ...]
    calls: tuple[ProposedCall, ...]
    incident: str
    created_at: datetime
    decided_at: datetime | None
    decided_by: str
    decision_reason: str
    on_invoices: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether staff have to decide it."""
        return self.state == CreditProposal.State.PROPOSED

    @property
    def is_charge(self) -> bool:
        """Whether the customer would pay more."""
        return self.amount.minor < 0

    @property
    def total(self) -> Money:
        """With the tax."""
        return self.amount + self.tax


def proposal_page(viewer: Viewer, *, state: str = "", page: int = 1) -> Page[CreditProposal]:
    """A page of proposals of a state or all, those that wait first. Raises NotFound for others than staff."""
    _staff_only(viewer)
    found = CreditProposal.objects.select_related("company", "invoice")
    if state:
        found = found.filter(state=state)
    return Paginator(found.order_by("decided_at", "-created_at"), PAGE_SIZE).get_page(page)


def proposals_waiting(viewer: Viewer) -> int:
    """How many proposals wait for staff. Raises NotFound for others."""
    _staff_only(viewer)
    return CreditProposal.objects.filter(state=CreditProposal.State.PROPOSED).count()


def one_proposal(viewer: Viewer, proposal_id: UUID) -> ProposalView:
    """One proposal, for staff. Raises NotFound, also for others."""
    _staff_only(viewer)
    found = (
        CreditProposal.objects.select_related("company", "invoice", "stretch", "decided_by")
        .filter(id=proposal_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such proposal.")
    stretch, invoice = found.stretch, found.invoice
    adjustments = Adjustment.objects.filter(proposal=found, line__isnull=False)
    numbers = adjustments.values_list("line__section__invoice__number", flat=True).distinct()
    return ProposalView(
        id=found.id,
        title=found.title,
        cause=str(found.get_cause_display()),
        state=found.state,
        state_word=str(found.get_state_display()),
        company_key=found.company.key,
        company_name=found.company.name,
        invoice_number=(invoice.number or "") if invoice else "",
        period_label=Period(stretch.first_day, stretch.end_day, "UTC").label if stretch else "",
        time_zone=invoice.time_zone if invoice else "UTC",
        explanation=found.explanation,
        amount=Money(found.amount_minor, found.currency),
        tax=Money(found.tax_minor, found.currency),
        lines=tuple(_line(line, found.currency) for line in found.lines),
        calls=tuple(_call(call) for call in found.calls),
        incident=found.incident,
        created_at=found.created_at,
        decided_at=found.decided_at,
        decided_by=str(found.decided_by) if found.decided_by else "",
        decision_reason=found.decision_reason,
        on_invoices=tuple(sorted(str(number) for number in numbers)),
    )


def open_proposal_for(viewer: Viewer, call_id: UUID) -> UUID | None:
    """The proposal that waits for staff and has this call, if any. Raises NotFound for others than staff."""
    _staff_only(viewer)
    found = CreditProposal.objects.filter(
        state=CreditProposal.State.PROPOSED,
        cause=CreditProposal.Cause.CORRECTED_CALLS,
        calls__contains=[{"call": str(call_id)}],
    )
    return found.values_list("id", flat=True).first()


def outages_of(viewer: Viewer, company_id: UUID, *, limit: int = 50) -> list[Outage]:
    """The latest outages of a company, with their proposals, for staff. Raises NotFound for others."""
    _staff_only(viewer)
    found = Outage.objects.filter(company_id=company_id).select_related("proposal", "created_by")
    return list(found.order_by("-starts_at")[:limit])


def _line(line: dict[str, Any], currency: str) -> ProposedLine:
    return ProposedLine(line["name"], Money(line["amount"], currency), Money(line["tax"], currency))


def _call(call: dict[str, Any]) -> ProposedCall:
    return ProposedCall(
        source=call["source"],
        source_call_id=call["source_call_id"],
        started_at=datetime.fromisoformat(call["started_at"]),
        was=call["was"],
        now=call["now"],
        reason=call.get("reason", ""),
        by=call.get("by", ""),
    )


def _staff_only(viewer: Viewer) -> None:
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
