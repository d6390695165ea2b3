"""Calls corrected after they were billed: the exact difference, proposed to staff as a credit (M21).

The invoice stays. What its days come to by the calls as they were billed, less what they come to by the calls
as they hold now, less what was credited before, is proposed, charge by charge. While a proposal is open a
further correction brings it up to date; once decided it stays, and only the rest is proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.invoicing._late import late_ids_of
from callbill.domain.invoicing._pricing import Inputs, price
from callbill.domain.invoicing.models import CreditProposal, Invoice, Stretch
from callbill.domain.usage import operations as usage
from callbill.domain.usage import queries as calls
from callbill.domain.usage.queries import CorrectedCall
from callbill.lib import formats
from callbill.lib.transactions import in_transaction
from callbill.rules.counting import Count
from callbill.rules.money import Money
from callbill.rules.period import Period
from callbill.rules.rating import AdjustmentItem
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated

Key = tuple[str, str]
WITHDRAWN = "Withdrawn by itself: with a later correction there is no difference left."
VOIDED = "Withdrawn by itself: the invoice was voided."


@dataclass(slots=True)
class ProposingReport:
    """What came of the corrections that waited: proposals made or brought up to date, and what went wrong."""

    proposals: list[UUID] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CreditLine:
    """What one charge is credited, in minor units; negative: charged."""

    kind: str
    charge: str
    name: str
    amount: int
    tax: int = 0

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "kind": self.kind,
            "charge": self.charge,
            "name": self.name,
            "amount": self.amount,
            "tax": self.tax,
        }


def propose_corrections(*, now: datetime) -> ProposingReport:
    """Propose the credit for every correction that waits, one proposal for a company's billed days.

    Each in its own transaction: what cannot be priced keeps waiting and is named in the report.
    """
    report = ProposingReport()
    originals: dict[UUID, Stretch] = {}
    for settlement_id in calls.corrections_waiting():
        stretch = Stretch.objects.select_related("section").filter(id=settlement_id).first()
        if stretch is not None:
            original_id = stretch.id if stretch.kind == "period" else UUID(stretch.inputs["of"][0])
            originals[original_id] = stretch
    for original_id, found in originals.items():
        try:
            proposal = _propose(original_id=original_id, now=now)
        except Exception as error:
            whose = found.section
            report.problems.append(f"{whose}: the credit for corrected calls cannot be computed: {error}")
            continue
        if proposal is not None:
            report.proposals.append(proposal.id)
    return report


@in_transaction
def _propose(*, original_id: UUID, now: datetime) -> CreditProposal | None:
    """Make, renew or withdraw the open proposal for a stretch and the late calls of its days."""
    original = (
        Stretch.objects.select_for_update(of=("self",))
        .select_related("section__invoice", "section__company")
        .get(id=original_id)
    )
    open_one = (
        CreditProposal.objects.select_for_update()
        .filter(stretch=original, cause=CreditProposal.Cause.CORRECTED_CALLS)
        .filter(state=CreditProposal.State.PROPOSED)
        .first()
    )
    ids = [original.id, *late_ids_of(original)]
    invoice = original.section.invoice
    corrected = calls.corrected_calls(ids, proposal_id=open_one.id if open_one else None)
    corrections = [correction.id for correction in corrected]
    found = difference(original, ids)
    if not found.matters:
        usage.mark_examined(correction_ids=corrections, proposal_id=None, now=now)
        if open_one is not None:
            _withdraw(open_one, WITHDRAWN, now)
        return None
    proposal = open_one or CreditProposal(
        company=original.section.company,
        invoice=invoice,
        stretch=original,
        cause=CreditProposal.Cause.CORRECTED_CALLS,
        currency=invoice.currency,
        created_at=now,
    )
    proposal.title = f"Calls corrected after billing, {found.month}"
    proposal.explanation = found.in_words(str(invoice.number), len({each.call_id for each in corrected}))
    proposal.amount_minor, proposal.tax_minor = found.amount, found.tax
    proposal.lines = [line.to_json() for line in found.lines]
    proposal.calls = [_call_json(correction) for correction in corrected]
    proposal.save()
    usage.mark_examined(correction_ids=corrections, proposal_id=proposal.id, now=now)
    return proposal


def withdraw_proposals(invoice: Invoice, *, now: datetime) -> None:
    """The invoice is voided: what was proposed against it waits for the one that bills the calls again."""
    for proposal in CreditProposal.objects.select_for_update().filter(
        invoice=invoice, state=CreditProposal.State.PROPOSED
    ):
        usage.ask_again(proposal_id=proposal.id)
        _withdraw(proposal, VOIDED, now)


def _withdraw(proposal: CreditProposal, reason: str, now: datetime) -> None:
    proposal.state = CreditProposal.State.REFUSED
    proposal.decided_at = now
    proposal.decision_reason = reason
    proposal.save()


@dataclass(frozen=True, slots=True)
class Difference:
    """What a stretch's days came to and come to now, and what of the difference is not credited yet."""

    currency: str
    span: Period
    before: Count
    after: Count
    taxed: str
    was: int
    becomes: int
    credited: int
    lines: tuple[CreditLine, ...]

    @property
    def amount(self) -> int:
        """What is to be credited before tax; negative: charged."""
        return sum(line.amount for line in self.lines)

    @property
    def tax(self) -> int:
        """The tax on it."""
        return sum(line.tax for line in self.lines)

    @property
    def matters(self) -> bool:
        """Whether there is anything to credit or charge."""
        return self.amount != 0 or self.tax != 0

    @property
    def month(self) -> str:
        """ "January 2026"."""
        return f"{self.span.first_day:%B %Y}"

    def in_words(self, number: str, calls_corrected: int) -> str:
        """The computation in plain words with its figures."""
        told = [
            f"{_calls(calls_corrected)} of {self.span.label} changed after invoice {number}.",
            f"Billed: {_calls(self.before.billable)} of {formats.figure(self.before.received)} received; "
            f"with fees, discounts and minimum that is {self._money(self.was)} {self.taxed}.",
            f"As the calls are now: {_calls(self.after.billable)} of {formats.figure(self.after.received)}; "
            f"that is {self._money(self.becomes)}.",
            f"The difference is {self._money(self.was)} − {self._money(self.becomes)} = "
            f"{self._money(self.was - self.becomes)}.",
        ]
        if self.credited:
            told.append(
                f"Credited before: {self._money(self.credited)}, which leaves {self._money(self.amount)}."
            )
        if self.tax:
            told.append(
                f"The tax on it is {self._money(self.tax)}; the next invoice finds its tax on all its lines."
            )
        if self.amount < 0:
            told.append("The calls cost more than was billed, so it is a charge.")
        return " ".join(told)

    def _money(self, minor: int) -> str:
        return formats.money(Money(minor, self.currency))


