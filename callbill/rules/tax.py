"""Tax on top of the prices: rounded once per rate and invoice, shared to the lines and kept there (M4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from callbill.rules.lines import RatedLine, Step, TaxShare, shown
from callbill.rules.money import CurrencyMismatch, plain, round_parts
from callbill.rules.terms import Tax, TaxRate


def rates_for(charge: str | None, tax: Tax) -> tuple[TaxRate, ...]:
    """The rates that tax a charge: those that name it, and those for every line. None: only the latter."""
    return tuple(rate for rate in tax.rates if not rate.applies_to or charge in rate.applies_to)


def assess(line: RatedLine, rates: Sequence[TaxRate]) -> RatedLine:
    """The line with its taxable amount (after discounts) under each rate; `settle` finds the tax."""
    return replace(line, taxes=tuple(TaxShare(rate.name, rate.percent, line.net, 0) for rate in rates))


def settle(lines: Sequence[RatedLine]) -> list[RatedLine]:
    """The lines of one invoice with their shares of each tax (M4).

    Rates of one name and percentage are one rate. Its tax is the percentage of the sum of all its taxable
    amounts, rounded once, half away from zero, and shared by largest remainder, the first line winning ties.
    Shares found before are found anew, so sections that were settled alone can be settled together.
    Raises CurrencyMismatch if the lines have several currencies.
    """
    if len({line.currency for line in lines}) > 1:
        raise CurrencyMismatch("the lines of an invoice have one currency")
    places: dict[tuple[str, Decimal], list[tuple[int, int]]] = {}
    for index, line in enumerate(lines):
        for position, share in enumerate(line.taxes):
            places.setdefault((share.name, share.percent), []).append((index, position))
    taxes = [list(line.taxes) for line in lines]
    steps: list[list[Step]] = [[step for step in line.derivation if step.kind != "tax"] for line in lines]
    for (name, percent), found in places.items():
        taxable = [taxes[index][position].taxable for index, position in found]
        amounts = round_parts([amount * Fraction(percent) / 100 for amount in taxable])
        for (index, position), amount in zip(found, amounts, strict=True):
            share = replace(taxes[index][position], amount=amount)
            taxes[index][position] = share
            steps[index].append(_step(share, sum(taxable), sum(amounts), lines[index].currency))
        assert sum(amounts) == sum(taxes[index][position].amount for index, position in found), name
    return [
        replace(line, taxes=tuple(shares), derivation=tuple(derived))
        for line, shares, derived in zip(lines, taxes, steps, strict=True)
    ]


def _step(share: TaxShare, taxable: int, tax: int, currency: str) -> Step:
    exact = Fraction(plain(taxable, currency)) * Fraction(share.percent) / 100
    whole, total = plain(taxable, currency), plain(tax, currency)
    own, part = plain(share.taxable, currency), plain(share.amount, currency)
    text = f"{share.name}, {share.percent:f} % of {whole} = {shown(exact)}, rounded to {total}"
    if share.taxable != taxable:
        text += f"; this line's share, for {own}, is {part}"
    figures = (
        ("percent", f"{share.percent:f}"),
        ("of", whole),
        ("exact", shown(exact)),
        ("rounded", total),
        ("taxable", own),
        ("share", part),
    )
    return Step("tax", text, figures)
