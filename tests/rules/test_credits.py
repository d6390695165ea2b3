"""Credits of lines: any parts and then the rest are the line, to the cent, with every tax (M4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbill.rules.credits import fits, part_of
from callbill.rules.lines import TaxShare


def vat(amount: int, of: int, percent: str = "20") -> TaxShare:
    return TaxShare("VAT", Decimal(percent), of, amount)


# Of a line of 68.33 with a share of 13.67 in the tax, credited in four steps.
# Tax that must be credited by then: 13.67 x 20.00 / 68.33 = 4.0011.., x 40.00 / 68.33 = 8.0024.., and so on.
STEPS = [(20_00, 4_00), (20_00, 4_00), (8_32, 1_67), (20_01, 4_00)]


def test_in_steps_with_a_pocket_calculator() -> None:
    taxes, credited = [vat(13_67, 68_33)], 0
    for amount, tax in STEPS:
        part = part_of(net=68_33, taxes=taxes, credited=credited, amount=amount)
        assert (part.amount, part.tax, part.total) == (amount, tax, amount + tax)
        credited += amount
    assert credited == 68_33
    assert sum(tax for _, tax in STEPS) == 13_67


def test_a_line_below_zero_is_taken_back_below_zero() -> None:
    part = part_of(net=-20_00, taxes=[vat(-4_00, -20_00)], credited=0, amount=-20_00)
    assert (part.amount, part.tax) == (-20_00, -4_00)


@pytest.mark.parametrize(
    ("net", "credited", "amount"),
    [(100, 0, 0), (100, 0, 101), (100, 60, 41), (100, 0, -1), (-100, 0, 1), (-100, -60, -41), (0, 0, 1)],
)  # fmt: skip
def test_more_than_there_is_left_is_refused(net: int, credited: int, amount: int) -> None:
    assert not fits(net=net, credited=credited, amount=amount)
    with pytest.raises(ValueError, match="cannot be credited"):
        part_of(net=net, taxes=[], credited=credited, amount=amount)


minor = st.integers(1, 10**9)


@given(st.data(), minor, st.sampled_from([1, -1]), st.lists(st.integers(-(10**9), 10**9), max_size=3))
def test_any_parts_and_then_the_rest(data: st.DataObject, size: int, sign: int, shares: list[int]) -> None:
    net, credited = sign * size, 0
    taxes = [vat(share, net, str(number + 1)) for number, share in enumerate(shares)]
    taken = [0] * len(taxes)
    while credited != net:
        rest = abs(net - credited)
        step = sign * data.draw(st.one_of(st.just(rest), st.integers(1, rest)))
        part = part_of(net=net, taxes=taxes, credited=credited, amount=step)
        credited += part.amount
        taken = [before + share.amount for before, share in zip(taken, part.taxes, strict=True)]
        for so_far, share in zip(taken, taxes, strict=True):
            assert abs(so_far) <= abs(share.amount), "never more tax than there is"
    assert taken == [share.amount for share in taxes]
