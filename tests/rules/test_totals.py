"""Subtotal, tax and total; sections of one invoice: M4, M31."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.money import CurrencyMismatch
from callbill.rules.rating import rate
from callbill.rules.tax import settle
from callbill.rules.terms import Tax, TaxRate
from callbill.rules.totals import Rated, TaxTotal, consolidate, tax_totals, total_of
from tests.rules.rating_values import PER_CALL, a_line, calls, january, terms_of

VAT = Tax(rates=(TaxRate("VAT", Decimal("8.875")),))


def section(count: int) -> Rated:
    """A company's January of so many calls at 1.35, with tax."""
    return rate(january(terms_of(PER_CALL, tax=VAT), quantities={"calls": calls(count)}))


def test_a_total_is_subtotal_and_tax() -> None:
    rated = section(100)
    assert (rated.subtotal, rated.tax, rated.total) == (13500, 1198, 14698)
    assert tax_totals(rated.lines) == (TaxTotal("VAT", Decimal("8.875"), 13500, 1198),)


def test_nothing_adds_up_to_nothing() -> None:
    assert total_of([], "USD") == Rated("USD", (), 0, 0, 0)
    assert consolidate([]) == []
    with pytest.raises(CurrencyMismatch):
        total_of([a_line("a", 1)], "EUR")


def test_tax_of_a_consolidated_invoice_rounds_once() -> None:
    alone = [section(3), section(3)]  # 4.05 each: 0.3594 of tax, 0.36; together 0.7189, 0.72
    assert [rated.tax for rated in alone] == [36, 36]
    assert [rated.tax for rated in consolidate(alone)] == [36, 36]
    alone = [section(2), section(2), section(2)]  # 2.70 each: 0.2396, 0.24; together 0.7189, 0.72
    assert sum(rated.tax for rated in consolidate(alone)) == 72
    alone = [section(1)] * 4  # 1.35 each: 0.1198, 0.12; together 0.479, 0.48
    assert sum(rated.tax for rated in consolidate(alone)) == 48
    alone = [section(11)] * 3  # 14.85 each: 1.3179, 1.32; together 3.9538, 3.95
    assert [rated.tax for rated in alone] == [132, 132, 132]
    assert [rated.tax for rated in consolidate(alone)] == [132, 132, 131]


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=6))
def test_sections_add_up_to_the_invoice(counts: list[int]) -> None:
    alone = [section(count) for count in counts]
    sections = consolidate(alone)
    lines = [line for rated in sections for line in rated.lines]
    invoice = total_of(settle(lines), "USD")
    assert sum(rated.tax for rated in sections) == invoice.tax
    assert sum(rated.total for rated in sections) == invoice.total
    assert [rated.subtotal for rated in sections] == [rated.subtotal for rated in alone]
    assert consolidate(sections) == sections
    assert tax_totals(invoice.lines)[0].amount == invoice.tax
