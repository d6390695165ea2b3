"""Gathering what an invoice's sections are made of: settled calls, terms, adjustments, late calls.

Runs inside the issuing transaction: the calls are marked as settled first and counted by that mark, so that
what is counted is exactly what is frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.contracts.queries import VersionStretch
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.invoicing._inputs import given_back, inputs_of
from callbill.domain.invoicing._late import (
    OldPart,
    beside,
    in_order,
    late_ids_of,
    late_items,
    to_json,
)
from callbill.domain.invoicing._pricing import ToPrice, price_sections
from callbill.domain.invoicing.models import Adjustment, Stretch
from callbill.domain.usage import operations as usage
from callbill.domain.usage import queries as calls
from callbill.lib.fields import new_id
from callbill.rules.counting import Calendars, Count
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import Period
from callbill.rules.rating import AdjustmentItem
from callbill.rules.totals import Rated

ADJUSTMENT = "adjustment"


@dataclass(slots=True)
class StretchDraft:
    """A stretch before it is written; its id already marks its calls."""

    id: UUID
    kind: str
    version: VersionStretch
    inputs: dict[str, Any]
    count: Count
    digest: str


@dataclass(slots=True)
class SectionDraft:
    """A company's section before it is written. `rated` has one entry per stretch of the period."""

    company: Company
    found: list[VersionStretch]
    earlier: list[Stretch]
    stretches: list[StretchDraft] = field(default_factory=list)
    items: list[AdjustmentItem] = field(default_factory=list)
    adjustments: dict[str, Adjustment] = field(default_factory=dict)
    rated: list[Rated] = field(default_factory=list)


def gather(
    payer: BillableEntity, companies: Sequence[Company], period: Period, *, goes_on: set[UUID]
) -> list[SectionDraft]:
    """The sections of a payer's invoice for a period, priced; none for companies without a contract in it.

    `goes_on` are the companies that the payer pays for in the next period too: their fees in advance are due.
    """
    drafts = [
        SectionDraft(company, found, earlier_stretches(company, period))
        for company in companies
        if (found := contracts.stretches_for(company.id, period))
    ]
    _late(drafts, period)
    sections = [_own(draft, payer, payer_goes_on=draft.company.id in goes_on) for draft in drafts]
    for draft, rated in zip(drafts, price_sections(sections), strict=True):
        draft.rated = rated
    return drafts


def _own(draft: SectionDraft, payer: BillableEntity, *, payer_goes_on: bool) -> list[ToPrice]:
    """Settle the calls of each stretch of the period by its days, with all that goes into its price (M8)."""
    all_inputs = inputs_of(
        draft.found, draft.company, payer, earlier=draft.earlier, payer_goes_on=payer_goes_on
    )
    for inputs in all_inputs:
        if inputs.given_back is not None:
            old = next(each for each in draft.earlier if each.id == inputs.given_back.stretch)
            draft.items += given_back(inputs, old)
    for adjustment in _waiting(draft.company):
        if adjustment.currency == draft.found[-1].terms.currency:
            key = f"{ADJUSTMENT}:{adjustment.id}"
            draft.adjustments[key] = adjustment
            draft.items.append(adjustment_item(adjustment))
    parts = []
    for stretch, inputs in zip(draft.found, all_inputs, strict=True):
        stretch_id = new_id()
        _settle(stretch_id, stretch, draft.company)
        settled = _drafted(stretch_id, "period", stretch, inputs.to_json(), inputs.calendars)
        draft.stretches.append(settled)
        items = tuple(draft.items) if stretch is draft.found[-1] else ()
        parts.append(ToPrice(stretch.terms, stretch.span, settled.count, inputs, items))
    return parts


def adjustment_item(row: Adjustment) -> AdjustmentItem:
    """An adjustment as rating takes it: taxed as the charge it corrects, or not at all without one."""
    return AdjustmentItem(
        f"{ADJUSTMENT}:{row.id}",
        row.name,
        row.amount_minor,
        taxable=row.charge is not None,
        charge=row.charge,
    )


def _waiting(company: Company) -> list[Adjustment]:
    """Adjustments that wait for this invoice, locked, in the order they were made."""
    waiting = Adjustment.objects.select_for_update().filter(company=company, line__isnull=True)
    return list(waiting.order_by("created_at", "id"))


def earlier_stretches(company: Company, period: Period) -> list[Stretch]:
    """What was billed of the time before: a voided month is billed again as if no later one were there."""
    return list(
        Stretch.objects.filter(section__company=company, kind="period", end_day__lte=period.first_day)
        .exclude(section__invoice__status=InvoiceStatus.VOID)
        .select_related("version")
        .order_by("first_day")
    )


def _settle(stretch_id: UUID, stretch: VersionStretch, company: Company) -> None:
    """Settle the unsettled calls of a stretch by their anchor instants (M7)."""
    usage.settle(
        company_id=company.id,
        start=stretch.span.start,
        end=stretch.span.end,
        anchor=stretch.terms.billable.anchor,
        settlement_id=stretch_id,
    )


def _drafted(
    stretch_id: UUID, kind: str, stretch: VersionStretch, image: dict[str, Any], calendars: Calendars
) -> StretchDraft:
    """A stretch with what its settled calls count."""
    count = calls.count_settled([stretch_id], stretch.terms, calendars)
    _, digest = calls.digest(stretch_id)
    return StretchDraft(stretch_id, kind, stretch, image, count, digest)


def _late(drafts: Sequence[SectionDraft], period: Period) -> None:
    """Calls of periods already billed that came in since: settled now, priced as the difference (M20)."""
    by_company = {draft.company.id: draft for draft in drafts}
    seen: set[UUID] = set()
    groups: list[list[OldPart]] = []
    for draft in drafts:
        for base in draft.earlier:
            if base.id not in seen and _has_late(draft, base, period):
                together = beside(base)
                seen |= {each.id for each in together}
                groups.append(
                    [
                        OldPart(
                            each,
                            (each.id, *late_ids_of(each)),
                            new_id() if each.section.company_id in by_company else None,
                        )
                        for each in together
                    ]
                )
    for group in in_order(groups):
        for part in group:
            if part.late_id is None:
                continue
            draft = by_company[part.base.section.company_id]
            inputs = part.inputs
            stretch = VersionStretch(part.base.version, part.terms, inputs.period, part.span)
            # Without late calls of its own, its price may still change with that of its neighbours.
            if _has_late(draft, part.base, period):
                _settle(part.late_id, stretch, draft.company)
            draft.stretches.append(
                _drafted(part.late_id, "late", stretch, to_json(part, group), inputs.calendars)
            )
        items = late_items(group)
        for part in group:
            if part.late_id is not None:
                by_company[part.base.section.company_id].items += items[part.late_id]


def _has_late(draft: SectionDraft, base: Stretch, period: Period) -> bool:
    """Whether calls of an earlier stretch wait that the contract's window still takes (M20)."""
    terms = contracts.terms_of_document(base.terms)
    span = Period(base.first_day, base.end_day, terms.time_zone)
    horizon = period.end - timedelta(days=draft.found[-1].terms.late_window_days)
    return span.end >= horizon and calls.has_unsettled(
        company_id=draft.company.id, start=span.start, end=span.end, anchor=terms.billable.anchor
    )
