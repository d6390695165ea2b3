"""What a contract may say, but its author may not have meant."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from callbill.rules.document._fields import SCOPE
from callbill.rules.document._kind import quoted
from callbill.rules.document._scopes import Reach, reach
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms, Tier, UsageCharge


def warnings_of(terms: Terms) -> list[Problem]:
    """What the author of a contract should look at again; none of it keeps the contract from being used."""
    found = list(_contract(terms))
    for index, charge in enumerate(terms.usage):
        found += _charge(terms, charge, f"usage[{index}]")
        found += _out_of_reach(terms, index)
    return found


def _contract(terms: Terms) -> Iterator[Problem]:
    if not terms.usage and not terms.fees:
        yield Problem("usage", "this contract has no charge and no fee, so nothing but a minimum is billed")


def _charge(terms: Terms, charge: UsageCharge, path: str) -> Iterator[Problem]:
    if charge.pooled and terms.payer != "organization":
        yield Problem(
            f"{path}.pooled", 'only an organization pools; with payer = "company" this changes nothing'
        )
    if charge.basis == "handle" and charge.unit == "call":
        yield Problem(f"{path}.basis", "a charge per call has no minutes, so this changes nothing")
    if charge.tier_mode == "volume":
        yield from _cheaper_by_more(charge, path)


def _cheaper_by_more(charge: UsageCharge, path: str) -> Iterator[Problem]:
    """Volume tiers price all units at the reached tier's rate, so one unit more may cost less (M15).

    Tiers count the units after the included ones; the figures told are all units.
    """
    included = Fraction(charge.included or 0)
    for index, (tier, following) in enumerate(zip(charge.tiers, charge.tiers[1:], strict=False)):
        if tier.up_to is None:
            continue
        last = included + Fraction(tier.up_to)
        # One call more is the next there is; of minutes there is always a smaller fraction more.
        last, more = (Fraction(last // 1), 1) if charge.unit == "call" else (last, 0)
        before, after = _whole(tier, last - included), _whole(following, last + more - included)
        if after < before:
            what = f"{_plain(last)} {charge.unit}s cost {_plain(before)}"
            then = f"{_plain(last + more)} cost" if more else "the slightest bit more costs"
            yield Problem(
                f"{path}.tiers[{index + 1}].rate",
                f"{what} and {then} {_plain(after)}: more {charge.unit}s are cheaper. "
                'Add a flat amount, or use tier_mode = "graduated"',
            )


def _whole(tier: Tier, units: Fraction) -> Fraction:
    return units * Fraction(tier.rate) + Fraction(tier.flat)


def _plain(number: Fraction) -> str:
    """A fraction that is a finite decimal, as text without needless zeros."""
    places = 0
    while (number * 10**places).denominator != 1:
        places += 1
    digits = str((number * 10**places).numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def _out_of_reach(terms: Terms, index: int) -> Iterator[Problem]:
    charge = terms.usage[index]
    scope = SCOPE.write(charge.scope)
    for earlier in terms.usage[:index]:
        if reach(scope, charge.unit, SCOPE.write(earlier.scope), earlier.unit) is Reach.BY_QUANTITY:
            yield Problem(
                f"usage[{index}].scope",
                f"no call gets here, because {quoted(earlier.id)} before it takes them all; "
                "this charge can only be priced by quantity",
            )
            return
