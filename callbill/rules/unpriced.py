"""What terms may say but cannot be priced: refused with its place, never ignored.

A contract file says none of this, `rules.document` refuses it; terms made in code might.
"""

from __future__ import annotations

from collections.abc import Iterator

from callbill.rules.price_models import model_for
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms


class NotPriced(ValueError):
    """The terms say something that cannot be priced; `problems` lists all of it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


def unpriced(terms: Terms) -> list[Problem]:
    """Everything in the terms that cannot be priced, in the order of the contract file."""
    return list(_problems(terms))


def _problems(terms: Terms) -> Iterator[Problem]:
    for index, charge in enumerate(terms.usage):
        if model_for(charge) is None:
            yield Problem(
                f"usage[{index}]", 'the charge has no one price; give it a rate, such as rate = "1.35"'
            )
        elif charge.tiers and charge.tiers[-1].up_to is not None:
            yield Problem(f"usage[{index}].tiers", "the last tier is open; take its up_to out")
    for index, fee in enumerate(terms.fees):
        if fee.every == "once" and fee.prorate:
            words = "a set-up fee is charged once and whole; leave prorate out"
            yield Problem(f"fee[{index}].prorate", words)
    for index, discount in enumerate(terms.discounts):
        if (discount.percent is None) == (discount.amount is None):
            words = 'a discount is by percent or by amount; write one, such as percent = "10"'
            yield Problem(f"discount[{index}]", words)
