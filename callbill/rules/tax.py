"""Tax on top of the prices or inside them: rounded once per rate and invoice, shared to the lines and kept
there (M4, M5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from callbill.rules.lines import RatedLine, Step, TaxShare, decimal_text, shown
from callbill.rules.money import CurrencyMismatch, exponent, plain, round_parts
from callbill.rules.terms import Tax, TaxRate
from callbill.rules.treatment import TaxTreatment, reason_for


def rates_for(charge: str | None, tax: Tax) -> tuple[TaxRate, ...]:
    """The rates that tax a charge: those that name it, and those for every line. None: only the latter."""
    return tuple(rate for rate in tax.rates if not rate.applies_to or charge in rate.applies_to)


def percent_inside(charge: str | None, tax: Tax) -> Fraction:
    """Percent of the price without tax that a price of this charge includes: 0 if tax comes on top (M5)."""
    if tax.behavior != "inclusive":
        return Fraction(0)
    return sum((Fraction(rate.percent) for rate in rates_for(charge, tax)), Fraction(0))


def assess(line: RatedLine, rates: Sequence[TaxRate], *, inside: bool = False) -> RatedLine:
    """The line with its taxable amount (after discounts) under each rate; `settle` finds the tax.

    `inside`: the amount includes the tax.
    """
    taxes = tuple(TaxShare(rate.name, rate.percent, line.net, 0) for rate in rates)
    return replace(line, taxes=taxes, tax_inside=inside and bool(taxes))


def settle(lines: Sequence[RatedLine]) -> list[RatedLine]:
    """The lines of one invoice with their shares of each tax (M4, M5).

    Rates of one name and percentage are one rate. Its tax is the sum over its lines, rounded once, half away
    from zero, and shared by largest remainder, the first line winning ties. What a line adds to that sum:

    - tax on top: the percentage of its taxable amount;
    - tax inside (M5): price x percentage / (100 + all percentages inside the line), exact. The line's amount
      becomes what is left of the price without all its taxes, so net + tax is the price.

    Shares with a reason stay at zero. Shares found before are found anew, so sections that were settled alone
    can be settled together. Raises CurrencyMismatch if the lines have several currencies.
    """
    if len({line.currency for line in lines}) > 1:
        raise CurrencyMismatch("the lines of an invoice have one currency")
    places: dict[tuple[str, Decimal], list[tuple[int, int]]] = {}
    for index, line in enumerate(lines):
        for position, share in enumerate(line.taxes):
            if not share.reason:
                places.setdefault((share.name, share.percent), []).append((index, position))
    taxes = [list(line.taxes) for line in lines]
    steps: list[list[Step]] = [
        [step for step in line.derivation if step.kind != "tax" or _is_free(line)] for line in lines
    ]
    for found in places.values():
        exact = [_exact_tax(lines[index], lines[index].taxes[position]) for index, position in found]
        amounts = round_parts(exact)
        for (index, position), amount in zip(found, amounts, strict=True):
            taxes[index][position] = replace(taxes[index][position], amount=amount)
        of = [lines[index] for index, _ in found]
        whole = sum(taxes[index][position].taxable for index, position in found)
        for index, position in found:
            share = taxes[index][position]
            if any(line.tax_inside for line in of):
                step = _step_inside(share, of, lines[index], sum(exact, Fraction(0)), sum(amounts))
            else:
                step = _step(share, whole, sum(amounts), lines[index].currency)
            steps[index].append(step)
    return [
        _settled(line, tuple(shares), tuple(derived))
        for line, shares, derived in zip(lines, taxes, steps, strict=True)
    ]


def settle_under(lines: Sequence[RatedLine], treatment: TaxTreatment) -> list[RatedLine]:
    """The lines of one payer with their taxes as it is treated (M5).

    A line the treatment covers keeps its shares, at zero and with the reason. If its price includes tax, that
    tax is found as for anybody and taken out of the price.
    """
    reasons = [reason_for(treatment, line.period) if line.taxes else "" for line in lines]
    taxed = iter(settle([line for line, reason in zip(lines, reasons, strict=True) if not reason]))
    free = iter(settle([line for line, reason in zip(lines, reasons, strict=True) if reason]))
    return [_freed(next(free), reason) if reason else next(taxed) for reason in reasons]


def _is_free(line: RatedLine) -> bool:
    return any(share.reason for share in line.taxes)


def _freed(line: RatedLine, reason: str) -> RatedLine:
    steps = [step for step in line.derivation if step.kind != "tax" or line.tax_inside]
    for share in line.taxes:
        text = f"{share.name}, {share.percent:f} %, is not charged. {reason}"
        figures = (("percent", f"{share.percent:f}"), ("of", line.money(line.net)), ("share", line.money(0)))
        steps.append(Step("tax", text, figures))
    taxes = tuple(
        replace(share, amount=0, reason=reason, taken_out=share.amount if line.tax_inside else 0)
        for share in line.taxes
    )
    return replace(line, taxes=taxes, tax_inside=False, derivation=tuple(steps))


def _inside(line: RatedLine) -> Fraction:
    return sum((Fraction(share.percent) for share in line.taxes), Fraction(0))


def _exact_tax(line: RatedLine, share: TaxShare) -> Fraction:
    if line.tax_inside:
        return (line.net + line.tax) * Fraction(share.percent) / (100 + _inside(line))
    return share.taxable * Fraction(share.percent) / 100


def _settled(line: RatedLine, shares: tuple[TaxShare, ...], steps: tuple[Step, ...]) -> RatedLine:
    """The line with these shares; where the tax is inside, the amount makes room for it."""
    if not line.tax_inside:
        return replace(line, taxes=shares, derivation=steps)
    price, tax = line.net + line.tax, sum(share.amount for share in shares)
    left = price - tax
    text = f"{line.money(price)} − {line.money(tax)} tax inside = {line.money(left)}"
    if line.discount:
        text += f"; before the discounts of {line.money(-line.discount)} that is "
        text += line.money(left - line.discount)
    figures = (("price", line.money(price)), ("tax", line.money(tax)), ("net", line.money(left)))
    return replace(
        line,
        amount=left - line.discount,
        taxes=tuple(replace(share, taxable=left) for share in shares),
        derivation=(*steps, Step("tax", text, figures)),
    )


def _step_inside(
    share: TaxShare, of: Sequence[RatedLine], line: RatedLine, exact: Fraction, tax: int
) -> Step:
    """How a tax came about that is inside some of the prices."""
    percent, currency = f"{share.percent:f}", line.currency
    major, total = exact / 10 ** exponent(currency), plain(tax, currency)
    alike = all(each.tax_inside for each in of) and len({_inside(each) for each in of}) == 1
    whole = plain(sum(each.charged for each in of), currency)
    if alike:
        divisor = decimal_text(100 + _inside(line))
        text = f"{share.name}, {percent} % inside {whole}: × {percent}/{divisor} = {shown(major)}"
    else:
        text = f"{share.name}, {percent} % inside or on top of {whole}, line by line: {shown(major)}"
    text += f", rounded to {total}"
    own, part = plain(line.charged, currency), plain(share.amount, currency)
    if len(of) > 1:
        text += f"; this line's share, for {own}, is {part}"
    figures = (("percent", percent), ("of", whole), ("exact", shown(major)), ("rounded", total))
    return Step("tax", text, (*figures, ("taxable", own), ("share", part)))


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
