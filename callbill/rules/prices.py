"""How much of a charge was used: calls or minutes, exact, and the calls behind them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from callbill.rules.counting import ChargeCount, Count
from callbill.rules.terms import Terms, Unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much of a charge was used: calls or minutes, exact, and how many calls they were.

    `durations` are (billed seconds, calls) as `ChargeCount` has them, for charges that round each call.
    """

    units: Fraction
    calls: int
    durations: tuple[tuple[int, int], ...] = ()

    @classmethod
    def counted(cls, count: ChargeCount, unit: Unit) -> Quantity:
        """Counted calls as calls, or their billed seconds as minutes."""
        units = Fraction(count.calls) if unit == "call" else Fraction(count.billed_seconds, 60)
        return cls(units, count.calls, count.durations)

    @classmethod
    def stated(cls, units: Decimal, unit: Unit) -> Quantity:
        """So many calls or minutes, without the calls themselves. ValueError if negative, or half a call."""
        exact = Fraction(units)
        if exact < 0:
            raise ValueError(f"a quantity is not negative: {units}")
        if unit == "minute":
            return cls(exact, 0)
        if exact.denominator != 1:
            raise ValueError(f"calls are whole: {units}")
        return cls(exact, exact.numerator)

    @classmethod
    def together(cls, quantities: Iterable[Quantity]) -> Quantity:
        """The quantities of several companies as one, their calls one company after the other (M18)."""
        kept = tuple(quantities)
        return cls(
            sum((each.units for each in kept), Fraction(0)),
            sum(each.calls for each in kept),
            tuple(run for each in kept for run in each.durations),
        )


NOTHING = Quantity(Fraction(0), 0)


def quantities(count: Count, terms: Terms) -> dict[str, Quantity]:
    """The quantity of every usage charge, out of a count of the same terms."""
    units = {charge.id: charge.unit for charge in terms.usage}
    return {charge.charge_id: Quantity.counted(charge, units[charge.charge_id]) for charge in count.charges}
