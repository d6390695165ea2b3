"""From terms and quantities to priced lines: the one function behind every invoice, quote and estimate.

Order: usage and fees, discounts on them, the monthly minimum on what is left, adjustments, tax on all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from callbill.rules.discounts import apply_discounts
from callbill.rules.lines import MINIMUM, RatedLine, Step, shown
from callbill.rules.money import plain, to_minor
from callbill.rules.period import Part, Period
from callbill.rules.prices import NOTHING, Quantity, model_for
from callbill.rules.tax import assess, rates_for, settle
from callbill.rules.terms import Fee, MonthlyMinimum, Terms, UsageCharge
from callbill.rules.totals import Rated, total_of
from callbill.rules.unpriced import NotPriced, unpriced

__all__ = ["AdjustmentItem", "NotPriced", "Quantity", "RatingRequest", "rate", "set_up_fees", "unpriced"]


@dataclass(frozen=True, slots=True)
class AdjustmentItem:
    """An approved credit or correction that goes onto this invoice (M22). `amount` is signed minor units.

    It is taxed as the charge it corrects; without a charge, by the rates for every line; not at all if it
    is not taxable.
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
    """

    terms: Terms
    period: Period
    span: Period | None = None
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    advance_for: tuple[Part, ...] | None = None
    once_fees: frozenset[str] = frozenset()
    adjustments: tuple[AdjustmentItem, ...] = ()

    @property
    def part(self) -> Part:
        """The span as a part of its period. ValueError if it is not inside."""
        return Part(self.span or self.period, self.period)


def set_up_fees(terms: Terms) -> frozenset[str]:
    """The ids of the fees that are charged once."""
    return frozenset(fee.id for fee in terms.fees if fee.every == "once")


def rate(request: RatingRequest) -> Rated:
    """The lines of one company's period, with discounts, minimum, adjustments and tax (M1 to M4, M16, M17).

    Lines come in the order usage, fees, true-up, discounts, adjustments. Every usage charge has a line, also
    without use. Raises NotPriced for terms that cannot be priced yet, ValueError for a request that does not
    fit its terms (an unknown charge or fee id, a span outside the period, another time zone).
    """
    terms, part = request.terms, request.part
    problems = unpriced(terms)
    if problems:
        raise NotPriced(tuple(problems))
    _check(request)
    charged = [
        _usage_line(charge, request.quantities.get(charge.id, NOTHING), terms, part) for charge in terms.usage
    ]
    charged += [line for fee in terms.fees for line in _fee_lines(fee, request)]
    charged, discounts = apply_discounts(charged, terms.discounts, part.span)
    true_up = [] if terms.minimum is None else _true_up(terms.minimum, charged, terms, part)
    taxed = [assess(line, rates_for(line.charge, terms.tax)) for line in [*charged, *true_up]]
    adjusted = [
        assess(_adjustment_line(item, terms, part), rates_for(item.charge, terms.tax) if item.taxable else ())
        for item in request.adjustments
    ]
    return total_of(settle([*taxed, *discounts, *adjusted]), terms.currency)


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


def _round_step(exact: Fraction, amount: int, currency: str) -> tuple[Step, ...]:
    """Says the rounding of a line, if there was any."""
    rounded = plain(amount, currency)
    if exact == Fraction(rounded):
        return ()
    return (Step("round", f"rounded to {rounded}", (("exact", shown(exact)), ("rounded", rounded))),)


def _usage_line(charge: UsageCharge, quantity: Quantity, terms: Terms, part: Part) -> RatedLine:
    model = model_for(charge)
    assert model is not None, "unpriced refuses a charge without a model"
    price = model.price(charge, quantity)
    amount = to_minor(price.exact, terms.currency)
    return RatedLine(
        kind="usage",
        charge=charge.id,
        name=charge.name,
        currency=terms.currency,
        quantity=quantity.units,
        unit=charge.unit,
        rate=charge.rate,
        amount=amount,
        period=part.span,
        calls=quantity.calls,
        tax_code=charge.tax_code,
        derivation=(*price.steps, *_round_step(price.exact, amount, terms.currency)),
    )


def _fee_lines(fee: Fee, request: RatingRequest) -> list[RatedLine]:
    """The lines of one fee: set-up fees that are asked for, monthly ones for each part they are due for."""
    currency = request.terms.currency
    if fee.every == "once":
        return (
            [_fee_line(fee, Part.all_of(request.part.span), currency)] if fee.id in request.once_fees else []
        )
    if fee.when == "arrears" or request.advance_for is None:
        return [_fee_line(fee, request.part, currency)]
    return [_fee_line(fee, part, currency) for part in request.advance_for]


def _fee_line(fee: Fee, part: Part, currency: str) -> RatedLine:
    """amount x quantity, by days over days in the period if the fee prorates (M9), rounded once (M2)."""
    assert isinstance(fee.quantity, Decimal), "unpriced refuses quantities over time"
    exact = Fraction(fee.amount) * Fraction(fee.quantity)
    price, quantity = format(fee.amount, "f"), shown(fee.quantity)
    steps = [
        Step(
            "price",
            f"{quantity} × {price} = {shown(exact)}",
            (("quantity", quantity), ("rate", price), ("exact", shown(exact))),
        )
    ]
    if fee.prorate and not part.is_whole:
        exact *= part.fraction
        steps.append(_prorate_step(exact, part))
    amount = to_minor(exact, currency)
    return RatedLine(
        kind="fee",
        charge=fee.id,
        name=fee.name,
        currency=currency,
        quantity=Fraction(fee.quantity),
        unit="once" if fee.every == "once" else "month",
        rate=fee.amount,
        amount=amount,
        period=part.span,
        tax_code=fee.tax_code,
        derivation=(*steps, *_round_step(exact, amount, currency)),
    )


def _prorate_step(exact: Fraction, part: Part) -> Step:
    days, of = str(part.span.days), str(part.whole.days)
    return Step(
        "prorate",
        f"{part.span.label} is {days} of {of} days: × {days}/{of} = {shown(exact)}",
        (("days", days), ("of_days", of), ("exact", shown(exact))),
    )


def _true_up(minimum: MonthlyMinimum, charged: list[RatedLine], terms: Terms, part: Part) -> list[RatedLine]:
    """A line of what is missing to the monthly minimum, or none (M17).

    The spend that counts is the counted lines after discounts: all usage, or the usage and fees named.
    A minimum that prorates is the part of it by days, rounded once.
    """
    counted = [
        line
        for line in charged
        if (line.charge in minimum.counts if minimum.counts else line.kind == "usage")
    ]
    exact = Fraction(minimum.amount)
    steps = [
        Step("minimum", f"monthly minimum {minimum.amount:f}", (("minimum", format(minimum.amount, "f")),))
    ]
    if minimum.prorate and not part.is_whole:
        exact *= part.fraction
        steps.append(_prorate_step(exact, part))
    due, spend = to_minor(exact, terms.currency), sum(line.net for line in counted)
    if due <= spend:
        return []
    owed, spent, missing = (plain(minor, terms.currency) for minor in (due, spend, due - spend))
    steps += _round_step(exact, due, terms.currency)
    steps += [
        Step(
            "minimum",
            f"{line.name}, after discounts: {line.money(line.net)}",
            (("spend", line.money(line.net)),),
        )
        for line in counted
    ]
    steps.append(
        Step(
            "minimum",
            f"{owed} − {spent} = {missing}",
            (("minimum", owed), ("spend", spent), ("missing", missing)),
        )
    )
    return [
        RatedLine(
            kind="minimum",
            charge=MINIMUM,
            name="Monthly minimum",
            currency=terms.currency,
            quantity=Fraction(1),
            unit="each",
            rate=None,
            amount=due - spend,
            period=part.span,
            derivation=tuple(steps),
        )
    ]


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
