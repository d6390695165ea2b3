"""What the current period would come to if it ended now: the same pricing, nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.customers.models import Company
from callbill.domain.customers.queries import payer_for
from callbill.domain.invoicing._inputs import with_dated_facts
from callbill.domain.invoicing._periods import companies_in
from callbill.domain.invoicing._pricing import Inputs, ToPrice, price_sections
from callbill.domain.usage import queries as calls
from callbill.rules.money import Money
from callbill.rules.period import Period
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
    """Price the calls of the period that came in so far, with its fees in arrears and minimum.

    Every contract version that holds in it prices its days. Where companies pool, it is the company's share
    of what all of them used so far. None when no contract holds in the period.
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
    """The company's calls so far under each version that holds in the period."""
    found = contracts.stretches_for(company.id, period)
    payer = payer_for(company.id, period.first_day) or payer_for(company.id, period.last_day)
    parts = []
    for stretch in found:
        nothing_ahead = Inputs(period, (), None, frozenset(), closes_period=stretch is found[-1])
        inputs = with_dated_facts(nothing_ahead, stretch, company, payer)
        count = calls.count_between(
            company_id=company.id,
            start=stretch.span.start,
            end=stretch.span.end,
            terms=stretch.terms,
            calendars=inputs.calendars,
        )
        parts.append(ToPrice(stretch.terms, stretch.span, count, inputs))
    return parts
