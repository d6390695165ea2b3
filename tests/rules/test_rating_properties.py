"""What holds for the lines of any contract that is priced, and any use of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.counting import ChargeCount
from callbill.rules.lines import from_json, to_json
from callbill.rules.money import to_minor
from callbill.rules.period import period_containing
from callbill.rules.rating import (
    AdjustmentItem,
    Quantity,
    RatingRequest,
    rate,
)
from callbill.rules.terms import (
    Discount,
    Fee,
    MonthlyMinimum,
    Tax,
    TaxRate,
    Terms,
    UsageCharge,
)
from tests.rules.rating_values import (
    JANUARY,
    PER_CALL,
    PLATFORM,
    ZONE,
    calls,
    january,
    terms_of,
)

RATES = st.decimals(0, 1000, places=6)
PERCENTS = st.decimals(0, 100, places=3)


@st.composite
def requests(draw: st.DrawFn) -> RatingRequest:
    """Any contract that is priced now, any use of it, any part of a month."""
    usage = tuple(
        UsageCharge(f"u{index}", f"Usage {index}", draw(st.sampled_from(["call", "minute"])), draw(RATES))
        for index in range(draw(st.integers(0, 3)))
    )
    fees = tuple(
        Fee(
            f"f{index}",
            f"Fee {index}",
            draw(RATES),
            every=draw(st.sampled_from(["month", "once"])),
            when=draw(st.sampled_from(["advance", "arrears"])),
            quantity=draw(st.decimals(0, 20, places=2)),
        )
        for index in range(draw(st.integers(0, 3)))
    )
    fees = tuple(replace(fee, prorate=draw(st.booleans())) if fee.every == "month" else fee for fee in fees)
    some_ids = st.lists(
        st.sampled_from([*(x.id for x in usage), *(x.id for x in fees), "minimum"]), max_size=3
    ).map(tuple)
    terms = Terms(
        currency=draw(st.sampled_from(["USD", "JPY", "KWD"])),
        time_zone=ZONE,
        effective_from=date(2020, 1, 1),
        usage=usage,
        fees=fees,
        minimum=draw(st.none() | st.builds(MonthlyMinimum, RATES, some_ids, st.booleans())),
        discounts=tuple(
            draw(st.lists(st.builds(Discount, st.just("D"), PERCENTS, applies_to=some_ids), max_size=3))
        ),
        tax=Tax(
            rates=tuple(
                draw(st.lists(st.builds(TaxRate, st.sampled_from("AB"), PERCENTS, some_ids), max_size=3))
            )
        ),
    )
    period = period_containing(
        draw(st.dates(date(2020, 1, 1), date(2030, 1, 1))), draw(st.integers(1, 31)), ZONE
    )
    cut = draw(st.integers(0, period.days - 1))
    return RatingRequest(
        terms=terms,
        period=period,
        span=period.part(period.first_day + timedelta(days=cut), period.end_day),
        quantities={
            charge.id: Quantity.counted(
                ChargeCount(charge.id, draw(st.integers(0, 10**5)), draw(st.integers(0, 10**7))), charge.unit
            )
            for charge in usage
        },
        once_fees=frozenset(fee.id for fee in fees if fee.every == "once" and draw(st.booleans())),
        adjustments=tuple(
            draw(
                st.lists(
                    st.builds(AdjustmentItem, st.just("a"), st.just("A"), st.integers(-(10**6), 10**6)),
                    max_size=2,
                )
            )
        ),
    )


@given(requests())
def test_lines_always_add_up(request_: RatingRequest) -> None:
    rated = rate(request_)
    assert rated == rate(request_)
    assert rated.subtotal == sum(line.amount for line in rated.lines)
    assert rated.tax == sum(line.tax for line in rated.lines)
    assert rated.total == rated.subtotal + rated.tax
    shares = sum(line.discount for line in rated.lines)
    assert shares == sum(line.amount for line in rated.lines if line.kind == "discount")
    assert [line.charge for line in rated.lines if line.kind == "usage"] == [
        c.id for c in request_.terms.usage
    ]
    for line in rated.lines:
        assert line.derivation
        if line.kind == "usage":
            assert line.rate is not None
            assert line.amount == to_minor(line.quantity * Fraction(line.rate), rated.currency)
        assert from_json(to_json(line)) == line


@given(requests())
def test_the_counted_spend_is_never_below_the_minimum(request_: RatingRequest) -> None:
    minimum = request_.terms.minimum
    if minimum is None:
        return
    rated = rate(request_)
    names = minimum.counts or tuple(charge.id for charge in request_.terms.usage)
    counted = sum(line.net for line in rated.lines if line.charge in names and line.kind in ("usage", "fee"))
    true_up = sum(line.amount for line in rated.lines if line.kind == "minimum")
    due = Fraction(minimum.amount) * (request_.part.fraction if minimum.prorate else 1)
    assert true_up >= 0
    assert counted + true_up == max(counted, to_minor(due, rated.currency))


@given(st.integers(0, 10**6), st.integers(0, 10**6), RATES)
def test_more_calls_never_cost_less(number: int, more: int, price: Decimal) -> None:
    terms = terms_of(replace(PER_CALL, rate=price), minimum=MonthlyMinimum(Decimal(100)))
    few = rate(january(terms, quantities={"calls": calls(number)}))
    many = rate(january(terms, quantities={"calls": calls(number + more)}))
    assert many.total >= few.total


@given(st.integers(1, 30), st.decimals(0, 10_000, places=2))
def test_prorated_parts_add_up_to_the_whole_but_for_a_cent(cut: int, price: Decimal) -> None:
    terms = terms_of(fees=(replace(PLATFORM, amount=price, prorate=True),))
    middle = date(2021, 1, 1 + cut)
    parts = (JANUARY.part(JANUARY.first_day, middle), JANUARY.part(middle, JANUARY.end_day))
    amounts = [rate(january(terms, span=span)).total for span in parts]
    assert abs(sum(amounts) - rate(january(terms)).total) <= 1
    assert all(amount >= 0 for amount in amounts)
