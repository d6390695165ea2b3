"""Crediting a part of a line with its exact share of the tax (M4, M23)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from callbill.rules.lines import TaxShare
from callbill.rules.money import round_half_away


@dataclass(frozen=True, slots=True)
class CreditedPart:
    """What a credit note takes off a line, in minor units: its net amount, and the tax by rate."""

    amount: int
    taxes: tuple[TaxShare, ...]

    @property
    def tax(self) -> int:
        """The tax of all rates."""
        return sum(share.amount for share in self.taxes)

    @property
    def total(self) -> int:
        """With its tax."""
        return self.amount + self.tax


def fits(*, net: int, credited: int, amount: int) -> bool:
    """Whether `amount` is something and not more than what is left of a line of `net`; all after discounts.

    A line below zero is credited below zero: that takes a reduction back.
    """
    left = net - credited
    return 0 < amount <= left if left > 0 else left <= amount < 0


def part_of(*, net: int, taxes: Sequence[TaxShare], credited: int, amount: int) -> CreditedPart:
    """The next part of a line of which `credited` was credited before; minor units, after discounts.

    `taxes` are the line's stored shares. Of each, the credit notes so far must have taken
    share x credited / net, rounded half away from zero; this part takes what is missing then. So whatever the
    parts, the last one ends at the line's amount and tax to the cent (M4). Raises ValueError for more than
    there is.
    """
    if not fits(net=net, credited=credited, amount=amount):
        raise ValueError(f"{amount} cannot be credited of {net}, of which {credited} was before")

    def until(share: int, so_far: int) -> int:
        return round_half_away(Fraction(share * so_far, net))

    return CreditedPart(
        amount,
        tuple(
            replace(
                share,
                taxable=amount,
                amount=until(share.amount, credited + amount) - until(share.amount, credited),
            )
            for share in taxes
        ),
    )
