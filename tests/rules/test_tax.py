"""Tax: M4."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.lines import RatedLine, TaxShare
from callbill.rules.money import CurrencyMismatch, round_half_away
from callbill.rules.tax import assess, rates_for, settle
from callbill.rules.terms import Tax, TaxRate
from tests.rules.rating_values import a_line

VAT = TaxRate("VAT", Decimal(20))
SALES = TaxRate("Sales tax", Decimal("8.875"), applies_to=("calls", "minimum"))


def taxed(*amounts: int, rates: tuple[TaxRate, ...] = (VAT,)) -> list[RatedLine]:
    return settle([assess(a_line(f"c{index}", amount), rates) for index, amount in enumerate(amounts)])


def test_the_figures_of_m4() -> None:
    lines = taxed(6833, 6833, 5750, 8500)
    assert [line.tax for line in lines] == [1367, 1366, 1150, 1700]
    assert sum(line.net + line.tax for line in lines) == 33499
    # Four credit notes for the four lines, each its amount and its stored tax, are the invoice again.
    assert [line.net + line.tax for line in lines] == [8200, 8199, 6900, 10200]


def test_tax_is_on_what_discounts_left() -> None:
    line = settle([assess(a_line("calls", 10000, discount=-1000), (VAT,))])[0]
    assert line.taxes == (TaxShare("VAT", Decimal(20), 9000, 1800),)
    assert line.derivation[-1].text == "VAT, 20 % of 90.00 = 18, rounded to 18.00"


def test_rates_apply_to_the_lines_they_name_or_to_all() -> None:
    tax = Tax(rates=(VAT, SALES))
    assert rates_for("calls", tax) == (VAT, SALES)
    assert rates_for("platform", tax) == (VAT,)
    assert rates_for("minimum", tax) == (VAT, SALES)
    assert rates_for(None, tax) == (VAT,)


def test_several_rates_round_each_for_itself() -> None:
    lines = taxed(10, rates=(TaxRate("State", Decimal(5)), TaxRate("City", Decimal(5))))
    assert [share.amount for share in lines[0].taxes] == [1, 1]
    assert lines[0].tax == 2


def test_settling_again_and_together_finds_the_tax_anew() -> None:
    first, second = taxed(2), taxed(2)  # each 0.004 of tax, together 0.008
    assert [line.tax for line in first + second] == [0, 0]
    together = settle(first + second)
    assert [line.tax for line in together] == [1, 0]
    assert settle(together) == together
    assert [step.kind for step in together[0].derivation] == ["tax"]
    assert together[1].derivation[0].text == (
        "VAT, 20 % of 0.04 = 0.008, rounded to 0.01; this line's share, for 0.02, is 0.00"
    )


def test_a_charge_and_its_credit_are_taxed_alike() -> None:
    assert [line.tax for line in taxed(9999, -9999)] == [2000, -2000]


def test_an_invoice_has_one_currency() -> None:
    with pytest.raises(CurrencyMismatch):
        settle([a_line("a", 1), a_line("b", 1, currency="EUR")])


@given(
    st.lists(st.integers(-(10**7), 10**8), max_size=10),
    st.lists(st.decimals(0, 100, places=4), min_size=1, max_size=3),
)
def test_shares_add_up_to_the_tax_of_each_rate(amounts: list[int], percents: list[Decimal]) -> None:
    rates = tuple(TaxRate(f"T{index}", percent) for index, percent in enumerate(percents))
    lines = taxed(*amounts, rates=rates)
    for index, percent in enumerate(percents):
        expected = round_half_away(sum(amounts) * Fraction(percent) / 100)
        assert sum(line.taxes[index].amount for line in lines) == expected
    for line in lines:
        for share in line.taxes:
            assert abs(share.amount - Fraction(share.taxable) * Fraction(share.percent) / 100) < 1
