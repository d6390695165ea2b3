"""What the comparison found, at its smallest."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from callbill.rules.lines import from_json, to_json
from callbill.rules.period import Period, period_named
from callbill.rules.prices import Quantity
from callbill.rules.rating import RatingRequest, rate
from callbill.rules.terms import MonthlyMinimum, Tax, TaxRate, Terms, UsageCharge
from callbill.rules.treatment import ReverseCharge

CALLS = UsageCharge("calls", "Calls", "call", Decimal("1.20"))


def test_prices_with_tax_count_whole_toward_a_minimum_also_of_a_payer_who_is_not_taxed() -> None:
    """What an earlier part came to was told without the tax inside, and the true-up asked for it again."""
    terms = Terms(
        "EUR",
        "UTC",
        date(2026, 1, 1),
        usage=(CALLS,),
        minimum=MonthlyMinimum(Decimal(120)),
        tax=Tax("inclusive", (TaxRate("VAT", Decimal(20)),)),
    )
    period = period_named("2026-01", 1, "UTC")
    cut = date(2026, 1, 11)

    def lines(span: Period, calls: int, closes: bool, earlier: dict[str, int]) -> list[tuple[str, int, int]]:
        request = RatingRequest(
            terms=terms,
            period=period,
            span=span,
            quantities={"calls": Quantity(Fraction(calls), calls)},
            closes_period=closes,
            earlier_spend=earlier,
            tax_treatment=ReverseCharge("ATU12345675"),
        )
        rated = rate(request)
        assert [from_json(to_json(line)) for line in rated.lines] == list(rated.lines)
        return [(line.kind, line.amount, line.charged) for line in rated.lines]

    whole = lines(period, 100, True, {})
    assert whole == [("usage", 10000, 12000)]
    first = lines(Period(period.first_day, cut, "UTC"), 100, False, {})
    assert first == whole
    last = lines(Period(cut, period.end_day, "UTC"), 0, True, {"calls": first[0][2]})
    assert last == [("usage", 0, 0)]
