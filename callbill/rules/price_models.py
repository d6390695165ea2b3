"""Price models of usage charges: from priced units to an exact amount (M15).

`PRICE_MODELS` is the table; a new model is one entry. A model prices the units that are left after the
included ones. Nothing is rounded here (M2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from callbill.rules.lines import Step, product, shown
from callbill.rules.terms import Unit, UsageCharge


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of priced units, from where the one before ends to `up_to` (None: open), at one rate."""

    up_to: Fraction | None
    rate: Fraction


@dataclass(frozen=True, slots=True)
class Price:
    """An exact amount in major units and how it came about.

    `flat` is the part of it that no single unit makes: the flat amounts of reached tiers. The rest grows
    with the units, from the first to the last: by `segments`, or by started packages of `package` units at
    `package_rate`. That is what rounding each call needs (M2).
    """

    exact: Fraction
    steps: tuple[Step, ...]
    flat: Fraction = Fraction(0)
    segments: tuple[Segment, ...] = ()
    package: int | None = None
    package_rate: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class PriceModel:
    """One way to price: which charges are priced so, and how.

    `price` takes the charge, the priced units, and the share by which tier bounds shrink in a part period.
    """

    name: str
    prices: Callable[[UsageCharge], bool]
    price: Callable[[UsageCharge, Fraction, Fraction], Price]


def in_units(units: Fraction, unit: Unit) -> str:
    """ "1 call", "761 calls", "7791.8 minutes"."""
    return f"{shown(units)} {unit}{'' if units == 1 else 's'}"


def _flat(charge: UsageCharge, units: Fraction, _share: Fraction) -> Price:
    """units x rate."""
    assert charge.rate is not None, "the table gives flat prices only charges with a rate"
    step, exact = _product(f"{in_units(units, charge.unit)} × ", units, Fraction(charge.rate), charge.rate)
    return Price(exact, (step,), segments=(Segment(None, Fraction(charge.rate)),))


def _product(before: str, units: Fraction, rate: Fraction, written: object) -> tuple[Step, Fraction]:
    exact = units * rate
    text = format(written, "f")
    figures = (("quantity", shown(units)), ("rate", text), ("exact", shown(exact)))
    return Step("price", f"{before}{text} = {product(exact, text)}", figures), exact


def _graduated(charge: UsageCharge, units: Fraction, share: Fraction) -> Price:
    """Each unit at the rate of the tier it is in. `up_to` is inclusive.

    A tier's flat amount is added once when a unit reaches the tier; the first tier is always reached.
    """
    steps: list[Step] = []
    segments: list[Segment] = []
    parts: list[Fraction] = []
    flats, below = Fraction(0), Fraction(0)
    for number, tier in enumerate(charge.tiers, start=1):
        bound = None if tier.up_to is None else Fraction(tier.up_to) * share
        segments.append(Segment(bound, Fraction(tier.rate)))
        if number > 1 and units <= below:
            continue
        inside = (units if bound is None else min(units, bound)) - below
        words = _tier_words(charge.unit, number, below, bound)
        step, cost = _tier_step(charge, number, f"{words}: ", inside)
        steps.append(step)
        parts.append(cost)
        flats += Fraction(tier.flat)
        below = units if bound is None else bound
    exact = sum(parts, Fraction(0))
    if len(parts) > 1:
        text = f"{' + '.join(shown(part) for part in parts)} = {shown(exact)}"
        steps.append(Step("price", text, (("exact", shown(exact)),)))
    return Price(exact, tuple(steps), flats, tuple(segments))


def _volume(charge: UsageCharge, units: Fraction, share: Fraction) -> Price:
    """All units at the rate of the tier that the last of them reaches, and that tier's flat amount once."""
    below = Fraction(0)
    for number, tier in enumerate(charge.tiers, start=1):
        bound = None if tier.up_to is None else Fraction(tier.up_to) * share
        if bound is None or units <= bound:
            words = _tier_words(charge.unit, number, below, bound)
            before = f"{in_units(units, charge.unit)} reach {words}, all of them: "
            step, cost = _tier_step(charge, number, before, units)
            return Price(cost, (step,), Fraction(tier.flat), (Segment(None, Fraction(tier.rate)),))
        below = bound
    raise AssertionError("a contract file is refused unless its last tier is open")


def _tier_words(unit: Unit, number: int, below: Fraction, bound: Fraction | None) -> str:
    reach = f"above {in_units(below, unit)}" if bound is None else f"up to {in_units(bound, unit)}"
    return f"tier {number}, {reach}" if number > 1 or bound is not None else f"tier {number}"


def _tier_step(charge: UsageCharge, number: int, before: str, units: Fraction) -> tuple[Step, Fraction]:
    tier = charge.tiers[number - 1]
    rate, flat = format(tier.rate, "f"), Fraction(tier.flat)
    cost = units * Fraction(tier.rate)
    text = f"{before}{shown(units)} × {rate} = {product(cost, rate)}"
    figures = [("tier", str(number)), ("quantity", shown(units)), ("rate", rate)]
    if flat:
        cost += flat
        text += f", and {tier.flat:f} once: {product(cost, rate)}"
        figures.append(("flat", format(tier.flat, "f")))
    return Step("tier", text, (*figures, ("exact", shown(cost)))), cost


def _packages(charge: UsageCharge, units: Fraction, _share: Fraction) -> Price:
    """Started packages: 121 units in tens are 13. The size does not shrink in a part period."""
    package = charge.package
    assert package is not None, "the table gives packages only to charges with one"
    started = -(-units // package.size)
    exact, rate = started * Fraction(package.rate), format(package.rate, "f")
    counted = f"{started} started {'package' if started == 1 else 'packages'} of {package.size}"
    are = f"{in_units(units, charge.unit)} {'is' if units == 1 else 'are'} {counted}"
    text = f"{are}: {started} × {rate} = {product(exact, rate)}"
    figures = (("quantity", shown(units)), ("size", str(package.size)), ("packages", str(started)))
    step = Step("package", text, (*figures, ("rate", rate), ("exact", shown(exact))))
    return Price(exact, (step,), package=package.size, package_rate=Fraction(package.rate))


PRICE_MODELS: tuple[PriceModel, ...] = (
    PriceModel(
        "flat", lambda charge: charge.rate is not None and not charge.tiers and charge.package is None, _flat
    ),
    PriceModel(
        "graduated",
        lambda charge: _has_tiers(charge) and charge.tier_mode == "graduated",
        _graduated,
    ),
    PriceModel("volume", lambda charge: _has_tiers(charge) and charge.tier_mode == "volume", _volume),
    PriceModel(
        "package",
        lambda charge: charge.package is not None and charge.rate is None and not charge.tiers,
        _packages,
    ),
)


def _has_tiers(charge: UsageCharge) -> bool:
    return bool(charge.tiers) and charge.rate is None and charge.package is None


def model_for(charge: UsageCharge) -> PriceModel | None:
    """The model that prices this charge, or None if no model does."""
    return next((model for model in PRICE_MODELS if model.prices(charge)), None)
