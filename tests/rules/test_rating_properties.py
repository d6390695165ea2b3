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
    Package,
    QuantityOverTime,
    Tax,
    TaxRate,
    Terms,
    Tier,
    UsageCharge,
)
from callbill.rules.treatment import TAXED, Exempt, ReverseCharge
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
def charges(draw: st.DrawFn, number: int) -> UsageCharge:
    """Any usage charge whose calls need not be known one by one."""
    price = draw(st.sampled_from(["rate", "rate", "tiers", "package"]))
    bounds = sorted(draw(st.sets(st.integers(1, 10**5), max_size=3))) if price == "tiers" else []
    least = draw(st.none() | st.integers(0, 1000))
    tiers = [Tier(Decimal(bound), draw(RATES), draw(RATES)) for bound in bounds]
    return UsageCharge(
        f"u{number}",
        f"Usage {number}",
        draw(st.sampled_from(["call", "minute"])),
        rate=draw(RATES) if price == "rate" else None,
        tiers=(*tiers, Tier(None, draw(RATES))) if price == "tiers" else (),
        tier_mode=draw(st.sampled_from(["graduated", "volume"])),
        package=Package(draw(st.integers(1, 500)), draw(RATES)) if price == "package" else None,
        included=draw(st.none() | st.integers(0, 10**5).map(Decimal)),
        connection_fee=draw(st.none() | RATES),
        minimum=None if least is None else Decimal(least),
        maximum=draw(st.none() | st.integers(1000, 10**6).map(Decimal)),
        prorate=draw(st.booleans()),
    )


OVER_TIME = st.builds(
    QuantityOverTime, st.sampled_from(["fixed", "maximum", "average", "end"]), st.just("seats")
)
TREATMENTS = st.sampled_from([TAXED, Exempt("EX-7", until_date=date(2025, 1, 1)), ReverseCharge("X")])


@st.composite
def requests(draw: st.DrawFn) -> RatingRequest:
    """Any contract, any use of it, any part of a month."""
    usage = tuple(draw(charges(index)) for index in range(draw(st.integers(0, 3))))
    fees = tuple(
        Fee(
            f"f{index}",
            f"Fee {index}",
            draw(RATES),
            every=draw(st.sampled_from(["month", "once"])),
            when=draw(st.sampled_from(["advance", "arrears"])),
            quantity=draw(st.decimals(0, 20, places=2) | OVER_TIME),
        )
        for index in range(draw(st.integers(0, 3)))
    )
    fees = tuple(replace(fee, prorate=draw(st.booleans())) if fee.every == "month" else fee for fee in fees)
    some_ids = st.lists(
        st.sampled_from([*(x.id for x in usage), *(x.id for x in fees), "minimum"]), max_size=3
    ).map(tuple)
    percent = st.builds(Discount, st.just("D"), PERCENTS, applies_to=some_ids)
    amount = st.builds(Discount, st.just("D"), amount=st.integers(0, 10**4).map(Decimal), applies_to=some_ids)
    terms = Terms(
        currency=draw(st.sampled_from(["USD", "JPY", "KWD"])),
        time_zone=ZONE,
        effective_from=date(2020, 1, 1),
        usage=usage,
        fees=fees,
        minimum=draw(st.none() | st.builds(MonthlyMinimum, RATES, some_ids, st.booleans())),
        discounts=tuple(draw(st.lists(percent | amount, max_size=3))),
        tax=Tax(
            draw(st.sampled_from(["exclusive", "inclusive"])),
            rates=tuple(
                draw(st.lists(st.builds(TaxRate, st.sampled_from("AB"), PERCENTS, some_ids), max_size=3))
            ),
        ),
    )
    period = period_containing(
        draw(st.dates(date(2020, 1, 1), date(2030, 1, 1))), draw(st.integers(1, 31)), ZONE
    )
    cut = draw(st.just(0) | st.integers(0, period.days - 1))
    seats = draw(
        st.dictionaries(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 99).map(Decimal))
    )
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
        quantity_history={"seats": ((date(2019, 12, 1), Decimal(7)), *seats.items())},
        closes_period=draw(st.booleans()),
        earlier_spend=draw(st.dictionaries(st.sampled_from(["u0", "f0"]), st.integers(0, 10**5))),
        tax_treatment=draw(TREATMENTS),
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
        assert from_json(to_json(line)) == line


@given(requests())
def test_a_plain_charge_is_its_quantity_times_its_rate(request_: RatingRequest) -> None:
    plain = tuple(
        UsageCharge(charge.id, charge.name, charge.unit, charge.rate or Decimal(1))
        for charge in request_.terms.usage
    )
    terms = replace(request_.terms, usage=plain, tax=Tax())
    for line in rate(replace(request_, terms=terms)).lines:
        if line.kind == "usage":
            assert line.rate is not None
            assert line.amount == to_minor(line.quantity * Fraction(line.rate), terms.currency)


@given(requests())
def test_the_counted_spend_is_never_below_the_minimum(request_: RatingRequest) -> None:
    minimum = request_.terms.minimum
    if minimum is None or not (request_.closes_period or minimum.prorate):
        return
    terms = replace(request_.terms, tax=Tax())
    rated = rate(replace(request_, terms=terms))
    names = minimum.counts or tuple(charge.id for charge in terms.usage)
    counted = sum(line.net for line in rated.lines if line.charge in names and line.kind in ("usage", "fee"))
    if not minimum.prorate:
        counted += sum(request_.earlier_spend.get(name, 0) for name in names)
    true_up = sum(line.amount for line in rated.lines if line.kind == "minimum")
    due = Fraction(minimum.amount) * (request_.part.fraction if minimum.prorate else 1)
    assert true_up >= 0
    assert counted + true_up == max(counted, to_minor(due, rated.currency))


@given(requests())
def test_the_price_does_not_depend_on_who_pays_the_tax(request_: RatingRequest) -> None:
    """Whoever is taxed pays the price and the tax; whoever is not pays the same less the tax."""
    taxed = rate(replace(request_, tax_treatment=TAXED))
    free = rate(replace(request_, tax_treatment=ReverseCharge("X")))
    assert [line.amount for line in free.lines] == [line.amount for line in taxed.lines]
    assert (free.subtotal, free.tax, free.total) == (taxed.subtotal, 0, taxed.subtotal)


@given(requests())
def test_discounts_and_taxes_of_nothing_change_nothing(request_: RatingRequest) -> None:
    terms = request_.terms
    nothing = (*terms.discounts, Discount("None", percent=Decimal(0)), Discount("None", amount=Decimal(0)))
    zero = TaxRate("None", Decimal(0))
    same = replace(terms, discounts=nothing, tax=replace(terms.tax, rates=(*terms.tax.rates, zero)))
    before, after = rate(request_), rate(replace(request_, terms=same))
    assert [(line.charge, line.amount, line.discount, line.tax) for line in before.lines] == [
        (line.charge, line.amount, line.discount, line.tax) for line in after.lines
    ]


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
