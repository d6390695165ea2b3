"""What the current period would come to if it ended now: the same pricing, nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.invoicing._pricing import Inputs, price
from callbill.domain.usage import queries as calls
from callbill.rules.money import Money
from callbill.rules.period import Period
from callbill.rules.totals import Rated


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
    """Price the calls of the period that came in so far, with its monthly fees and minimum.

    Fees in advance are shown for the period itself. None when no contract holds in it.
    """
    found = contracts.stretches_for(company_id, period)
    if not found:
        return None
    stretch = found[-1]
    count = calls.count_between(
        company_id=company_id, start=stretch.span.start, end=stretch.span.end, terms=stretch.terms
    )
    rated = price(stretch.terms, stretch.span, count, Inputs(period, (), None, frozenset()))
    return Estimate(period, rated, count.received, count.billable, now)
