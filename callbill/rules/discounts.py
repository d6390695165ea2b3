"""Discounts by percentage or amount: rounded once, shared to the lines they cover (M3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from callbill.rules.lines import RatedLine, Step, shown
from callbill.rules.money import round_parts, share, to_minor
from callbill.rules.period import Period
from callbill.rules.terms import Discount


def holds_for(discount: Discount, line: RatedLine) -> bool:
    """True if the discount covers the line.

    It covers usage and fees, all or those it names, whose own period begins on a day from `from_date` to
    `until_date`, both included. So a fee paid in advance has the discounts of the month it is paid for.
    """
    if line.kind not in ("usage", "fee") or (discount.applies_to and line.charge not in discount.applies_to):
        return False
    day = line.period.first_day
    return (discount.from_date is None or discount.from_date <= day) and (
        discount.until_date is None or day <= discount.until_date
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one discount takes: of which lines, what was left of them before, and the shares (negative)."""

    discount: Discount
    number: int
    covered: tuple[int, ...]
    nets: tuple[int, ...]
    shares: tuple[int, ...]


def apply_discounts(
    lines: Sequence[RatedLine],
    discounts: Sequence[Discount],
    period: Period,
    *,
    closes: bool = True,
    inside: Sequence[Fraction] = (),
) -> tuple[list[RatedLine], list[RatedLine]]:
    """The lines with their shares, and a line of kind "discount" for each discount that takes something.

    In order, each on what the one before left of the covered lines (their rounded amounts less earlier
    shares): a percentage of the sum, rounded once, or an amount, at most the sum; shared to them by largest
    remainder (M3). A discount line's amount is the sum of its shares. An amount is taken once per period, in
    the part that closes it (`closes`).

    `inside` are, line by line, the percentages of tax the prices include (M5). A discount on such a price
    includes its tax too; it is taken out of the shares, rounded once per discount. Prices after discounts
    are the same to the cent.
    """
    left = [line.net for line in lines]
    taken: list[_Taken] = []
    for number, discount in enumerate(discounts, start=1):
        if discount.amount is not None and not closes:
            continue
        covered = tuple(index for index, line in enumerate(lines) if holds_for(discount, line))
        nets = tuple(left[index] for index in covered)
        shares = _shares(discount, nets, lines[covered[0]].currency if covered else "")
        if sum(shares) == 0:
            continue
        for index, part in zip(covered, shares, strict=True):
            left[index] += part
        taken.append(_Taken(discount, number, covered, nets, tuple(shares)))
    covered_lines, discount_lines = list(lines), []
    for each in taken:
        without = _without_tax(each, inside)
        for index, net, part, own in zip(each.covered, each.nets, each.shares, without, strict=True):
            line = covered_lines[index]
            covered_lines[index] = replace(
                line,
                # What is taken from the price is `part`; where tax is inside, the amount bears the rest.
                amount=line.amount + part - own,
                discount=line.discount + own,
                derivation=(*line.derivation, _share_step(each, line, net, part)),
            )
        discount_lines.append(_discount_line(each, lines, without, period))
    return covered_lines, discount_lines


def _shares(discount: Discount, nets: Sequence[int], currency: str) -> list[int]:
    if discount.percent is not None:
        return round_parts([-net * Fraction(discount.percent) / 100 for net in nets])
    assert discount.amount is not None, "a discount has a percentage or an amount"
    if not nets:
        return []
    off = min(to_minor(discount.amount, currency), sum(nets))
    return [-part for part in share(off, nets)]


def _without_tax(taken: _Taken, inside: Sequence[Fraction]) -> Sequence[int]:
    """The shares without the tax inside them, rounded once."""
    if not any(inside):
        return taken.shares
    return round_parts(
        [part * 100 / (100 + inside[index]) for index, part in zip(taken.covered, taken.shares, strict=True)]
    )


def _share_step(taken: _Taken, line: RatedLine, net: int, part: int) -> Step:
    discount = taken.discount
    mine = f"{line.money(net)}: this line's share is {line.money(part)}"
    figures = (("of", line.money(net)), ("share", line.money(part)))
    if discount.percent is not None:
        percent = f"{discount.percent:f}"
        return Step("discount", f"{discount.name}, {percent} % of {mine}", (("percent", percent), *figures))
    off, whole = line.money(-sum(taken.shares)), line.money(sum(taken.nets))
    text = f"{discount.name}, {off} shared over {whole}, for {mine}"
    return Step("discount", text, (("amount", off), *figures))


def _discount_line(
    taken: _Taken, lines: Sequence[RatedLine], without: Sequence[int], period: Period
) -> RatedLine:
    discount, like = taken.discount, lines[taken.covered[0]]
    covered, total = like.money(sum(taken.nets)), sum(taken.shares)
    figures: tuple[tuple[str, str], ...]
    if discount.percent is not None:
        percent = f"{discount.percent:f}"
        exact = shown(Fraction(covered) * Fraction(discount.percent) / 100)
        text = f"{percent} % of {covered} = {exact}, rounded to {like.money(-total)}"
        figures = (("percent", percent), ("of", covered), ("exact", exact), ("rounded", like.money(-total)))
    else:
        text = f"{discount.amount:f} off {covered}"
        if Fraction(discount.amount or 0) > Fraction(covered):
            text += f", no more than there is: {like.money(-total)}"
        figures = (("amount", f"{discount.amount:f}"), ("of", covered), ("rounded", like.money(-total)))
    steps = [Step("discount", text, figures)]
    for index, part in zip(taken.covered, taken.shares, strict=True):
        amount = like.money(part)
        steps.append(Step("discount", f"{lines[index].name}: {amount}", (("share", amount),)))
    if sum(without) != total:
        net = like.money(sum(without))
        text = f"{like.money(total)} with the tax inside is {net} without it"
        steps.append(Step("discount", text, (("price", like.money(total)), ("net", net))))
    return RatedLine(
        kind="discount",
        charge=f"discount-{taken.number}",
        name=discount.name,
        currency=like.currency,
        quantity=Fraction(1),
        unit="each",
        rate=None,
        amount=sum(without),
        period=period,
        derivation=tuple(steps),
    )
