"""Pooling: tiers, included units, floor, cap and minimum over all companies of an organization (M18).

A pooled charge is priced once, on what all companies used, and the amount is shared to them in proportion to
their use. No line of a company shows what another one used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from callbill.rules.lines import RatedLine, Step, shown
from callbill.rules.minimum import counted_ids, counts, shortfall, true_up_line
from callbill.rules.money import share
from callbill.rules.period import Part
from callbill.rules.price_models import in_units
from callbill.rules.prices import Quantity
from callbill.rules.terms import Terms, UsageCharge
from callbill.rules.usage_lines import usage_line


def pools(charge: UsageCharge, terms: Terms) -> bool:
    """True if the charge is priced over all companies: only in an organization's contract (M18)."""
    return charge.pooled and terms.payer == "organization"


def pools_minimum(terms: Terms) -> bool:
    """True if the monthly minimum is one for all companies: all that counts toward it is pooled."""
    pooled = {charge.id for charge in terms.usage if pools(charge, terms)}
    return terms.minimum is not None and bool(pooled) and pooled.issuperset(counted_ids(terms.minimum, terms))


def pooled_lines(
    charge: UsageCharge, used: Sequence[Quantity], terms: Terms, part: Part, *, closes: bool
) -> list[RatedLine]:
    """One line of the charge for each company, in order; their amounts add up to that of the total.

    Shared in proportion to calls or minutes by largest remainder, the first winning ties; in equal parts if
    nobody used any and there is an amount all the same, such as a floor.
    """
    total = Quantity.together(used)
    whole = usage_line(charge, total, terms, part, closes=closes)
    amounts = share(whole.amount, [each.units for each in used])
    all_of = in_units(total.units, charge.unit)
    companies = _companies(len(used))
    pooled = Step("pool", f"{companies} together: {all_of}", (("quantity", shown(total.units)),))
    lines = []
    for each, amount in zip(used, amounts, strict=True):
        own, part_text = shown(each.units), whole.money(amount)
        text = f"this company's share of {whole.money(whole.amount)}, for {own} of {all_of}: {part_text}"
        figures = (("quantity", own), ("of", shown(total.units)), ("share", part_text))
        lines.append(
            replace(
                whole,
                quantity=each.units,
                calls=each.calls,
                amount=amount,
                derivation=(pooled, *whole.derivation, Step("pool", text, figures)),
            )
        )
    return lines


def pooled_true_ups(
    charged: Sequence[Sequence[RatedLine]],
    terms: Terms,
    part: Part,
    *,
    earlier: int = 0,
    closes: bool = True,
) -> list[list[RatedLine]]:
    """The shares of the companies in the true-up to their common minimum; no lines if nothing is missing.

    Shared in proportion to the units of the charges that count, if they all count calls or all minutes, and
    otherwise to what the companies spent on them. In equal parts if that is nothing.
    """
    minimum = terms.minimum
    assert minimum is not None, "only terms with a minimum pool it"
    counted = [[line for line in lines if counts(minimum, line)] for lines in charged]
    names = {line.charge: line.name for lines in counted for line in lines}
    spend = [
        (name, sum(line.charged for lines in counted for line in lines if line.charge == charge))
        for charge, name in names.items()
    ]
    found = shortfall(minimum, spend, terms.currency, part, earlier=earlier, closes=closes)
    if found is None:
        return [[] for _ in charged]
    one_unit = len({line.unit for lines in counted for line in lines}) == 1
    weights = [
        sum((line.quantity if one_unit else Fraction(line.charged) for line in lines), Fraction(0))
        for lines in counted
    ]
    pooled = Step("pool", f"one minimum for {_companies(len(charged))} together")
    result: list[list[RatedLine]] = []
    for amount in share(found.missing, weights):
        if not amount:
            result.append([])
            continue
        line = true_up_line(amount, (pooled, *found.steps), terms.currency, part.span)
        share_text = line.money(amount)
        text = f"this company's share of {line.money(found.missing)}, by its use: {share_text}"
        step = Step("pool", text, (("of", line.money(found.missing)), ("share", share_text)))
        result.append([replace(line, derivation=(*line.derivation, step))])
    return result


def _companies(number: int) -> str:
    return "1 company" if number == 1 else f"{number} companies"
