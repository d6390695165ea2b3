"""What must hold between the values of a contract file, each of which is right by itself.

Every check takes the draft, skips what is missing or wrong (that is reported already), and reports the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from decimal import Decimal

from callbill.rules.document._kind import Reading, did_you_mean, listed, quoted
from callbill.rules.document._numbers import too_fine
from callbill.rules.document._scopes import Reach, reach
from callbill.rules.document._tables import Draft
from callbill.rules.lines import MINIMUM
from callbill.rules.terms import Increments

_TAKEN = re.compile(f"{MINIMUM}|discount-[0-9]+", re.ASCII | re.IGNORECASE)
"""Ids that lines of the invoice have by themselves: the true-up of the monthly minimum, and discounts."""


def check(contract: Draft, reading: Reading) -> None:
    """Report everything in the draft that does not go together."""
    _check_ids(contract, reading)
    _check_references(contract, reading)
    for index, charge in contract.drafts("usage"):
        _check_charge(charge, f"usage[{index}]", reading)
    for index, fee in contract.drafts("fee"):
        _check_fee(fee, f"fee[{index}]", reading)
    for index, discount in contract.drafts("discount"):
        first, last = discount.good("from"), discount.good("until")
        if first and last and last < first:
            rule = "it is the last day of the discount and must not lie before the first"
            reading.report(f"discount[{index}].until", f"is {last}, before from, which is {first}; {rule}")
    _check_scopes(contract, reading)


def _ids(contract: Draft, key: str) -> Iterator[tuple[str, str]]:
    """Path and id of every entry of `usage` or `fee` whose id could be read."""
    for index, entry in contract.drafts(key):
        if name := entry.good("id"):
            yield f"{key}[{index}].id", name


def _ids_are_known(contract: Draft, key: str) -> bool:
    entries = contract.get(key, [])
    return isinstance(entries, list) and len(list(_ids(contract, key))) == len(entries)


def _check_ids(contract: Draft, reading: Reading) -> None:
    first_of: dict[str, str] = {}
    for path, name in [*_ids(contract, "usage"), *_ids(contract, "fee")]:
        if _TAKEN.fullmatch(name):
            reading.report(
                path, f"is {quoted(name)}, which a line of the invoice has by itself; choose another id"
            )
        elif name in first_of:
            reading.report(
                path, f"is {quoted(name)}, which {first_of[name]} is too; every charge and fee needs its own"
            )
        else:
            first_of[name] = path


def _check_references(contract: Draft, reading: Reading) -> None:
    if not all(_ids_are_known(contract, key) for key in ("usage", "fee")):
        return  # a name that seems not to be there may be the id that could not be read
    usage = [name for _, name in _ids(contract, "usage")]
    fees = [name for _, name in _ids(contract, "fee")]
    true_up = [MINIMUM] if "minimum" in contract else []
    minimum = contract.good("minimum")
    if isinstance(minimum, Draft):
        _check_names(minimum.good("counts", []), usage + fees, "charges and fees", "minimum.counts", reading)
    for index, discount in contract.drafts("discount"):
        path = f"discount[{index}].applies_to"
        _check_names(discount.good("applies_to", []), usage + fees, "charges and fees", path, reading)
    tax = contract.good("tax")
    if isinstance(tax, Draft):
        for index, rate in tax.drafts("rate"):
            path = f"tax.rate[{index}].applies_to"
            _check_names(rate.good("applies_to", []), usage + fees + true_up, "lines", path, reading)


def _check_names(names: list[object], there: Collection[str], what: str, path: str, reading: Reading) -> None:
    there = list(dict.fromkeys(there))
    for index, name in enumerate(names):
        if not isinstance(name, str) or name in there:
            continue
        near = did_you_mean(name, there)
        known = f"the {what} are {listed(there, 'and')}" if there else f"this contract has no {what}"
        hint = f"did you mean {quoted(near)}? The" + known.removeprefix("the") if near else known
        reading.report(f"{path}[{index}]", f"names {quoted(name)}, which is not there; {hint}")


def _check_charge(charge: Draft, path: str, reading: Reading) -> None:
    if charge.good("unit") == "call" and charge.good("increments", Increments()) != Increments():
        rule = 'increments round seconds and belong to unit = "minute"; take them out'
        reading.report(f"{path}.increments", f"stands in a charge per call; {rule}")
    if "tiers" not in charge and charge.good("tier_mode") == "volume":
        reading.report(f"{path}.tier_mode", "stands in a charge without tiers; take it out, or write tiers")
    least, most = charge.good("minimum"), charge.good("maximum")
    if least is not None and most is not None and most < least:
        reading.report(f"{path}.maximum", f"is {most}, less than the minimum, which is {least}")
    scope = charge.good("scope")
    if isinstance(scope, Draft):
        start, end = scope.good("from"), scope.good("until")
        if start is not None and start == end:
            rule = "for the whole day leave both out"
            reading.report(f"{path}.scope.until", f"is the same as from, so no call fits; {rule}")
    _check_tiers(charge, f"{path}.tiers", reading)


def _check_tiers(charge: Draft, path: str, reading: Reading) -> None:
    tiers = list(charge.drafts("tiers"))
    before: Decimal | None = None
    for index, tier in tiers:
        bound = tier.good("up_to")
        last = index == len(charge["tiers"]) - 1
        if last and "up_to" in tier:
            rule = "the last tier is open; take its up_to out, or add a tier without one"
            reading.report(f"{path}[{index}].up_to", f"stands in the last tier; {rule}")
        if not last and "up_to" not in tier:
            rule = "only the last tier is open; write the last unit of this one"
            reading.report(f"{path}[{index}].up_to", f"is missing; {rule}")
        if bound is None:
            continue
        if before is not None and bound <= before:
            rule = "each tier must reach further than the one before"
            reading.report(
                f"{path}[{index}].up_to", f"is {bound}, but the tier before ends at {before}; {rule}"
            )
        before = bound


def _check_fee(fee: Draft, path: str, reading: Reading) -> None:
    if fee.good("every") == "once" and fee.good("prorate"):
        reading.report(f"{path}.prorate", "stands in a fee that is charged once, and so whole; take it out")
    amount = fee.good("amount")
    one = "quantity" not in fee or fee.good("quantity") == Decimal(1)
    if amount is None or not one or reading.decimals is None:
        return
    text = format(amount, "f")
    if len(text.partition(".")[2]) > reading.decimals:
        reading.report(f"{path}.amount", too_fine(text, reading.currency or "", reading.decimals))


def _check_scopes(contract: Draft, reading: Reading) -> None:
    """No charge may be out of reach behind an earlier one, and no two may take the same calls (M14)."""
    charges = [(index, charge) for index, charge in contract.drafts("usage") if _scope_is_sound(charge)]
    for place, (index, charge) in enumerate(charges):
        path = f"usage[{index}].scope"
        for earlier, other in charges[:place]:
            name = quoted(other.good("id") or f"usage[{earlier}]")
            found = reach(
                charge.good("scope", {}), charge.good("unit"), other.good("scope", {}), other.good("unit")
            )
            if found is Reach.SAME:
                rule = "a call could be either; give them different scopes, or take one out"
                reading.report(path, f"is the same as that of {name}; {rule}")
                break
            if found is Reach.NONE:
                rule = "put this charge before it, or narrow the scope of the other"
                reading.report(path, f"gets no call, because {name} before it takes them all; {rule}")
                break


def _scope_is_sound(charge: Draft) -> bool:
    """True if the scope was read without a mistake, so that comparing it means something."""
    if "scope" not in charge:
        return True
    scope = charge.good("scope")
    if not isinstance(scope, Draft):
        return False
    return all(scope.good(key) is not None and _all_good(scope[key]) for key in scope)


def _all_good(value: object) -> bool:
    return not isinstance(value, list) or all(isinstance(entry, str) for entry in value)
