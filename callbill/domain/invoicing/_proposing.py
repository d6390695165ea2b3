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

from callbill.domain.invoicing._late import OldPart, beside, late_ids_of
from callbill.domain.invoicing._pricing import ToPrice, price, price_sections
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
    """Propose the credit for every correction that waits: one proposal for a company's billed period.

    Each invoice in its own transaction: what cannot be priced keeps waiting and is named in the report.
    """
    report = ProposingReport()
    bases: dict[UUID, Stretch] = {}
    for settlement_id in calls.corrections_waiting():
        stretch = Stretch.objects.select_related("section").filter(id=settlement_id).first()
        if stretch is not None:
            bases[stretch.id if stretch.kind == "period" else UUID(stretch.inputs["of"][0])] = stretch
    done: set[UUID] = set()
    for base_id, stretch in bases.items():
        if base_id in done:
            continue
        try:
            proposals, together = _propose(base_id=base_id, now=now)
        except Exception as error:
            report.problems.append(
                f"{stretch.section}: the credit for corrected calls cannot be computed: {error}"
            )
            continue
        done |= together
        report.proposals += proposals
    return report


@in_transaction
def _propose(*, base_id: UUID, now: datetime) -> tuple[list[UUID], set[UUID]]:
    """Make, renew or withdraw the proposals of all sections whose prices hang together with a stretch's.

    Answers the proposals and the stretches that were looked at.
    """
    bases = beside(Stretch.objects.select_related("section__invoice").get(id=base_id))
    together = {base.id for base in bases}
    list(Stretch.objects.select_for_update(of=("self",)).filter(id__in=together).order_by("id"))
    proposals = []
    for parts, found in differences(bases):
        proposal = _propose_section(parts, found, now)
        if proposal is not None:
            proposals.append(proposal.id)
    return proposals, together


def _propose_section(parts: Sequence[OldPart], found: Difference, now: datetime) -> CreditProposal | None:
    first = parts[0].base
    invoice = first.section.invoice
    open_one = (
        CreditProposal.objects.select_for_update()
        .filter(stretch=first, cause=CreditProposal.Cause.CORRECTED_CALLS)
        .filter(state=CreditProposal.State.PROPOSED)
        .first()
    )
    corrected = calls.corrected_calls(
        [settlement_id for part in parts for settlement_id in part.settled],
        proposal_id=open_one.id if open_one else None,
    )
    corrections = [correction.id for correction in corrected]
    if not found.matters:
        usage.mark_examined(correction_ids=corrections, proposal_id=None, now=now)
        if open_one is not None:
            _withdraw(open_one, WITHDRAWN, now)
        return None
    proposal = open_one or CreditProposal(
        company_id=first.section.company_id,
        invoice=invoice,
        stretch=first,
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
    days: Period
    before: tuple[int, int]  # calls billable, calls received
    after: tuple[int, int]
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
        return f"{self.days.first_day:%B %Y}"

    def in_words(self, number: str, calls_corrected: int) -> str:
        """The computation in plain words with its figures."""
        told = [
            f"{_calls(calls_corrected)} of {self.days.label} changed after invoice {number}."
            if calls_corrected
            else f"Calls of the same pool changed after invoice {number}, and with them each share.",
            f"Billed: {_calls(self.before[0])} of {formats.figure(self.before[1])} received; "
            f"with fees, discounts and minimum that is {self._money(self.was)} {self.taxed}.",
            f"As the calls are now: {_calls(self.after[0])} of {formats.figure(self.after[1])}; "
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


def differences(bases: Sequence[Stretch]) -> list[tuple[list[OldPart], Difference]]:
    """By section: the price of its calls as they were billed less the price of the calls as they hold now.

    `bases` are all stretches whose prices hang together. They are priced whole, at the terms and inputs of
    the invoice, with fees, discounts and minimum: a fee differs where its share of a discount does. What
    approved proposals credited before is taken off.
    """
    sections: dict[UUID, list[OldPart]] = {}
    for base in bases:
        sections.setdefault(base.section_id, []).append(OldPart(base, (base.id, *late_ids_of(base))))
    billed = [[part.to_price(part.settled) for part in parts] for parts in sections.values()]
    corrected = [
        [replace(priced, count=_corrected(part)) for part, priced in zip(parts, of, strict=True)]
        for parts, of in zip(sections.values(), billed, strict=True)
    ]
    every = zip(
        sections.values(), billed, corrected, price_sections(billed), price_sections(corrected), strict=True
    )
    return [
        (parts, _difference(parts, before, after, _nets(was), _nets(becomes)))
        for parts, before, after, was, becomes in every
    ]


def _corrected(part: OldPart) -> Count:
    return calls.count_corrected(part.settled, part.terms, part.inputs.calendars)


def _difference(
    parts: Sequence[OldPart], before: Sequence[ToPrice], after: Sequence[ToPrice], was: Nets, becomes: Nets
) -> Difference:
    credited = _credited(parts[0].base)
    lines = []
    for key in dict.fromkeys([*was, *becomes, *credited]):
        name = (was.get(key) or becomes.get(key) or credited[key])[0]
        amount = was.get(key, _NONE)[1] - becomes.get(key, _NONE)[1] - credited.get(key, _NONE)[1]
        if amount:
            lines.append(CreditLine(*key, name, amount))
    terms = parts[-1].terms
    return Difference(
        currency=terms.currency,
        days=Period(parts[0].span.first_day, parts[-1].span.end_day, terms.time_zone),
        before=(sum(part.count.billable for part in before), sum(part.count.received for part in before)),
        after=(sum(part.count.billable for part in after), sum(part.count.received for part in after)),
        taxed="with tax inside" if terms.tax.behavior == "inclusive" else "before tax",
        was=_sum(was),
        becomes=_sum(becomes),
        credited=_sum(credited),
        lines=with_tax(lines, parts[-1]),
    )


_NONE = ("", 0)
Nets = dict[Key, tuple[str, int]]


def _nets(rated: Sequence[Rated]) -> Nets:
    """What each charge comes to after discounts, in the contract's own prices (tax inside or not)."""
    nets: Nets = {}
    for line in (line for part in rated for line in part.lines):
        if line.kind != "discount":  # its amounts are in the shares of the others
            key = (line.kind, line.charge)
            nets[key] = (line.name, nets.get(key, _NONE)[1] + line.charged)
    return nets


def _credited(first: Stretch) -> Nets:
    """What approved proposals credited for the period, by charge; `first` is the section's first stretch."""
    nets: Nets = {}
    approved = CreditProposal.objects.filter(
        stretch=first, cause=CreditProposal.Cause.CORRECTED_CALLS, state=CreditProposal.State.APPROVED
    )
    for lines in approved.values_list("lines", flat=True):
        for line in lines:
            key = (line["kind"], line["charge"])
            nets[key] = (line["name"], nets.get(key, _NONE)[1] + line["amount"])
    return nets


def _sum(nets: Nets) -> int:
    return sum(net for _, net in nets.values())


def with_tax(lines: Sequence[CreditLine], part: OldPart) -> tuple[CreditLine, ...]:
    """The lines with the tax that comes on top of them, as if they stood alone on an invoice."""
    only_tax = replace(part.terms, usage=(), fees=(), minimum=None, discounts=())
    alone = replace(part.inputs, advance_for=(), advance_document=None, once_fees=frozenset())
    items = [
        AdjustmentItem(str(number), line.name, line.amount, charge=line.charge)
        for number, line in enumerate(lines)
    ]
    rated = price(only_tax, part.span, Count(0, 0, {}, ()), alone, items)
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
