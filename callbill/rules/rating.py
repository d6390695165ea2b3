"""From terms and quantities to priced lines: the functions behind every invoice, quote and estimate.

Order: usage and fees, discounts on them, the monthly minimum on what is left, adjustments, tax on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from callbill.rules.discounts import apply_discounts
from callbill.rules.fee_lines import History, fee_lines
from callbill.rules.lines import RatedLine, Step
from callbill.rules.minimum import counted_ids, counts, shortfall, true_up_line
from callbill.rules.money import plain
from callbill.rules.period import Part, Period
from callbill.rules.pool import pooled_lines, pooled_true_ups, pools, pools_minimum
from callbill.rules.prices import NOTHING, Quantity
from callbill.rules.tax import assess, percent_inside, rates_for, settle_under
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated, total_of
from callbill.rules.treatment import TAXED, TaxTreatment, reason_for
from callbill.rules.unpriced import NotPriced, unpriced
from callbill.rules.usage_lines import usage_line

__all__ = [
    "AdjustmentItem",
    "NotPriced",
    "Quantity",
    "RatingRequest",
    "pools_anything",
    "rate",
    "rate_pool",
    "set_up_fees",
    "unpriced",
]


@dataclass(frozen=True, slots=True)
class AdjustmentItem:
    """An approved credit or correction that goes onto this invoice (M22). `amount` is signed minor units.

    It is taxed as the charge it corrects; without a charge, by the rates for every line; not at all if it
    is not taxable. Where the contract's prices include tax, so does a taxable amount (M5).
    """

    id: str
    name: str
    amount: int
    taxable: bool = True
    charge: str | None = None


@dataclass(frozen=True, slots=True)
class RatingRequest:
    """What to price.

    `period` is the whole billing period and `span` the days of it that are billed (None: all of it).
    `quantities` are by charge id; a charge without one was not used. `advance_for` are the parts of periods
    whose fees paid in advance belong on this invoice (None: the span itself, as a quote wants it; an invoice
    usually says the period that follows). `once_fees` are the ids of the set-up fees to charge now.

    `quantity_history` are the quantities over time that fees take theirs from, by name (M16): (local day,
    value), the value holding from that day on.

    A period split by a change of version is priced part by part (M8), each part under its own terms with its
    own `span`. What does not prorate belongs to the part that ends the period: for every earlier part
    `closes_period` is False, and fees in arrears, monthly minimum, floors and amount discounts that do not
    prorate are not charged in it. `earlier_spend` is for the closing part: what the earlier parts' lines came
    to (`RatedLine.charged`), by charge id; it counts toward a monthly minimum that does not prorate.

    `tax_treatment` is how the payer is taxed (M5).
    """

    terms: Terms
    period: Period
    span: Period | None = None
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    advance_for: tuple[Part, ...] | None = None
    once_fees: frozenset[str] = frozenset()
    adjustments: tuple[AdjustmentItem, ...] = ()
    quantity_history: Mapping[str, History] = field(default_factory=dict)
    closes_period: bool = True
    earlier_spend: Mapping[str, int] = field(default_factory=dict)
    tax_treatment: TaxTreatment = TAXED

    @property
    def part(self) -> Part:
        """The span as a part of its period. ValueError if it is not inside."""
        return Part(self.span or self.period, self.period)


def set_up_fees(terms: Terms) -> frozenset[str]:
    """The ids of the fees that are charged once."""
    return frozenset(fee.id for fee in terms.fees if fee.every == "once")


def pools_anything(terms: Terms) -> bool:
    """True if companies under these terms are priced together, by `rate_pool` (M18)."""
    return any(pools(charge, terms) for charge in terms.usage)


def rate(request: RatingRequest) -> Rated:
    """The lines of one company's period, with discounts, minimum, adjustments and tax (M1 to M5, M15 to M17).

    Lines come in the order usage, fees, true-up, discounts, adjustments. Every usage charge has a line, also
    without use. Raises NotPriced for terms that cannot be priced, ValueError for a request that does not fit
    its terms (an unknown charge or fee id, a span outside the period, another time zone, a fee's history
    that is not there, calls to be rounded whose durations are not known), and for terms that pool over an
    organization's companies, which `rate_pool` prices.
    """
    if pools_anything(request.terms):
        raise ValueError("the contract pools over the companies of an organization; price them together")
    return rate_pool([request])[0]


def rate_pool(requests: Sequence[RatingRequest]) -> list[Rated]:
    """The lines of an organization's companies, one answer for each request in order (M18).

    Charges with `pooled` are priced on what all of them used and shared in proportion to use, by largest
    remainder; so is the true-up to the monthly minimum if all that counts toward it is pooled. All else is
    each company's own, as `rate` has it. ValueError also if terms (other than fees), period, span or
    `closes_period` differ.
    """
    if not requests:
        return []
    first = requests[0]
    _check_together(requests)
    terms, part, closes = first.terms, first.part, first.closes_period
    if problems := unpriced(terms):
        raise NotPriced(tuple(problems))
    for request in requests:
        _check(request)
    charged: list[list[RatedLine]] = [[] for _ in requests]
    for charge in terms.usage:
        used = [request.quantities.get(charge.id, NOTHING) for request in requests]
        if pools(charge, terms):
            lines = pooled_lines(charge, used, terms, part, closes=closes)
        else:
            lines = [usage_line(charge, each, terms, part, closes=closes) for each in used]
        for company, line in zip(charged, lines, strict=True):
            company.append(line)
    discounts: list[list[RatedLine]] = []
    for index, request in enumerate(requests):
        charged[index] += _fees(request)
        inside = [percent_inside(line.charge, terms.tax) for line in charged[index]]
        charged[index], taken = apply_discounts(
            charged[index], terms.discounts, part.span, closes=closes, inside=inside
        )
        discounts.append(taken)
    true_ups = _true_ups(requests, charged)
    return [_summed(*all_of) for all_of in zip(requests, charged, true_ups, discounts, strict=True)]


def _check_together(requests: Sequence[RatingRequest]) -> None:
    first = requests[0]
    for other in requests[1:]:
        # Fees are each company's own: one of them may owe fees in advance that another has paid.
        same = replace(first.terms, fees=()) == replace(other.terms, fees=()) and first.part == other.part
        if not same or first.closes_period != other.closes_period:
            raise ValueError("companies that are priced together have the same terms and the same days")


def _check(request: RatingRequest) -> None:
    terms = request.terms
    unknown = sorted(set(request.quantities) - {charge.id for charge in terms.usage})
    if unknown:
        raise ValueError(f"the contract has no usage charge {', '.join(unknown)}")
    unknown = sorted(request.once_fees - set_up_fees(terms))
    if unknown:
        raise ValueError(f"the contract has no set-up fee {', '.join(unknown)}")
    for period in (request.period, *(part.span for part in request.advance_for or ())):
        if period.zone != terms.time_zone:
            raise ValueError(f"the contract is in {terms.time_zone} and the period in {period.zone}")


def _fees(request: RatingRequest) -> list[RatedLine]:
    return [
        line
        for fee in request.terms.fees
        for line in fee_lines(
            fee,
            part=request.part,
            advance_for=request.advance_for,
            is_due_once=fee.id in request.once_fees,
            closes=request.closes_period,
            currency=request.terms.currency,
            histories=request.quantity_history,
        )
    ]


def _true_ups(
    requests: Sequence[RatingRequest], charged: Sequence[Sequence[RatedLine]]
) -> list[list[RatedLine]]:
    """For each company its line to the monthly minimum, its share of the pooled one, or none (M17, M18)."""
    terms, part, closes = requests[0].terms, requests[0].part, requests[0].closes_period
    minimum = terms.minimum
    if minimum is None:
        return [[] for _ in requests]
    names = counted_ids(minimum, terms)
    earlier = [sum(request.earlier_spend.get(name, 0) for name in names) for request in requests]
    if pools_minimum(terms):
        return pooled_true_ups(charged, terms, part, earlier=sum(earlier), closes=closes)
    lines: list[list[RatedLine]] = []
    for company, before in zip(charged, earlier, strict=True):
        spend = [(line.name, line.net) for line in company if counts(minimum, line)]
        found = shortfall(minimum, spend, terms.currency, part, earlier=before, closes=closes)
        lines.append([true_up_line(found.missing, found.steps, terms.currency, part.span)] if found else [])
    return lines


def _summed(
    request: RatingRequest,
    charged: Sequence[RatedLine],
    true_up: Sequence[RatedLine],
    discounts: Sequence[RatedLine],
) -> Rated:
    """One company's lines with adjustments and tax, and their sums."""
    terms, treatment = request.terms, request.tax_treatment
    inside = terms.tax.behavior == "inclusive"
    taxed = [assess(line, rates_for(line.charge, terms.tax), inside=inside) for line in [*charged, *true_up]]
    adjusted = [
        assess(
            _adjustment_line(item, terms, request.part),
            rates_for(item.charge, terms.tax) if item.taxable else (),
            inside=inside,
        )
        for item in request.adjustments
    ]
    lines = settle_under([*taxed, *discounts, *adjusted], treatment)
    notes = dict.fromkeys(reason_for(treatment, line.period) for line in lines)
    return total_of(lines, terms.currency, "; ".join(note for note in notes if note))


def _adjustment_line(item: AdjustmentItem, terms: Terms, part: Part) -> RatedLine:
    amount = plain(item.amount, terms.currency)
    return RatedLine(
        kind="adjustment",
        charge=item.id,
        name=item.name,
        currency=terms.currency,
        quantity=Fraction(1),
        unit="each",
        rate=None,
        amount=item.amount,
        period=part.span,
        derivation=(Step("adjustment", f"as approved: {amount}", (("amount", amount),)),),
    )
