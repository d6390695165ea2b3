"""From terms and quantities to lines: M1 to M4, M9, M16, M17."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from fractions import Fraction

import pytest

from callbill.rules.counting import ChargeCount, Count
from callbill.rules.lines import RatedLine
from callbill.rules.period import Part
from callbill.rules.prices import quantities
from callbill.rules.rating import (
    AdjustmentItem,
    NotPriced,
    Quantity,
    RatingRequest,
    rate,
    set_up_fees,
    unpriced,
)
from callbill.rules.terms import (
    Discount,
    Fee,
    MonthlyMinimum,
    Package,
    Scope,
    Tax,
    TaxRate,
    Terms,
    Tier,
)
from callbill.rules.totals import Rated
from tests.rules.rating_values import (
    FEBRUARY,
    JANUARY,
    PER_CALL,
    PER_MINUTE,
    PLATFORM,
    SET_UP,
    calls,
    january,
    terms_of,
)


def brief(rated: Rated) -> list[tuple[str, str, int]]:
    return [(line.kind, line.charge, line.amount) for line in rated.lines]


def only(rated: Rated, kind: str) -> RatedLine:
    (line,) = [line for line in rated.lines if line.kind == kind]
    return line


def minutes(count: int, seconds: int) -> Quantity:
    return Quantity.counted(ChargeCount("minutes", count, seconds), "minute")


def test_acme_january_is_filled_up_to_its_minimum() -> None:
    terms = terms_of(PER_CALL, minimum=MonthlyMinimum(Decimal("1500.00")))
    rated = rate(january(terms, quantities={"calls": calls(761)}))
    assert brief(rated) == [("usage", "calls", 102735), ("minimum", "minimum", 47265)]
    assert (rated.subtotal, rated.tax, rated.total) == (150000, 0, 150000)
    assert rated.lines[0].derivation[0].text == "761 calls × 1.35 = 1027.35"
    assert rated.lines[1].derivation[-1].text == "1500.00 − 1027.35 = 472.65"


def test_borealis_january_is_minutes_and_a_fee_in_arrears() -> None:
    rated = rate(
        january(terms_of(PER_MINUTE, fees=(PLATFORM,)), quantities={"minutes": minutes(711, 467508)})
    )
    assert brief(rated) == [("usage", "minutes", 740221), ("fee", "platform", 4900)]
    assert rated.total == 745121
    assert [step.text for step in rated.lines[0].derivation] == [
        "711 calls, 467508 billed seconds ÷ 60 = 7791.8 minutes",
        "7791.8 minutes × 0.95 = 7402.21",
    ]


def test_cobalt_january_taxes_the_calls_only() -> None:
    charge = replace(PER_CALL, rate=Decimal("1.10"))
    tax = Tax(rates=(TaxRate("Sales tax", Decimal("8.875"), applies_to=("calls",)),))
    request = january(
        terms_of(charge, fees=(SET_UP,), tax=tax),
        quantities={"calls": calls(721)},
        once_fees=frozenset({"setup"}),
    )
    rated = rate(request)
    assert brief(rated) == [("usage", "calls", 79310), ("fee", "setup", 25000)]
    assert [line.tax for line in rated.lines] == [7039, 0]
    assert (rated.subtotal, rated.tax, rated.total) == (104310, 7039, 111349)
    assert brief(rate(replace(request, once_fees=frozenset()))) == [("usage", "calls", 79310)]


def test_a_line_is_rounded_once_not_call_by_call() -> None:
    charge = replace(PER_MINUTE, rate=Decimal("0.10"))
    line = rate(january(terms_of(charge), quantities={"minutes": minutes(1000, 37_000)})).lines[0]
    assert line.amount == 6167
    assert [step.text for step in line.derivation][1:] == [
        "616.666666… minutes × 0.10 = 61.666666…",
        "rounded to 61.67",
    ]
    assert line.quantity == Fraction(37_000, 60)


@pytest.mark.parametrize(
    ("currency", "price", "number", "amount"),
    [
        ("JPY", "0.5", 5, 3),
        ("JPY", "150", 3, 450),
        ("KWD", "0.0005", 1, 1),
        ("USD", "0.005", 1, 1),
        ("USD", "0.0049", 1, 0),
    ],
)
def test_amounts_are_whole_minor_units_of_the_currency(
    currency: str, price: str, number: int, amount: int
) -> None:
    terms = terms_of(replace(PER_CALL, rate=Decimal(price)), currency=currency)
    assert rate(january(terms, quantities={"calls": calls(number)})).total == amount


def test_every_usage_charge_has_a_line_also_without_use() -> None:
    rated = rate(january(terms_of(PER_CALL, PER_MINUTE)))
    assert brief(rated) == [("usage", "calls", 0), ("usage", "minutes", 0)]
    assert rated.lines[0].derivation[0].text == "0 calls × 1.35 = 0.00"


def test_a_count_becomes_quantities() -> None:
    terms = terms_of(PER_CALL, PER_MINUTE)
    count = Count(9, 7, {"no_charge": 2}, (ChargeCount("calls", 3, 90), ChargeCount("minutes", 4, 90)))
    assert quantities(count, terms) == {"calls": calls(3), "minutes": Quantity(Fraction(3, 2), 4)}


def test_stated_quantities() -> None:
    assert Quantity.stated(Decimal("123.5"), "minute") == Quantity(Fraction(247, 2), 0)
    assert Quantity.stated(Decimal("6200"), "call") == calls(6200)
    for units, unit in ((Decimal("0.5"), "call"), (Decimal(-1), "call"), (Decimal("-0.5"), "minute")):
        with pytest.raises(ValueError, match=r"whole|negative"):
            Quantity.stated(units, unit)  # type: ignore[arg-type]


LATE_JANUARY = JANUARY.part(date(2021, 1, 10), date(2021, 2, 1))


@pytest.mark.parametrize(
    ("fee", "amount"),
    [
        (PLATFORM, 4900),
        (replace(PLATFORM, prorate=True), 3477),  # 49.00 x 22/31 = 34.774
        (replace(PLATFORM, quantity=Decimal("2.5")), 12250),
        (replace(PLATFORM, when="advance", prorate=True), 3477),
    ],
)
def test_a_part_of_a_month_prorates_fees_that_say_so(fee: Fee, amount: int) -> None:
    line = rate(january(terms_of(fees=(fee,)), span=LATE_JANUARY)).lines[0]
    assert (line.amount, line.period) == (amount, LATE_JANUARY)
    prorated = [step.text for step in line.derivation if step.kind == "prorate"]
    assert prorated == (
        ["10 to 31 January 2021 is 22 of 31 days: × 22/31 = 34.774193…"] if fee.prorate else []
    )


def test_fees_in_advance_are_for_the_parts_that_are_asked_for() -> None:
    fees = (replace(PLATFORM, when="advance", prorate=True), Fee("extra", "Add-on", Decimal(10)))
    advance = (Part(LATE_JANUARY, JANUARY), Part.all_of(FEBRUARY))
    rated = rate(january(terms_of(fees=fees), advance_for=advance))
    assert [(line.charge, line.period, line.amount) for line in rated.lines] == [
        ("platform", LATE_JANUARY, 3477),
        ("platform", FEBRUARY, 4900),
        ("extra", JANUARY, 1000),
    ]
    assert brief(rate(january(terms_of(fees=fees), advance_for=()))) == [("fee", "extra", 1000)]


@pytest.mark.parametrize(
    ("minimum", "true_up"),
    [
        (MonthlyMinimum(Decimal(1000)), 1000_00 - 135_00 - 95_00),
        (MonthlyMinimum(Decimal(1000), counts=("calls",)), 1000_00 - 135_00),
        (MonthlyMinimum(Decimal(1000), counts=("calls", "platform")), 1000_00 - 135_00 - 49_00),
        (MonthlyMinimum(Decimal("230.00")), None),
        (MonthlyMinimum(Decimal("230.01")), 1),
        (MonthlyMinimum(Decimal(1000), prorate=True), 1000_00 - 230_00),
    ],
)
def test_the_true_up_fills_the_counted_charges(minimum: MonthlyMinimum, true_up: int | None) -> None:
    terms = terms_of(PER_CALL, PER_MINUTE, fees=(PLATFORM,), minimum=minimum)
    rated = rate(january(terms, quantities={"calls": calls(100), "minutes": minutes(100, 6000)}))
    assert [line.amount for line in rated.lines if line.kind == "minimum"] == ([true_up] if true_up else [])


def test_a_commitment_of_1000_with_450_used_adds_550() -> None:
    terms = terms_of(replace(PER_CALL, rate=Decimal(1)), minimum=MonthlyMinimum(Decimal(1000)))
    assert only(rate(january(terms, quantities={"calls": calls(450)})), "minimum").amount == 55000


def test_a_minimum_that_prorates_shrinks_by_days() -> None:
    terms = terms_of(PER_CALL, minimum=MonthlyMinimum(Decimal(1000), prorate=True))
    line = only(rate(january(terms, span=LATE_JANUARY)), "minimum")
    assert line.amount == 70968  # 1000 x 22/31 = 709.677
    assert (
        only(
            rate(january(replace(terms, minimum=MonthlyMinimum(Decimal(1000))), span=LATE_JANUARY)), "minimum"
        ).amount
        == 100000
    )


def test_discounts_reduce_the_spend_that_counts_but_not_the_true_up() -> None:
    terms = terms_of(
        PER_CALL,
        fees=(PLATFORM,),
        minimum=MonthlyMinimum(Decimal(200)),
        discounts=(Discount("Promotion", percent=Decimal(10)),),
        tax=Tax(rates=(TaxRate("VAT", Decimal(20)),)),
    )
    rated = rate(january(terms, quantities={"calls": calls(100)}))
    # Calls 135.00 - 13.50 = 121.50; fee 49.00 - 4.90; true-up 200 - 121.50.
    assert brief(rated) == [
        ("usage", "calls", 13500),
        ("fee", "platform", 4900),
        ("minimum", "minimum", 7850),
        ("discount", "discount-1", -1840),
    ]
    assert rated.subtotal == 24410
    assert rated.tax == 4882
    assert only(rated, "discount").taxes == ()


EARLY_JANUARY = JANUARY.part(date(2021, 1, 1), date(2021, 1, 10))


def test_a_minimum_that_does_not_prorate_is_filled_up_once_over_both_parts() -> None:
    terms = terms_of(PER_CALL, PER_MINUTE, minimum=MonthlyMinimum(Decimal(1000), counts=("calls",)))
    first = january(terms, span=EARLY_JANUARY, quantities={"calls": calls(300)}, closes_period=False)
    assert brief(rate(first)) == [("usage", "calls", 40500), ("usage", "minutes", 0)]
    last = january(
        terms,
        span=LATE_JANUARY,
        quantities={"calls": calls(200)},
        earlier_spend={"calls": 40500, "minutes": 700},
    )
    line = only(rate(last), "minimum")
    assert line.amount == 100000 - 40500 - 27000
    assert line.derivation[1].text == "Earlier in the period, after discounts: 405.00"


def test_a_minimum_that_prorates_is_each_parts_own() -> None:
    terms = terms_of(PER_CALL, minimum=MonthlyMinimum(Decimal(310), prorate=True))
    first = january(terms, span=EARLY_JANUARY, closes_period=False)
    last = january(terms, span=LATE_JANUARY, earlier_spend={"calls": 99999})
    assert [only(rate(each), "minimum").amount for each in (first, last)] == [9000, 22000]


def test_adjustments_are_lines_taxed_as_the_charge_they_correct() -> None:
    tax = Tax(
        rates=(TaxRate("Sales tax", Decimal(10), applies_to=("calls",)), TaxRate("City tax", Decimal(1)))
    )
    items = (
        AdjustmentItem("a1", "Outage 3 January", -1000, charge="calls"),
        AdjustmentItem("a2", "Promotion", -1000),
        AdjustmentItem("a3", "Correction", 500, taxable=False),
    )
    terms = terms_of(PER_CALL, minimum=MonthlyMinimum(Decimal(135)), tax=tax)
    rated = rate(january(terms, quantities={"calls": calls(100)}, adjustments=items))
    # A credit does not make a true-up necessary (M17).
    assert brief(rated) == [
        ("usage", "calls", 13500),
        ("adjustment", "a1", -1000),
        ("adjustment", "a2", -1000),
        ("adjustment", "a3", 500),
    ]
    assert [line.tax for line in rated.lines] == [1350 + 135, -100 - 10, -10, 0]


@pytest.mark.parametrize(
    ("terms", "path"),
    [
        (terms_of(replace(PER_CALL, rate=None)), "usage[0]"),
        (terms_of(replace(PER_CALL, package=Package(100, Decimal(10)))), "usage[0]"),
        (terms_of(replace(PER_CALL, rate=None, tiers=(Tier(Decimal(10), Decimal(1)),))), "usage[0].tiers"),
        (terms_of(fees=(PLATFORM, replace(SET_UP, prorate=True))), "fee[1].prorate"),
        (terms_of(discounts=(Discount("Off"),)), "discount[0]"),
    ],
)
def test_what_cannot_be_priced_is_refused_with_its_place(terms: Terms, path: str) -> None:
    assert [problem.path for problem in unpriced(terms)] == [path]
    with pytest.raises(NotPriced, match=r"price|open|charged once|by amount") as refused:
        rate(january(terms))
    assert refused.value.problems == tuple(unpriced(terms))


def test_everything_that_cannot_be_priced_is_told_at_once() -> None:
    terms = terms_of(replace(PER_CALL, rate=None), fees=(replace(SET_UP, prorate=True),))
    assert [problem.path for problem in unpriced(terms)] == ["usage[0]", "fee[0].prorate"]


def test_what_is_priced_is_not_refused() -> None:
    scope = Scope(
        direction=("inbound",), prefix=("+1",), weekdays=("mon",), from_time=time(8), until_time=time(18)
    )
    terms = terms_of(
        replace(PER_MINUTE, scope=scope, basis="handle", tax_code="answering"),
        fees=(PLATFORM, SET_UP),
        minimum=MonthlyMinimum(Decimal(1), prorate=True),
        discounts=(Discount("Off", percent=Decimal(5)),),
        tax=Tax(rates=(TaxRate("A", Decimal(1)), TaxRate("B", Decimal(2)))),
        payer="organization",
    )
    assert unpriced(terms) == []
    assert set_up_fees(terms) == {"setup"}
    assert rate(january(terms)).lines[0].tax_code == "answering"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (january(terms_of(PER_CALL), quantities={"sms": calls(1)}), "no usage charge sms"),
        (january(terms_of(fees=(PLATFORM,)), once_fees=frozenset({"platform"})), "no set-up fee platform"),
        (january(terms_of(PER_CALL), span=FEBRUARY), "not inside"),
        (january(replace(terms_of(PER_CALL), time_zone="UTC")), "the contract is in UTC"),
    ],
)
def test_a_request_that_does_not_fit_its_terms_is_refused(request_: RatingRequest, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rate(request_)
