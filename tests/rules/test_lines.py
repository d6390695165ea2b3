"""Priced lines as JSON and their figures as text."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.lines import Step, TaxShare, decimal_text, from_json, shown, to_json
from callbill.rules.money import EXPONENTS
from callbill.rules.period import period_named
from tests.rules.rating_values import a_line

TEXT = st.text(max_size=20)
DECIMALS = st.decimals(-(10**9), 10**9, places=12, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "text", "in_derivation"),
    [
        (Fraction(6200), "6200", "6200"),
        (Fraction(467508, 60), "7791.8", "7791.8"),
        (Fraction(37, 60), "0.616667", "0.616666…"),
        (Fraction(-37, 60), "-0.616667", "-0.616666…"),
        (Decimal("0.000000000001"), "0.000000000001", "0.000000000001"),
        (Decimal("1.50"), "1.5", "1.5"),
        (Fraction(1, 10**13), "0", "0…"),
        (0, "0", "0"),
    ],
)
def test_figures_are_plain_decimals(value: Fraction | Decimal | int, text: str, in_derivation: str) -> None:
    assert decimal_text(value) == text
    assert shown(value) == in_derivation


@given(st.data())
def test_a_line_survives_json(data: st.DataObject) -> None:
    currency = data.draw(st.sampled_from(sorted(EXPONENTS)))
    line = a_line(
        data.draw(TEXT),
        data.draw(st.integers()),
        name=data.draw(TEXT),
        currency=currency,
        quantity=data.draw(st.fractions()),
        rate=data.draw(st.none() | DECIMALS),
        discount=data.draw(st.integers()),
        taxes=tuple(
            data.draw(st.lists(st.builds(TaxShare, TEXT, DECIMALS, st.integers(), st.integers()), max_size=3))
        ),
        tax_code=data.draw(st.none() | TEXT),
        calls=data.draw(st.none() | st.integers(0)),
        period=period_named(data.draw(st.sampled_from(["2021-01", "2021-12"])), 31, "Asia/Kathmandu"),
        derivation=tuple(
            data.draw(
                st.lists(
                    st.builds(Step, TEXT, TEXT, st.dictionaries(TEXT, TEXT).map(lambda d: tuple(d.items())))
                )
            )
        ),
    )
    assert from_json(json.loads(json.dumps(to_json(line)))) == line


def test_json_is_decimal_strings_in_major_units() -> None:
    line = a_line("calls", 837000, rate=Decimal("1.35"), quantity=Fraction(6200), calls=6200, discount=-100)
    image = to_json(line)
    assert image["amount"] == "8370.00"
    assert image["discount"] == "-1.00"
    assert (image["quantity"], image["rate"], image["calls"]) == ("6200", "1.35", 6200)
    assert "quantity_exact" not in image
    assert image["period"] == {"first_day": "2021-01-01", "end_day": "2021-02-01", "zone": "America/New_York"}
    assert to_json(a_line("m", 1, quantity=Fraction(37, 60)))["quantity_exact"] == "37/60"


def test_a_damaged_image_is_refused() -> None:
    image = to_json(a_line("calls", 1, taxes=(TaxShare("VAT", Decimal(20), 1, 5),)))
    with pytest.raises(ValueError, match="add up"):
        from_json({**image, "tax": "0.06"})
    with pytest.raises(KeyError):
        from_json({key: value for key, value in image.items() if key != "kind"})


def test_a_line_nets_its_discount() -> None:
    line = a_line("a", 100, discount=-30)
    assert (line.net, line.tax, line.quantity_text) == (70, 0, "1")
