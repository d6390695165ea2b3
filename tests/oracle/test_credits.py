"""Crediting any part of a line and then the rest is the line, to the cent and in every tax (M4, M23)."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callbill.rules.credits import CreditedPart, fits, part_of
from callbill.rules.lines import RatedLine
from tests.oracle.cents import whole
from tests.oracle.compare import program, valid_world


def _credited(line: RatedLine, random: Random) -> list[CreditedPart]:
    """The line credited in parts of random size, until nothing is left; like the oracle does it, each."""
    parts: list[CreditedPart] = []
    done, taken = 0, [0] * len(line.taxes)
    while done != line.net:
        left = line.net - done
        amount = random.choice((left, random.randint(min(left, 1), max(left, -1))))
        if not fits(net=line.net, credited=done, amount=amount):
            continue
        part = part_of(net=line.net, taxes=line.taxes, credited=done, amount=amount)
        done += amount
        due = [whole(Fraction(share.amount * done, line.net)) for share in line.taxes]
        assert [share.amount for share in part.taxes] == [
            now - before for now, before in zip(due, taken, strict=True)
        ]
        taken = due
        parts.append(part)
    return parts


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_parts_and_then_the_rest_are_the_invoice(number: int) -> None:
    random = Random(number)
    _, sections = program(valid_world(Random(f"credits-{number}")))
    for section in sections:
        lines = [line for line in section.lines if line.kind != "discount" and line.net]
        parts = [part for line in lines for part in _credited(line, random)]
        uncredited = sum(line.tax for line in section.lines if not line.net)
        assert sum(part.total for part in parts) + uncredited == section.total
        assert sum(part.tax for part in parts) + uncredited == section.tax


def test_more_than_there_is_does_not_fit() -> None:
    assert fits(net=100, credited=40, amount=60)
    assert not fits(net=100, credited=40, amount=61)
    assert not fits(net=100, credited=40, amount=0)
    assert not fits(net=100, credited=40, amount=-1)
    assert fits(net=-100, credited=-40, amount=-60)
    assert not fits(net=-100, credited=-40, amount=1)
