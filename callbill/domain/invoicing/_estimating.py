"""What the current period would come to if it ended now: the same pricing, nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.customers.models import Company
from callbill.domain.customers.queries import payer_for
from callbill.domain.invoicing._gathering import earlier_stretches
from callbill.domain.invoicing._inputs import inputs_of
from callbill.domain.invoicing._periods import companies_in
from callbill.domain.invoicing._pricing import ToPrice, price_sections
from callbill.domain.usage import queries as calls
from callbill.rules.money import Money
from callbill.rules.period import Period, following
from callbill.rules.rating import pools_anything
from callbill.rules.totals import Rated, consolidate, total_of


@dataclass(frozen=True, slots=True)
class Estimate:
    """The usage so far, priced; `counted_until` says how fresh it is."""

    period: Period
    rated: Rated
    received: int
    billable: int
    counted_until: datetime

    @property
    def subtotal(self) -> Money:
        """Before tax."""
        return Money(self.rated.subtotal, self.rated.currency)

    @property
    def tax(self) -> Money:
        """The tax."""
        return Money(self.rated.tax, self.rated.currency)

    @property
    def total(self) -> Money:
        """With tax."""
        return Money(self.rated.total, self.rated.currency)


def estimate(company_id: UUID, period: Period, *, now: datetime) -> Estimate | None:
    """Price the calls of the period that came in so far, as its invoice would.

    The fees that the invoice will have are in it, those in advance and set-up fees too; adjustments and late
    calls are not. Every contract version that holds in the period prices its days. Where companies pool, it
    is the company's share of what all of them used so far. None when no contract holds in the period.
    """
    company = Company.objects.get(id=company_id)
    own = _parts(company, period)
    if not own:
        return None
    sections = [own]
    payer = payer_for(company_id, period.first_day)
    if payer is not None and any(pools_anything(part.terms) for part in own):
        others = [other for other in companies_in(payer, period) if other.id != company_id]
        sections += [_parts(other, period) for other in others]
    rated = consolidate(price_sections(sections)[0])
    notes = dict.fromkeys(part.tax_note for part in rated if part.tax_note)
    lines = [line for part in rated for line in part.lines]
    return Estimate(
        period,
        total_of(lines, rated[0].currency, "; ".join(notes)),
        sum(part.count.received for part in own),
        sum(part.count.billable for part in own),
        now,
    )


def _parts(company: Company, period: Period) -> list[ToPrice]:
    """The company's calls so far under each version that holds in the period, with what issuing adds."""
    found = contracts.stretches_for(company.id, period)
    if not found:
        return []
    payer = payer_for(company.id, period.first_day) or payer_for(company.id, period.last_day)
    coming = following(period, found[-1].terms.billing_day)
    goes_on = payer is not None and company in companies_in(payer, coming)
    all_inputs = inputs_of(
        found, company, payer, earlier=earlier_stretches(company, period), payer_goes_on=goes_on
    )
    parts = []
    for stretch, inputs in zip(found, all_inputs, strict=True):
        count = calls.count_between(
            company_id=company.id,
            start=stretch.span.start,
            end=stretch.span.end,
            terms=stretch.terms,
            calendars=inputs.calendars,
        )
        parts.append(ToPrice(stretch.terms, stretch.span, count, inputs))
    return parts
