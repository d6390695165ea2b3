"""The monthly minimum: a line of what is missing to it (M17), of one company or pooled (M18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from callbill.rules.lines import MINIMUM, RatedLine, Step, prorate_step, round_step
from callbill.rules.money import plain, to_minor
from callbill.rules.period import Part, Period
from callbill.rules.terms import MonthlyMinimum, Terms


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing to the minimum, in minor units (more than 0), and how it came about."""

    missing: int
    steps: tuple[Step, ...]


def counts(minimum: MonthlyMinimum, line: RatedLine) -> bool:
    """True if the line counts toward the minimum: all usage, or the charges and fees it names."""
    return line.charge in minimum.counts if minimum.counts else line.kind == "usage"


def counted_ids(minimum: MonthlyMinimum, terms: Terms) -> tuple[str, ...]:
    """The ids of the charges and fees that count toward the minimum, in order."""
    return minimum.counts or tuple(charge.id for charge in terms.usage)


def shortfall(
    minimum: MonthlyMinimum,
    spend: Sequence[tuple[str, int]],
    currency: str,
    part: Part,
    *,
    earlier: int = 0,
    closes: bool = True,
) -> Shortfall | None:
    """What is missing, or None (M17).

    `spend` are the name and the amount after discounts of what counts. A minimum that prorates is the part
    of it by days, rounded once; one that does not is looked at in the part that closes the period only, and
    there what the period's earlier parts spent (`earlier`) counts too (M8).
    """
    if not (closes or minimum.prorate):
        return None
    exact = Fraction(minimum.amount)
    steps = [
        Step("minimum", f"monthly minimum {minimum.amount:f}", (("minimum", format(minimum.amount, "f")),))
    ]
    if minimum.prorate and not part.is_whole:
        exact *= part.fraction
        steps.append(prorate_step(exact, part))
    if earlier and not minimum.prorate:
        spend = [("Earlier in the period", earlier), *spend]
    due, spent = to_minor(exact, currency), sum(amount for _, amount in spend)
    if due <= spent:
        return None
    steps += round_step(exact, due, currency)
    for name, amount in spend:
        text = plain(amount, currency)
        steps.append(Step("minimum", f"{name}, after discounts: {text}", (("spend", text),)))
    figures = tuple(plain(minor, currency) for minor in (due, spent, due - spent))
    steps.append(
        Step(
            "minimum",
            f"{figures[0]} − {figures[1]} = {figures[2]}",
            tuple(zip(("minimum", "spend", "missing"), figures, strict=True)),
        )
    )
    return Shortfall(due - spent, tuple(steps))


def true_up_line(amount: int, steps: Sequence[Step], currency: str, span: Period) -> RatedLine:
    """The line of the true-up, or of a company's share of it."""
    return RatedLine(
        kind="minimum",
        charge=MINIMUM,
        name="Monthly minimum",
        currency=currency,
        quantity=Fraction(1),
        unit="each",
        rate=None,
        amount=amount,
        period=span,
        derivation=tuple(steps),
    )
