"""Subtotal, tax and total of priced lines; several sections as one invoice (M4, M31)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from callbill.rules.lines import RatedLine
from callbill.rules.money import CurrencyMismatch
from callbill.rules.tax import settle


@dataclass(frozen=True, slots=True)
class Rated:
    """Priced lines and their sums, in minor units of `currency`. total = subtotal + tax.

    `tax_note` is the reason for zero tax, to be printed; "" if tax is charged as the contract says (M5).
    """

    currency: str
    lines: tuple[RatedLine, ...]
    subtotal: int
    tax: int
    total: int
    tax_note: str = ""


@dataclass(frozen=True, slots=True)
class TaxTotal:
    """One tax rate over a whole invoice, as its tax table shows it; minor units.

    `taxable` is without tax, also where prices include it. `reason` says why nothing is charged (M5).
    """

    name: str
    percent: Decimal
    taxable: int
    amount: int
    reason: str = ""


def total_of(lines: Iterable[RatedLine], currency: str, tax_note: str = "") -> Rated:
    """The sums of lines whose tax is settled. Raises CurrencyMismatch for a line of another currency."""
    kept = tuple(lines)
    for line in kept:
        if line.currency != currency:
            raise CurrencyMismatch(f"a line in {line.currency} does not add up with {currency}")
    subtotal, tax = sum(line.amount for line in kept), sum(line.tax for line in kept)
    return Rated(currency, kept, subtotal, tax, subtotal + tax, tax_note)


def consolidate(sections: Sequence[Rated]) -> list[Rated]:
    """The sections of one invoice, in order, with tax rounded once per rate over all of them (M4, M31).

    Companies priced one by one round their tax one by one; on one invoice each rate rounds once. Amounts
    before tax stay as they are, except where prices include tax: there price stays, and the amount is what
    its share of the tax leaves. The sections' sums add up to the invoice's.
    """
    settled = iter(settle([line for section in sections for line in section.lines]))
    return [
        total_of([next(settled) for _ in section.lines], section.currency, section.tax_note)
        for section in sections
    ]


def tax_totals(lines: Iterable[RatedLine]) -> tuple[TaxTotal, ...]:
    """Taxable amount and tax per rate and reason, in order of appearance."""
    totals: dict[tuple[str, Decimal, str], TaxTotal] = {}
    for line in lines:
        for share in line.taxes:
            name, percent, reason = key = (share.name, share.percent, share.reason)
            taxable, amount = share.taxable, share.amount
            if key in totals:
                taxable, amount = totals[key].taxable + taxable, totals[key].amount + amount
            totals[key] = TaxTotal(name, percent, taxable, amount, reason)
    return tuple(totals.values())
