"""Staff decide a proposed credit, once: it goes on the next invoice, or it does not (M21, M22)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from callbill.domain.invoicing.models import Adjustment, CreditProposal, Stretch
from callbill.domain.usage.operations import refuse_corrections
from callbill.domain.users.operations import record_staff_action
from callbill.lib.transactions import in_transaction
from callbill.rules.money import Money
from callbill.rules.period import Period

_KINDS = {
    CreditProposal.Cause.CORRECTED_CALLS: Adjustment.Kind.CORRECTION,
    CreditProposal.Cause.OUTAGE: Adjustment.Kind.OUTAGE_CREDIT,
}


class CannotDecide(Exception):
    """The proposal was decided already, or is no longer what staff saw; the message says which."""


@in_transaction
def approve_proposal(
    *, proposal_id: UUID, seen: Money, reason: str, actor_id: UUID, now: datetime
) -> list[Adjustment]:
    """Put a proposed credit on the company's next invoice: an adjustment for each charge, taxed as it.

    `seen` is the amount before tax that staff saw and approve. Raises CannotDecide if the proposal has been
    decided or come to another amount since, ReasonMissing without a reason, CreditProposal.DoesNotExist.
    """
    proposal = _open(proposal_id)
    if Money(proposal.amount_minor, proposal.currency) != seen:
        raise CannotDecide(
            "More calls were corrected since you opened the proposal, and it has changed. Look at it again."
        )
    adjustments = [
        Adjustment.objects.create(
            company=proposal.company,
            proposal=proposal,
            kind=_KINDS[CreditProposal.Cause(proposal.cause)],
            name=f"{proposal.title}: {line['name']}"[:200],
            amount_minor=-line["amount"],
            currency=proposal.currency,
            reason=reason.strip(),
            period=_period_key(proposal),
            incident=proposal.incident,
            charge=line["charge"],
            created_at=now,
            created_by_id=actor_id,
        )
        for line in proposal.lines
    ]
    _decide(
        proposal, CreditProposal.State.APPROVED, "approve_proposal", reason=reason, actor_id=actor_id, now=now
    )
    return adjustments


@in_transaction
def refuse_proposal(*, proposal_id: UUID, reason: str, actor_id: UUID, now: datetime) -> None:
    """Say no to a proposed credit: nothing is credited, and the calls stand as they were billed.

    Raises CannotDecide if it has been decided, ReasonMissing without a reason, CreditProposal.DoesNotExist.
    """
    proposal = _open(proposal_id)
    _decide(
        proposal, CreditProposal.State.REFUSED, "refuse_proposal", reason=reason, actor_id=actor_id, now=now
    )
    refuse_corrections(proposal_id=proposal.id, now=now)


def _open(proposal_id: UUID) -> CreditProposal:
    """The proposal, locked, with its stretch locked first as proposing does. Raises CannotDecide."""
    found = CreditProposal.objects.get(id=proposal_id)
    if found.stretch_id:
        Stretch.objects.select_for_update().get(id=found.stretch_id)
    proposal = (
        CreditProposal.objects.select_for_update(of=("self",))
        .select_related("company", "decided_by", "stretch")
        .get(id=proposal_id)
    )
    if proposal.state != CreditProposal.State.PROPOSED:
        by = f" by {proposal.decided_by}" if proposal.decided_by else ""
        raise CannotDecide(
            f"The proposal was {proposal.state} on {proposal.decided_at:%d %B %Y}{by} and stays as decided."
        )
    return proposal


def _decide(
    proposal: CreditProposal, state: str, action: str, *, reason: str, actor_id: UUID, now: datetime
) -> None:
    record_staff_action(
        actor_id=actor_id,
        action=action,
        subject_kind="company",
        subject_id=str(proposal.company_id),
        subject_label=proposal.company.name,
        reason=reason,
        details={
            "proposal": proposal.title,
            "amount": str(Money(proposal.amount_minor, proposal.currency)),
            "tax": str(Money(proposal.tax_minor, proposal.currency)),
            "incident": proposal.incident,
        },
        now=now,
    )
    proposal.state = state
    proposal.decided_at = now
    proposal.decided_by_id = actor_id
    proposal.decision_reason = reason.strip()
    proposal.save()


def _period_key(proposal: CreditProposal) -> str:
    if proposal.stretch is None:
        return ""
    stretch = proposal.stretch
    return Period(stretch.first_day, stretch.end_day, "UTC").key
