"""Pooling over an organization's companies: M18."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.lines import to_json
from callbill.rules.prices import Quantity
from callbill.rules.rating import RatingRequest, pools_anything, rate, rate_pool
from callbill.rules.terms import MonthlyMinimum, Terms, Tier, UsageCharge
from callbill.rules.totals import Rated
from tests.rules.rating_values import (
    FEBRUARY,
    JANUARY,
    PER_CALL,
    PER_MINUTE,
    PLATFORM,
    calls,
    january,
    terms_of,
)

POOLED = replace(PER_CALL, rate=Decimal("1.10"), included=Decimal(450), pooled=True)


def of_organization(*usage: UsageCharge, **more: object) -> Terms:
    return terms_of(*usage, payer="organization", **more)


def asked(terms: Terms, *numbers: int, **more: object) -> list[RatingRequest]:
    return [january(terms, quantities={"calls": calls(number)}, **more) for number in numbers]


def amounts(rated: list[Rated], kind: str = "usage") -> list[list[int]]:
    return [[line.amount for line in each.lines if line.kind == kind] for each in rated]


def test_the_figures_of_m18() -> None:
    rated = rate_pool(asked(of_organization(POOLED), 120, 40, 310))
    assert amounts(rated) == [[562], [187], [1451]]
    assert [line.calls for each in rated for line in each.lines] == [120, 40, 310]
    assert [step.text for step in rated[1].lines[0].derivation] == [
        "3 companies together: 470 calls",
        "470 calls − 450 included = 20 calls",
        "20 calls × 1.10 = 22.00",
        "this company's share of 22.00, for 40 of 470 calls: 1.87",
    ]


def test_no_company_sees_what_another_one_used() -> None:
    terms = of_organization(POOLED, minimum=MonthlyMinimum(Decimal(1000)))
    image = json.dumps([to_json(line) for line in rate_pool(asked(terms, 121, 43, 317))[0].lines])
    assert "481 calls" in image
    assert not any(figure in image for figure in ("43", "317"))


def test_what_is_not_pooled_is_each_companys_own() -> None:
    terms = of_organization(POOLED, replace(PER_MINUTE, included=Decimal(1)), fees=(PLATFORM,))
    requests = [
        replace(each, quantities={**each.quantities, "minutes": Quantity(Fraction(2), 0)})
        for each in asked(terms, 450, 1)
    ]
    rated = rate_pool(requests)
    assert amounts(rated) == [[110, 95], [0, 95]]
    assert amounts(rated, "fee") == [[4900], [4900]]


def test_floor_and_cap_are_the_pools_and_shared_alike_if_nobody_used_anything() -> None:
    terms = of_organization(replace(POOLED, minimum=Decimal("10.00"), maximum=Decimal("100.00")))
    assert amounts(rate_pool(asked(terms, 0, 0, 0))) == [[334], [333], [333]]
    assert amounts(rate_pool(asked(terms, 500, 500))) == [[5000], [5000]]


def test_the_minimum_is_pooled_if_all_that_counts_is() -> None:
    minimum = MonthlyMinimum(Decimal(1000))
    pooled = of_organization(replace(POOLED, included=None, rate=Decimal(1)), minimum=minimum)
    rated = rate_pool(asked(pooled, 120, 40, 310, earlier_spend={"calls": 1000, "x": 5}))
    assert amounts(rated, "minimum") == [[12766], [4255], [32979]]  # 1000 - 470 - 3 x 10 = 500
    assert rated[0].lines[-1].derivation[-1].text == "this company's share of 500.00, by its use: 127.66"
    alone = of_organization(*pooled.usage, PER_MINUTE, minimum=minimum)
    assert amounts(rate_pool(asked(alone, 120, 40)), "minimum") == [[88000], [96000]]
    named = replace(alone, minimum=replace(minimum, counts=("calls",)))
    assert amounts(rate_pool(asked(named, 120, 40)), "minimum") == [[63000], [21000]]


def test_calls_and_minutes_share_a_pooled_minimum_by_what_they_cost() -> None:
    usage = (replace(POOLED, included=None), replace(PER_MINUTE, pooled=True))
    terms = of_organization(*usage, minimum=MonthlyMinimum(Decimal("320.00")))
    one = january(terms, quantities={"calls": calls(100)})
    other = january(terms, quantities={"minutes": Quantity(Fraction(100), 0)})
    assert amounts(rate_pool([one, other]), "minimum") == [[6171], [5329]]  # 115.00 by 110 : 95
    assert amounts(rate_pool([january(terms)] * 2), "minimum") == [[16000], [16000]]


def test_a_company_without_a_share_has_no_true_up_line() -> None:
    terms = of_organization(replace(POOLED, included=None), minimum=MonthlyMinimum(Decimal(1000)))
    assert amounts(rate_pool(asked(terms, 1, 0)), "minimum") == [[99890], []]


def test_a_pool_is_priced_together_or_not_at_all() -> None:
    terms = of_organization(POOLED)
    with pytest.raises(ValueError, match="price them together"):
        rate(january(terms))
    assert pools_anything(terms)
    mixed = (
        january(of_organization(POOLED, PER_MINUTE)),
        replace(january(terms), period=FEBRUARY),
        january(terms, span=JANUARY.part(date(2021, 1, 2), JANUARY.end_day)),
        january(terms, closes_period=False),
    )
    for other in mixed:
        with pytest.raises(ValueError, match="the same terms and the same days"):
            rate_pool([january(terms), other])
    assert rate_pool([]) == []


def test_companies_of_one_pool_may_owe_different_fees() -> None:
    ahead = of_organization(POOLED, fees=(PLATFORM,))
    rated = rate_pool([*asked(ahead, 120), *asked(replace(ahead, fees=()), 40, 310)])
    assert amounts(rated) == [[562], [187], [1451]]
    assert amounts(rated, "fee") == [[4900], [], []]


def test_only_an_organization_pools() -> None:
    terms = terms_of(POOLED)
    assert not pools_anything(terms)
    assert amounts(rate_pool(asked(terms, 120, 310))) == [[0], [0]]
    assert rate(asked(terms, 120)[0]).total == 0


USE = st.lists(st.integers(0, 3000), min_size=1, max_size=6)


@given(USE, st.integers(0, 2000), st.decimals(0, 20, places=5), st.booleans())
def test_shares_add_up_to_the_price_of_the_total(
    numbers: list[int], included: int, price: Decimal, volume: bool
) -> None:
    tiers = (Tier(Decimal(500), price, Decimal(3)), Tier(None, price / 2))
    mode = "volume" if volume else "graduated"
    charge = replace(POOLED, rate=None, tiers=tiers, tier_mode=mode, included=Decimal(included))  # type: ignore[arg-type]
    minimum = MonthlyMinimum(Decimal("5000.00"))
    rated = rate_pool(asked(of_organization(charge, minimum=minimum), *numbers))
    whole = rate(january(terms_of(charge, minimum=minimum), quantities={"calls": calls(sum(numbers))}))
    assert sum(sum(line) for line in amounts(rated)) == whole.lines[0].amount
    assert sum(each.total for each in rated) == whole.total
    for number, (amount,) in zip(numbers, amounts(rated), strict=True):
        if sum(numbers):
            assert abs(amount - Fraction(whole.lines[0].amount * number, sum(numbers))) < 1


@given(USE, st.integers(0, 2000), st.decimals(0, 20, places=5))
def test_a_pool_never_costs_more_than_its_included_units_alone(
    numbers: list[int], included: int, price: Decimal
) -> None:
    """A company alone with the whole bundle pays at most what the pool pays."""
    charge = replace(POOLED, rate=price, included=Decimal(included))
    total = sum(each.total for each in rate_pool(asked(of_organization(charge), *numbers)))
    for number in numbers:
        assert rate(asked(terms_of(charge), number)[0]).total <= total
