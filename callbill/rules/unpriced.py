"""What a contract may say but cannot be priced yet: refused with its place, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from callbill.rules.prices import model_for
from callbill.rules.problem import Problem
from callbill.rules.terms import Discount, Fee, QuantityOverTime, Terms, UsageCharge

_YET = "cannot be priced yet"

_USAGE: tuple[tuple[str, Callable[[UsageCharge], bool], str], ...] = (
    (
        "tiers",
        lambda charge: bool(charge.tiers),
        f'tiers {_YET}; give the charge one rate, such as rate = "1.35"',
    ),
    ("package", lambda charge: charge.package is not None, f"packages {_YET}; give the charge one rate"),
    ("included", lambda charge: charge.included is not None, f"included units {_YET}; leave them out"),
    (
        "connection_fee",
        lambda charge: charge.connection_fee is not None,
        f"a connection fee {_YET}; leave it out",
    ),
    (
        "round_each_call",
        lambda charge: charge.round_each_call is not None,
        f"rounding each call {_YET}; leave it out, and the line is rounded once",
    ),
    ("minimum", lambda charge: charge.minimum is not None, f"a floor of one charge {_YET}; leave it out"),
    ("maximum", lambda charge: charge.maximum is not None, f"a cap of one charge {_YET}; leave it out"),
    ("prorate", lambda charge: charge.prorate, f"proration of a usage charge {_YET}; leave it out"),
    ("pooled", lambda charge: charge.pooled, f"pooling over an organization {_YET}; leave it out"),
    (
        "scope.holidays",
        lambda charge: charge.scope.holidays is not None,
        f"charges with a holiday calendar {_YET}; leave the calendar out",
    ),
)

_FEE: tuple[tuple[str, Callable[[Fee], bool], str], ...] = (
    (
        "quantity",
        lambda fee: isinstance(fee.quantity, QuantityOverTime),
        f"a quantity over time {_YET}; write a fixed quantity, such as quantity = 1",
    ),
    (
        "prorate",
        lambda fee: fee.every == "once" and fee.prorate,
        "a set-up fee is charged once and whole; leave prorate out",
    ),
)

_DISCOUNT: tuple[tuple[str, Callable[[Discount], bool], str], ...] = (
    (
        "amount",
        lambda discount: discount.amount is not None,
        f'a discount by amount {_YET}; write a percentage, such as percent = "10"',
    ),
)


class NotPriced(ValueError):
    """The terms say something that cannot be priced yet; `problems` lists all of it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


def unpriced(terms: Terms) -> list[Problem]:
    """Everything in the terms that cannot be priced yet, in the order of the contract file."""
    return list(_problems(terms))


def _problems(terms: Terms) -> Iterator[Problem]:
    for index, charge in enumerate(terms.usage):
        found = [Problem(f"usage[{index}].{key}", words) for key, says, words in _USAGE if says(charge)]
        if not found and model_for(charge) is None:
            found = [
                Problem(f"usage[{index}]", 'the charge has no price; give it a rate, such as rate = "1.35"')
            ]
        yield from found
    for index, fee in enumerate(terms.fees):
        yield from (Problem(f"fee[{index}].{key}", words) for key, says, words in _FEE if says(fee))
    for index, discount in enumerate(terms.discounts):
        yield from (
            Problem(f"discount[{index}].{key}", words) for key, says, words in _DISCOUNT if says(discount)
        )
    if terms.tax.behavior == "inclusive":
        yield Problem("tax.behavior", f'prices that include tax {_YET}; write "exclusive"')
    if terms.service_level is not None:
        yield Problem("service_level", f"credits for a missed service level {_YET}; leave the section out")
