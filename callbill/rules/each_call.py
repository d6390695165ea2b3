"""Rounding each call, for contracts that demand it (`round_each_call`, M2).

Calls use up included units, tiers and packages in order of time. The price of a call is what the price of
the units grows by with it, and the connection fee; that is rounded, half away from zero, to so many decimals
of the major unit, and the rounded prices are added up. The flat amounts of reached tiers are added once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from callbill.rules.lines import Step, shown
from callbill.rules.money import round_half_away
from callbill.rules.price_models import Price, Segment
from callbill.rules.prices import Quantity
from callbill.rules.terms import UsageCharge

_MOST_SHOWN = 12
"""More different calls than these are told as one sum; the list of calls has each of them."""


def sum_of_rounded(
    charge: UsageCharge, quantity: Quantity, price: Price, included: Fraction
) -> tuple[Fraction, tuple[Step, ...]]:
    """The sum of the rounded prices of the calls, without flat amounts, and how it came about.

    `price` is that of the units after `included`. A charge per call needs no more than the number of calls.
    ValueError if a charge per minute has calls whose durations are not all known.
    """
    assert charge.round_each_call is not None, "only for charges that round each call"
    places, fee = charge.round_each_call, Fraction(charge.connection_fee or 0)
    grid = 10**places
    groups: Counter[tuple[Fraction, Fraction]] = Counter()
    for units, cost, calls in _costs(_runs(charge, quantity), price, included):
        groups[units, cost + fee] += calls
    rounded = {exact: Fraction(round_half_away(exact * grid), grid) for _, exact in groups}
    total = sum((rounded[exact] * calls for (_, exact), calls in groups.items()), Fraction(0))
    steps = []
    if len(groups) <= _MOST_SHOWN:
        for (units, exact), calls in groups.items():
            what = "a call" if charge.unit == "call" else f"a call of {shown(units * 60)} s"
            near = shown(rounded[exact])
            text = f"{what}: {shown(exact)}, rounded to {near}; × {calls} = {shown(rounded[exact] * calls)}"
            figures = (("exact", shown(exact)), ("rounded", near), ("calls", str(calls)))
            steps.append(Step("each_call", text, figures))
    decimals = f"{places} decimal{'' if places == 1 else 's'}"
    text = f"each of {quantity.calls} calls rounded to {decimals}, together {shown(total)}"
    steps.append(Step("each_call", text, (("calls", str(quantity.calls)), ("exact", shown(total)))))
    return total, tuple(steps)


def _runs(charge: UsageCharge, quantity: Quantity) -> tuple[tuple[Fraction, int], ...]:
    """(units of a call, calls) in order of time."""
    if charge.unit == "call":
        return ((Fraction(1), quantity.calls),)
    known = sum(calls for _, calls in quantity.durations)
    seconds = sum(seconds * calls for seconds, calls in quantity.durations)
    if known != quantity.calls or Fraction(seconds, 60) != quantity.units:
        raise ValueError(
            f"the charge {charge.id} rounds each call, and the durations that were counted are of {known} "
            f"calls and {seconds} seconds, not of {quantity.calls} calls and {shown(quantity.units)} minutes"
        )
    return tuple((Fraction(seconds, 60), calls) for seconds, calls in quantity.durations)


def _costs(
    runs: tuple[tuple[Fraction, int], ...], price: Price, included: Fraction
) -> Iterator[tuple[Fraction, Fraction, int]]:
    """(units of a call, its cost, how many such calls). Not call by call: a run may have millions."""
    used, place = Fraction(0), 0
    segments = [Segment(included, Fraction(0))] if included else []
    segments += [
        Segment(None if each.up_to is None else each.up_to + included, each.rate) for each in price.segments
    ]
    for units, calls in runs:
        if price.package:
            yield from _packages(units, calls, used, price, included)
            used += units * calls
            continue
        left = calls
        while left:
            while (end := segments[place].up_to) is not None and used >= end:
                place += 1
            whole = left if end is None or not units else min(left, (end - used) // units)
            if whole:
                yield units, units * segments[place].rate, whole
            else:
                whole = 1
                yield units, _across(used, used + units, segments[place:]), 1
            used, left = used + whole * units, left - whole


def _across(start: Fraction, end: Fraction, segments: list[Segment]) -> Fraction:
    """The cost of the units from `start` to `end`, which lie in more than one segment."""
    cost = Fraction(0)
    for segment in segments:
        upper = end if segment.up_to is None else min(end, segment.up_to)
        if upper > start:
            cost += (upper - start) * segment.rate
            start = upper
    return cost


def _packages(
    units: Fraction, calls: int, used: Fraction, price: Price, included: Fraction
) -> Iterator[tuple[Fraction, Fraction, int]]:
    """The costs of a run of equal calls after `used` units, each the packages that it starts."""
    size, rate = price.package, price.package_rate
    assert size is not None, "only for packages"

    def started(at: Fraction) -> int:
        return -(-max(at - included, Fraction(0)) // size)

    # Calls within the included units start none. The next may be within them in part, and stands alone.
    free = calls if not units else min(calls, max(included - used, Fraction(0)) // units)
    if free:
        yield units, Fraction(0), free
    if free == calls:
        return
    first, last = used + (free + 1) * units, used + calls * units
    yield units, (started(first) - started(first - units)) * rate, 1
    # Each of the rest starts as many packages as fit into it, or one more.
    rest, few = calls - free - 1, units // size
    more = started(last) - started(first) - few * rest
    if rest > more:
        yield units, few * rate, rest - more
    if more:
        yield units, (few + 1) * rate, more
