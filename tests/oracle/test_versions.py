"""Versions and contracts that meet on one invoice."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.compare import differences, valid_world
from tests.oracle.versions import disagreements, parts_of


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_both_parts_agree(number: int) -> None:
    before, after = parts_of(valid_world(Random(f"versions-{number}")), Random(number))
    assert disagreements(before, after) == []


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**9))
def test_contracts_on_one_invoice_agree(number: int) -> None:
    """Companies with contracts of their own, tax on top or inside: each rate is rounded once."""
    one, other = (valid_world(Random(f"invoice-{number}-{place}")) for place in range(2))
    other.contract["currency"] = one.contract["currency"] = "KWD"
    assert differences(one, other) == []
