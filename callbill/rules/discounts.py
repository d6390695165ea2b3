"""Percent discounts: rounded once, shared to the lines they cover (M3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from callbill.rules.lines import RatedLine, Step, shown
from callbill.rules.money import round_parts
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


def apply_discounts(
    lines: Sequence[RatedLine], discounts: Sequence[Discount], period: Period
) -> tuple[list[RatedLine], list[RatedLine]]:
    """The lines with their shares, and a line of kind "discount" for each discount that takes something.

    In order, each on what the one before left: the percentage of the sum of the covered lines (their rounded
    amounts less earlier shares), rounded once, shared to them by largest remainder (M3). A discount line's
    amount is the sum of its shares. Only discounts by percentage; `unpriced` refuses the others.
    """
    covered_lines, discount_lines = list(lines), []
    for number, discount in enumerate(discounts, start=1):
        assert discount.percent is not None, "unpriced refuses discounts by amount"
        percent = discount.percent
        covered = [index for index, line in enumerate(covered_lines) if holds_for(discount, line)]
        nets = [covered_lines[index].net for index in covered]
        shares = round_parts([-net * Fraction(percent) / 100 for net in nets])
        taken = sum(shares)
        if taken == 0:
            continue
        steps: list[Step] = []
        for index, net, share in zip(covered, nets, shares, strict=True):
            line = covered_lines[index]
            step = _share_step(discount.name, percent, line, net, share)
            covered_lines[index] = replace(
                line, discount=line.discount + share, derivation=(*line.derivation, step)
            )
            steps.append(
                Step("discount", f"{line.name}: {line.money(share)}", (("share", line.money(share)),))
            )
        discount_lines.append(
            _discount_line(
                discount,
                percent=percent,
                number=number,
                like=covered_lines[covered[0]],
                covered=sum(nets),
                taken=taken,
                shares=steps,
                period=period,
            )
        )
    return covered_lines, discount_lines


def _share_step(name: str, percent: Decimal, line: RatedLine, net: int, share: int) -> Step:
    text = f"{name}, {percent:f} % of {line.money(net)}: this line's share is {line.money(share)}"
    figures = (("percent", f"{percent:f}"), ("of", line.money(net)), ("share", line.money(share)))
    return Step("discount", text, figures)


def _discount_line(
    discount: Discount,
    *,
    percent: Decimal,
    number: int,
    like: RatedLine,
    covered: int,
    taken: int,
    shares: Sequence[Step],
    period: Period,
) -> RatedLine:
    exact = Fraction(like.money(covered)) * Fraction(percent) / 100
    text = f"{percent:f} % of {like.money(covered)} = {shown(exact)}, rounded to {like.money(-taken)}"
    figures = (
        ("percent", f"{percent:f}"),
        ("of", like.money(covered)),
        ("exact", shown(exact)),
        ("rounded", like.money(-taken)),
    )
    return RatedLine(
        kind="discount",
        charge=f"discount-{number}",
        name=discount.name,
        currency=like.currency,
        quantity=Fraction(1),
        unit="each",
        rate=None,
        amount=taken,
        period=period,
        derivation=(Step("discount", text, figures), *shares),
    )
