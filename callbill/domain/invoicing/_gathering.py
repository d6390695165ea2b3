"""Gathering what one company's section is made of: its settled calls, terms, waiting adjustments, late calls.

Runs inside the issuing transaction: the calls are marked as settled first and counted by that mark, so that
what is counted is exactly what is frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.contracts.queries import VersionStretch
from callbill.domain.customers.models import Company
from callbill.domain.invoicing._pricing import Inputs, late_items, price
from callbill.domain.invoicing.models import Adjustment, InvoiceSection, Stretch
from callbill.domain.usage import operations as usage
from callbill.domain.usage import queries as calls
from callbill.lib.fields import new_id
from callbill.rules.counting import Count
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import Part, Period, following
from callbill.rules.rating import AdjustmentItem, set_up_fees
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated

ADJUSTMENT = "adjustment"


@dataclass(slots=True)
class StretchDraft:
    """A stretch before it is written; its id already marks its calls."""

    id: UUID
    kind: str
    version: VersionStretch
    inputs: dict[str, object]
    count: Count
    digest: str


@dataclass(slots=True)
class SectionDraft:
    """A company's section before it is written. `rated` has one entry per stretch of the period."""

    company: Company
    stretches: list[StretchDraft] = field(default_factory=list)
    rated: list[Rated] = field(default_factory=list)
    adjustments: dict[str, Adjustment] = field(default_factory=dict)


def gather(company: Company, period: Period, *, payer_goes_on: bool) -> SectionDraft | None:
    """The section of a company for a period; None when no contract version holds in it.

    `payer_goes_on`: the same payer also pays for the next period, so fees in advance are due.
    """
    found = contracts.stretches_for(company.id, period)
    if not found:
        return None
    draft = SectionDraft(company)
    earlier = _earlier_stretches(company, period)
    first_ever = not earlier
    items = _late(draft, earlier, period, found[-1].terms)
    for adjustment in _waiting(company):
        if adjustment.currency == found[-1].terms.currency:
            draft.adjustments[f"{ADJUSTMENT}:{adjustment.id}"] = adjustment
            items.append(adjustment_item(adjustment))
    for stretch in found:
        is_last = stretch is found[-1]
        inputs = _inputs(
            stretch, company, first_ever=first_ever and stretch is found[0], ahead=payer_goes_on and is_last
        )
        settled = _settle(stretch, "period", stretch.span, inputs.to_json(), company)
        draft.stretches.append(settled)
        draft.rated.append(
            price(stretch.terms, stretch.span, settled.count, inputs, items if is_last else ())
        )
    return draft


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


def _earlier_stretches(company: Company, period: Period) -> list[Stretch]:
    """What was billed of the time before: a voided month is billed again as if no later one were there."""
    return list(
        Stretch.objects.filter(section__company=company, kind="period", end_day__lte=period.first_day)
        .exclude(section__invoice__status=InvoiceStatus.VOID)
        .select_related("version")
        .order_by("first_day")
    )


def _inputs(stretch: VersionStretch, company: Company, *, first_ever: bool, ahead: bool) -> Inputs:
    """Set-up fees on a company's first invoice; fees in advance for the next period, then also for this."""
    terms, period = stretch.terms, stretch.period
    parts = [Part(stretch.span, period)] if first_ever else []
    document = None
    if ahead:
        coming = following(period, terms.billing_day)
        after = contracts.stretches_for(company.id, coming)
        if after:
            parts.append(Part(after[0].span, coming))
            if after[0].version.id != stretch.version.id:
                document = after[0].version.document
    return Inputs(period, tuple(parts), document, set_up_fees(terms) if first_ever else frozenset())


def _settle(
    stretch: VersionStretch, kind: str, span: Period, inputs: dict[str, object], company: Company
) -> StretchDraft:
    stretch_id = new_id()
    usage.settle(
        company_id=company.id,
        start=span.start,
        end=span.end,
        anchor=stretch.terms.billable.anchor,
        settlement_id=stretch_id,
    )
    count = calls.count_settled([stretch_id], stretch.terms)
    _, digest = calls.digest(stretch_id)
    return StretchDraft(stretch_id, kind, stretch, inputs, count, digest)


def _late(draft: SectionDraft, earlier: list[Stretch], period: Period, terms: Terms) -> list[AdjustmentItem]:
    """Calls of periods already billed that came in since: settled now, priced as the difference (M20)."""
    horizon = period.end - timedelta(days=terms.late_window_days)
    items: list[AdjustmentItem] = []
    for old in earlier:
        old_terms = contracts.terms_of_document(old.terms)
        span = Period(old.first_day, old.end_day, old_terms.time_zone)
        if span.end < horizon or not calls.has_unsettled(
            company_id=draft.company.id, start=span.start, end=span.end, anchor=old_terms.billable.anchor
        ):
            continue
        whole = Inputs.from_json(old.inputs, old_terms.time_zone).period
        before_ids = [old.id, *late_ids_of(old)]
        version = VersionStretch(old.version, old_terms, whole, span)
        before = calls.count_settled(before_ids, old_terms)
        settled = _settle(version, "late", span, {"of": [str(i) for i in before_ids]}, draft.company)
        after = calls.count_settled([*before_ids, settled.id], old_terms)
        draft.stretches.append(settled)
        items += late_items(
            terms=old_terms, period=whole, span=span, before=before, after=after, stretch_id=str(settled.id)
        )
    return items


def late_ids_of(old: Stretch) -> list[UUID]:
    """The late stretches already billed for an earlier period's stretch, in order."""
    return list(
        Stretch.objects.filter(
            section__company_id=InvoiceSection.objects.values("company_id").filter(id=old.section_id)[:1],
            kind="late",
            first_day=old.first_day,
            end_day=old.end_day,
        )
        .exclude(section__invoice__status=InvoiceStatus.VOID)
        .order_by("id")
        .values_list("id", flat=True)
    )
