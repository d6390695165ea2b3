"""The lines of fees: amount times quantity, whole or by days (M9, M16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from callbill.rules.lines import RatedLine, Step, product, prorate_step, round_step, shown
from callbill.rules.money import to_minor
from callbill.rules.period import Part, Period
from callbill.rules.terms import Fee, QuantityOverTime

History = Sequence[tuple[date, Decimal]]
"""A quantity over time: (local day, value), each value from its day on until the next. Any order."""


class NoHistory(ValueError):
    """A fee's quantity is taken from a history that is not there, or begins too late."""


def fee_lines(
    fee: Fee,
    *,
    part: Part,
    advance_for: Sequence[Part] | None,
    is_due_once: bool,
    closes: bool,
    currency: str,
    histories: Mapping[str, History],
) -> list[RatedLine]:
    """The lines of one fee: a set-up fee if it is due, a monthly one for each part it is due for.

    A monthly fee in arrears that does not prorate is charged in the part that closes the period only
    (`closes`); one in advance for the parts in `advance_for`, or for `part` like the others if that is None.
    Raises NoHistory.
    """
    if fee.every == "once":
        due = [Part.all_of(part.span)] if is_due_once else []
    elif fee.when == "advance" and advance_for is not None:
        due = list(advance_for)
    else:
        due = [part] if closes or fee.prorate else []
    return [_fee_line(fee, each, currency, histories) for each in due]


def _fee_line(fee: Fee, part: Part, currency: str, histories: Mapping[str, History]) -> RatedLine:
    """amount x quantity, by days over days in the period if the fee prorates (M9), rounded once (M2)."""
    steps: list[Step] = []
    if isinstance(fee.quantity, QuantityOverTime):
        many, step = quantity_over(fee.quantity, part.span, histories)
        steps.append(step)
    else:
        many = Fraction(fee.quantity)
    exact = Fraction(fee.amount) * many
    price, quantity = format(fee.amount, "f"), shown(many)
    figures = (("quantity", quantity), ("rate", price), ("exact", shown(exact)))
    steps.append(Step("price", f"{quantity} × {price} = {product(exact, price)}", figures))
    if fee.prorate and not part.is_whole:
        exact *= part.fraction
        steps.append(prorate_step(exact, part))
    amount = to_minor(exact, currency)
    return RatedLine(
        kind="fee",
        charge=fee.id,
        name=fee.name,
        currency=currency,
        quantity=many,
        unit="once" if fee.every == "once" else "month",
        rate=fee.amount,
        amount=amount,
        period=part.span,
        tax_code=fee.tax_code,
        derivation=(*steps, *round_step(exact, amount, currency)),
    )


def quantity_over(
    wanted: QuantityOverTime, span: Period, histories: Mapping[str, History]
) -> tuple[Fraction, Step]:
    """One number out of a history for the days of `span`, and how it came about (M16).

    fixed: the value on the first day. maximum: the largest on any day. average: by whole days, exact. end:
    the value on the last day. Of two values for one day the later in the history holds. Raises NoHistory if
    there is no such history or it says nothing of the first day.
    """
    runs = _runs(wanted.of, span, histories)
    if wanted.by == "fixed":
        many, how = Fraction(runs[0][0]), f"on {_day(span.first_day)}"
    elif wanted.by == "end":
        many, how = Fraction(runs[-1][0]), f"on {_day(span.last_day)}"
    elif wanted.by == "maximum":
        many, how = Fraction(max(value for value, _ in runs)), f"most on one day of {span.label}"
    else:
        whole = sum((Fraction(value) * days for value, days in runs), Fraction(0))
        many = whole / span.days
        told = " + ".join(f"{shown(value)} × {days}" for value, days in runs)
        how = f"on average: ({told}) ÷ {span.days} days"
    figures = (("of", wanted.of), ("by", wanted.by), ("quantity", shown(many)))
    return many, Step("quantity", f"{wanted.of} {how}: {shown(many)}", figures)


def _runs(name: str, span: Period, histories: Mapping[str, History]) -> list[tuple[Decimal, int]]:
    """(value, days) over the span, in order."""
    if name not in histories or not histories[name]:
        raise NoHistory(f"there is no history of {name}, which a fee takes its quantity from")
    values = dict(sorted(histories[name], key=lambda entry: entry[0]))
    days = list(values)
    if days[0] > span.first_day:
        raise NoHistory(
            f"the history of {name} begins on {days[0]}; say also what held on {span.first_day} (0 if none)"
        )
    begins = [max(day, span.first_day) for day in days]
    ends = [*(day for day in days[1:]), span.end_day]
    return [
        (values[day], (min(end, span.end_day) - begin).days)
        for day, begin, end in zip(days, begins, ends, strict=True)
        if begin < min(end, span.end_day)
    ]


def _day(day: date) -> str:
    return Period(day, date.fromordinal(day.toordinal() + 1), "UTC").label
