"""Price models of usage charges: from a quantity to an exact amount (M15).

`PRICE_MODELS` is the table; a new model is one entry. Nothing is rounded here (M2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from callbill.rules.counting import ChargeCount, Count
from callbill.rules.lines import Step, shown
from callbill.rules.terms import Terms, Unit, UsageCharge


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much of a charge was used: calls or minutes, exact, and how many calls they were."""

    units: Fraction
    calls: int

    @classmethod
    def counted(cls, count: ChargeCount, unit: Unit) -> Quantity:
        """Counted calls as calls, or their billed seconds as minutes."""
        units = Fraction(count.calls) if unit == "call" else Fraction(count.billed_seconds, 60)
        return cls(units, count.calls)

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


NOTHING = Quantity(Fraction(0), 0)


def quantities(count: Count, terms: Terms) -> dict[str, Quantity]:
    """The quantity of every usage charge, out of a count of the same terms."""
    units = {charge.id: charge.unit for charge in terms.usage}
    return {charge.charge_id: Quantity.counted(charge, units[charge.charge_id]) for charge in count.charges}


@dataclass(frozen=True, slots=True)
class Price:
    """An exact amount in major units and how it came about."""

    exact: Fraction
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class PriceModel:
    """One way to price: which charges are priced so, and how."""

    name: str
    prices: Callable[[UsageCharge], bool]
    price: Callable[[UsageCharge, Quantity], Price]


def in_units(units: Fraction, unit: Unit) -> str:
    """ "1 call", "761 calls", "7791.8 minutes"."""
    return f"{shown(units)} {unit}{'' if units == 1 else 's'}"


def _quantity_steps(quantity: Quantity, unit: Unit) -> tuple[Step, ...]:
    """Minutes that were counted say the seconds they came from."""
    seconds = quantity.units * 60
    if unit == "call" or not quantity.calls or seconds.denominator != 1:
        return ()
    text = (
        f"{quantity.calls} {'call' if quantity.calls == 1 else 'calls'}, {seconds} billed seconds ÷ 60 = "
        f"{in_units(quantity.units, unit)}"
    )
    figures = (("calls", str(quantity.calls)), ("seconds", str(seconds)), ("minutes", shown(quantity.units)))
    return (Step("quantity", text, figures),)


def _flat(charge: UsageCharge, quantity: Quantity) -> Price:
    """quantity x rate."""
    assert charge.rate is not None, "the table gives flat prices only charges with a rate"
    exact = quantity.units * Fraction(charge.rate)
    rate = format(charge.rate, "f")
    text = f"{in_units(quantity.units, charge.unit)} × {rate} = {shown(exact)}"
    figures = (("quantity", shown(quantity.units)), ("rate", rate), ("exact", shown(exact)))
    return Price(exact, (*_quantity_steps(quantity, charge.unit), Step("price", text, figures)))


PRICE_MODELS: tuple[PriceModel, ...] = (
    PriceModel(
        "flat", lambda charge: charge.rate is not None and not charge.tiers and charge.package is None, _flat
    ),
)


def model_for(charge: UsageCharge) -> PriceModel | None:
    """The model that prices this charge, or None if no model does."""
    return next((model for model in PRICE_MODELS if model.prices(charge)), None)
