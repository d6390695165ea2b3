"""Prices that include tax, exemption and reverse charge: M5."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.money import round_half_away
from callbill.rules.rating import AdjustmentItem, RatingRequest, rate
from callbill.rules.tax import percent_inside
from callbill.rules.terms import Discount, Fee, MonthlyMinimum, Tax, TaxRate, Terms
from callbill.rules.totals import TaxTotal, consolidate, tax_totals
from callbill.rules.treatment import Exempt, ReverseCharge, TaxTreatment
from tests.rules.rating_values import PER_CALL, calls, january, terms_of

VAT = TaxRate("VAT", Decimal(20))
INSIDE = Tax("inclusive", (VAT,))


def fees(*amounts: str, **more: object) -> Terms:
    return terms_of(fees=tuple(Fee(f"f{i}", f"F {i}", Decimal(a)) for i, a in enumerate(amounts)), **more)


def test_tax_inside_is_found_once_per_rate_and_not_per_line() -> None:
    rated = rate(january(fees("9.99", "9.99", "9.99", tax=INSIDE)))
    assert [(line.amount, line.tax, line.charged) for line in rated.lines] == [
        (832, 167, 999),
        (832, 167, 999),
        (833, 166, 999),
    ]
    assert (rated.subtotal, rated.tax, rated.total) == (2497, 500, 2997)
    assert [step.text for step in rated.lines[2].derivation if step.kind == "tax"] == [
        "VAT, 20 % inside 29.97: × 20/120 = 4.995, rounded to 5.00; this line's share, for 9.99, is 1.66",
        "9.99 − 1.66 tax inside = 8.33",
    ]
    assert tax_totals(rated.lines) == (TaxTotal("VAT", Decimal(20), 2497, 500),)


def test_several_rates_inside_are_each_their_part_of_the_same_net() -> None:
    city = TaxRate("City", Decimal("1.5"), applies_to=("f0",))
    tax = Tax("inclusive", (TaxRate("State", Decimal(5)), city))
    rated = rate(january(fees("106.50", "105.00", tax=tax)))
    assert [[share.amount for share in line.taxes] for line in rated.lines] == [[500, 150], [500]]
    assert [line.amount for line in rated.lines] == [10000, 10000]
    assert percent_inside("f0", tax) == Fraction("6.5")
    assert percent_inside("f0", replace(tax, behavior="exclusive")) == 0


def test_a_discount_a_minimum_and_a_credit_include_their_tax() -> None:
    terms = terms_of(
        replace(PER_CALL, rate=Decimal("1.20")),
        discounts=(Discount("Off", percent=Decimal(10)),),
        minimum=MonthlyMinimum(Decimal("120.00")),
        tax=INSIDE,
    )
    credit = AdjustmentItem("a", "Outage", -2400, charge="calls")
    rated = rate(january(terms, quantities={"calls": calls(100)}, adjustments=(credit,)))
    assert [(line.kind, line.amount, line.tax) for line in rated.lines] == [
        ("usage", 10000, 1800),
        ("minimum", 1000, 200),
        ("discount", -1000, 0),
        ("adjustment", -2000, -400),
    ]
    assert [line.charged for line in rated.lines] == [10800, 1200, -1000, -2400]
    assert rated.total == 12000 - 2400
    assert rated.lines[0].discount == -1000
    assert rated.lines[2].derivation[-1].text == "-12.00 with the tax inside is -10.00 without it"


def test_sections_settled_together_keep_their_prices() -> None:
    alone = [rate(january(fees("9.99", tax=INSIDE))) for _ in range(3)]
    assert [rated.tax for rated in alone] == [167, 167, 167]
    together = consolidate(alone)
    assert [(rated.tax, rated.total) for rated in together] == [(167, 999), (167, 999), (166, 999)]
    assert consolidate(together) == together


EXEMPT = Exempt("EX-7", date(2021, 1, 1), date(2021, 1, 31), "for resale")
NOTE = "Exempt from tax, certificate EX-7: for resale"


@pytest.mark.parametrize(
    ("treatment", "note"),
    [
        (EXEMPT, NOTE),
        (Exempt("EX-8"), "Exempt from tax, certificate EX-8"),
        (replace(EXEMPT, from_date=date(2021, 1, 2)), ""),
        (replace(EXEMPT, until_date=date(2021, 1, 30)), ""),
        (ReverseCharge("DE136695976"), "Reverse charge, tax id DE136695976"),
    ],
)
def test_no_tax_for_a_reason_that_is_printed(treatment: TaxTreatment, note: str) -> None:
    rated = rate(january(fees("100.00", tax=Tax(rates=(VAT,))), tax_treatment=treatment))
    line = rated.lines[0]
    assert (rated.tax_note, rated.tax, rated.total) == (note, 0 if note else 2000, 10000 if note else 12000)
    assert [(share.amount, share.reason) for share in line.taxes] == [(0 if note else 2000, note)]
    if note:
        assert line.derivation[-1].text == f"VAT, 20 %, is not charged. {note}"
        assert tax_totals(rated.lines) == (TaxTotal("VAT", Decimal(20), 10000, 0, note),)
    assert consolidate([rated]) == [rated]


def test_who_pays_no_tax_pays_the_price_without_the_tax_inside() -> None:
    rated = rate(january(fees("9.99", "9.99", "9.99", tax=INSIDE), tax_treatment=EXEMPT))
    assert [(line.amount, line.tax, line.charged) for line in rated.lines] == [
        (832, 0, 999),
        (832, 0, 999),
        (833, 0, 999),
    ]
    assert (rated.total, rated.tax_note) == (2497, NOTE)
    assert consolidate([rated]) == [rated]


def test_a_contract_without_taxes_prints_the_note_all_the_same() -> None:
    assert (
        rate(january(fees("1.00"), tax_treatment=ReverseCharge("X"))).tax_note == "Reverse charge, tax id X"
    )


PERCENTS = st.decimals(0, 100, places=3)


@st.composite
def inclusive(draw: st.DrawFn) -> RatingRequest:
    amounts = draw(st.lists(st.decimals(0, 1000, places=2), min_size=1, max_size=5))
    ids = st.lists(st.sampled_from([f"f{index}" for index in range(len(amounts))]), max_size=2).map(tuple)
    rates = draw(st.lists(st.builds(TaxRate, st.sampled_from("AB"), PERCENTS, ids), max_size=3))
    discounts = draw(st.lists(st.builds(Discount, st.just("D"), PERCENTS, applies_to=ids), max_size=2))
    minimum = draw(st.none() | st.builds(MonthlyMinimum, st.decimals(0, 3000, places=2), ids))
    return january(
        fees(
            *(str(amount) for amount in amounts),
            tax=Tax("inclusive", tuple(rates)),
            discounts=tuple(discounts),
            minimum=minimum,
        )
    )


@given(inclusive())
def test_the_total_is_the_prices_whatever_the_tax(request_: RatingRequest) -> None:
    rated = rate(request_)
    untaxed = rate(replace(request_, terms=replace(request_.terms, tax=Tax())))
    assert rated.total == untaxed.total
    assert [line.charged for line in rated.lines if line.kind != "discount"] == [
        line.net for line in untaxed.lines if line.kind != "discount"
    ]
    assert sum(line.discount for line in rated.lines) == sum(
        line.amount for line in rated.lines if line.kind == "discount"
    )
    exact: dict[tuple[str, Decimal], Fraction] = {}
    for line in rated.lines:
        inside = sum(Fraction(share.percent) for share in line.taxes)
        for share in line.taxes:
            part = line.charged * Fraction(share.percent) / (100 + inside)
            key = (share.name, share.percent)
            exact[key] = exact.get(key, Fraction(0)) + part
            assert abs(part - share.amount) < 1
    found = {(total.name, total.percent): total.amount for total in tax_totals(rated.lines)}
    assert found == {key: round_half_away(part) for key, part in exact.items()}
    assert consolidate([rated]) == [rated]