def difference(original: Stretch, settlement_ids: Sequence[UUID]) -> Difference:
    """The price of a stretch's calls as they were billed less the price of the calls as they hold now.

    Both are priced whole, at the terms of the invoice, with discounts and minimum: a fee differs where its
    share of a discount does. What approved proposals credited before is taken off.
    """
    terms = contracts.terms_of_document(original.terms)
    span = Period(original.first_day, original.end_day, terms.time_zone)
    inputs = Inputs.from_json(original.inputs, terms.time_zone)
    before = calls.count_settled(settlement_ids, terms)
    after = calls.count_corrected(settlement_ids, terms)
    was, becomes = (_nets(price(terms, span, count, inputs)) for count in (before, after))
    credited = _credited(original)
    lines = []
    for key in dict.fromkeys([*was, *becomes, *credited]):
        name = (was.get(key) or becomes.get(key) or credited[key])[0]
        amount = was.get(key, _NONE)[1] - becomes.get(key, _NONE)[1] - credited.get(key, _NONE)[1]
        if amount:
            lines.append(CreditLine(*key, name, amount))
    return Difference(
        currency=terms.currency,
        span=span,
        before=before,
        after=after,
        taxed="with tax inside" if terms.tax.behavior == "inclusive" else "before tax",
        was=_sum(was),
        becomes=_sum(becomes),
        credited=_sum(credited),
        lines=with_tax(lines, terms, inputs, span),
    )


_NONE = ("", 0)
Nets = dict[Key, tuple[str, int]]


def _nets(rated: Rated) -> Nets:
    """What each charge comes to after discounts, in the contract's own prices (tax inside or not)."""
    nets: Nets = {}
    for line in rated.lines:
        if line.kind != "discount":  # its amounts are in the shares of the others
            key = (line.kind, line.charge)
            nets[key] = (line.name, nets.get(key, _NONE)[1] + line.charged)
    return nets


def _credited(original: Stretch) -> Nets:
    """What approved proposals credited for these days, by charge."""
    nets: Nets = {}
    approved = CreditProposal.objects.filter(
        stretch=original, cause=CreditProposal.Cause.CORRECTED_CALLS, state=CreditProposal.State.APPROVED
    )
    for lines in approved.values_list("lines", flat=True):
        for line in lines:
            key = (line["kind"], line["charge"])
            nets[key] = (line["name"], nets.get(key, _NONE)[1] + line["amount"])
    return nets


def _sum(nets: Nets) -> int:
    return sum(net for _, net in nets.values())


def with_tax(
    lines: Sequence[CreditLine], terms: Terms, inputs: Inputs, span: Period
) -> tuple[CreditLine, ...]:
    """The lines with the tax that comes on top of them, as if they stood alone on an invoice."""
    only_tax = replace(terms, usage=(), fees=(), minimum=None, discounts=())
    alone = replace(inputs, advance_for=(), advance_document=None, once_fees=frozenset())
    items = [
        AdjustmentItem(str(number), line.name, line.amount, charge=line.charge)
        for number, line in enumerate(lines)
    ]
    rated = price(only_tax, span, Count(0, 0, {}, ()), alone, items)
    on_top = {line.charge: 0 if line.tax_inside else line.tax for line in rated.lines}
    return tuple(replace(line, tax=on_top[str(number)]) for number, line in enumerate(lines))


def _calls(count: int) -> str:
    return f"{formats.figure(count)} call{'' if count == 1 else 's'}"


def _call_json(correction: CorrectedCall) -> dict[str, str]:
    return {
        "call": str(correction.call_id),
        "correction": str(correction.id),
        "source": correction.source,
        "source_call_id": correction.source_call_id,
        "started_at": correction.started_at.isoformat(),
        "was": correction.was,
        "now": correction.now,
        "reason": correction.reason,
        "by": correction.by,
    }
