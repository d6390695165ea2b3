"""The line of a usage charge: included units, price model, connection fee, rounding, floor and cap (M15).

The order is fixed: what is included comes off the units, the model prices the rest, the connection fee is
added (and each call rounded, if the contract demands it), then floor and cap, and the line is rounded once.
"""

from __future__ import annotations

from fractions import Fraction

from callbill.rules.each_call import sum_of_rounded
from callbill.rules.lines import RatedLine, Step, product, round_step, shown
from callbill.rules.money import to_minor
from callbill.rules.period import Part
from callbill.rules.price_models import Price, in_units, model_for
from callbill.rules.prices import Quantity
from callbill.rules.terms import Terms, UsageCharge


def usage_line(
    charge: UsageCharge, quantity: Quantity, terms: Terms, part: Part, *, closes: bool = True
) -> RatedLine:
    """The priced line of a charge for the days of `part`.

    In a part period, included units, tier bounds, floor and cap shrink by days if the charge prorates (M9).
    If it does not, included units, tiers and cap hold whole in each part, and the floor only in the part
    that closes the period (`closes`).
    """
    share = part.fraction if charge.prorate else Fraction(1)
    steps = [*_quantity_steps(charge, quantity), *_part_steps(charge, part, share, closes=closes)]
    included = Fraction(charge.included or 0) * share
    units = quantity.units
    if charge.included is not None:
        units = max(units - included, Fraction(0))
        steps.append(_included_step(charge, quantity.units, included))
    model = model_for(charge)
    assert model is not None, "unpriced refuses a charge without a model"
    price = model.price(charge, units, share)
    exact, more = _with_calls(charge, quantity, price, included)
    steps += [*price.steps, *more]
    floored = closes or charge.prorate
    exact, more = _bounded(charge, exact, share, floored=floored)
    steps += more
    amount = to_minor(exact, terms.currency)
    return RatedLine(
        kind="usage",
        charge=charge.id,
        name=charge.name,
        currency=terms.currency,
        quantity=quantity.units,
        unit=charge.unit,
        rate=charge.rate,
        amount=amount,
        period=part.span,
        calls=quantity.calls,
        tax_code=charge.tax_code,
        derivation=(*steps, *round_step(exact, amount, terms.currency)),
    )


def _quantity_steps(charge: UsageCharge, quantity: Quantity) -> tuple[Step, ...]:
    """Minutes that were counted say the seconds they came from."""
    seconds = quantity.units * 60
    if charge.unit == "call" or not quantity.calls or seconds.denominator != 1:
        return ()
    text = (
        f"{quantity.calls} {'call' if quantity.calls == 1 else 'calls'}, {seconds} billed seconds ÷ 60 = "
        f"{in_units(quantity.units, charge.unit)}"
    )
    figures = (("calls", str(quantity.calls)), ("seconds", str(seconds)), ("minutes", shown(quantity.units)))
    return (Step("quantity", text, figures),)


def _part_steps(charge: UsageCharge, part: Part, share: Fraction, *, closes: bool) -> tuple[Step, ...]:
    """Says of a part period what shrinks by its days and what does not."""
    if part.is_whole:
        return ()
    there = {
        "included units": charge.included is not None,
        "tiers": len(charge.tiers) > 1,
        "floor": charge.minimum is not None,
        "cap": charge.maximum is not None,
    }
    names = [name for name, is_there in there.items() if is_there]
    if not names:
        return ()
    days, of = str(part.span.days), str(part.whole.days)
    begin = f"{part.span.label} is {days} of {of} days"
    figures: tuple[tuple[str, str], ...] = (("days", days), ("of_days", of))
    if charge.prorate:
        return (
            Step("prorate", f"{begin}: {_and(names)} × {days}/{of}", (*figures, ("share", shown(share)))),
        )
    whole = [name for name in names if name != "floor" or closes]
    words = [f"{_and(whole)} not prorated, whole in this part"] if whole else []
    if len(whole) < len(names):
        words.append("floor only in the part that closes the period")
    return (Step("prorate", f"{begin}: {'; '.join(words)}", figures),)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _included_step(charge: UsageCharge, units: Fraction, included: Fraction) -> Step:
    rest = max(units - included, Fraction(0))
    used = in_units(units, charge.unit)
    if units <= included:
        text = f"{used}, within the {shown(included)} included"
    else:
        text = f"{used} − {shown(included)} included = {in_units(rest, charge.unit)}"
    figures = (("quantity", shown(units)), ("included", shown(included)), ("left", shown(rest)))
    return Step("included", text, figures)


def _with_calls(
    charge: UsageCharge, quantity: Quantity, price: Price, included: Fraction
) -> tuple[Fraction, list[Step]]:
    """The price with what is found call by call: the connection fee, and rounding each call.

    Minutes that were stated without their calls have no connection fee and no call to round, and say so.
    """
    if charge.connection_fee is None and charge.round_each_call is None:
        return price.exact, []
    if charge.unit == "minute" and not quantity.calls and quantity.units:
        text = "minutes without their calls: no connection fee, and no call is rounded"
        return price.exact, [Step("connection", text)]
    steps: list[Step] = []
    exact = price.exact
    if charge.connection_fee is not None:
        fee = format(charge.connection_fee, "f")
        fees = quantity.calls * Fraction(charge.connection_fee)
        exact += fees
        text = f"connection fee: {in_units(Fraction(quantity.calls), 'call')} × {fee} = {product(fees, fee)}"
        figures = (("calls", str(quantity.calls)), ("rate", fee), ("exact", shown(fees)))
        steps.append(Step("connection", text, figures))
    if charge.round_each_call is not None:
        rounded, each = sum_of_rounded(charge, quantity, price, included)
        exact, flat = rounded + price.flat, shown(price.flat)
        steps += each
        if price.flat:
            text = f"{shown(rounded)} + {flat} once = {shown(exact)}"
            steps.append(Step("price", text, (("flat", flat), ("exact", shown(exact)))))
    elif charge.connection_fee:
        text = f"{shown(price.exact)} + {shown(exact - price.exact)} = {shown(exact)}"
        steps.append(Step("price", text, (("exact", shown(exact)),)))
    return exact, steps


def _bounded(
    charge: UsageCharge, exact: Fraction, share: Fraction, *, floored: bool
) -> tuple[Fraction, list[Step]]:
    """The price between floor and cap."""
    most = None if charge.maximum is None else Fraction(charge.maximum) * share
    least = None if charge.minimum is None or not floored else Fraction(charge.minimum) * share
    if most is not None and exact > most:
        figures = (("exact", shown(exact)), ("cap", shown(most)))
        return most, [Step("cap", f"{shown(exact)} is more than the cap: {shown(most)}", figures)]
    if least is not None and exact < least:
        figures = (("exact", shown(exact)), ("floor", shown(least)))
        return least, [Step("floor", f"{shown(exact)} is less than the floor: {shown(least)}", figures)]
    return exact, []
