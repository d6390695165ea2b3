"""The program and the oracle agree to the cent, on every line, about every call."""

from __future__ import annotations

import copy
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.__main__ import compare_chunk
from tests.oracle.compare import differences, valid_world
from tests.oracle.features import FEATURES
from tests.oracle.minimise import minimised

SEED = 3


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_they_agree_on_what_is_drawn(random: Random) -> None:
    assert differences(valid_world(random)) == []


def test_they_agree_on_a_few_hundred_with_every_feature_in_them() -> None:
    counted, wrong = compare_chunk(SEED, 0, 400)
    assert wrong == []
    assert counted["calls"] > 4000
    assert [name for name in FEATURES if counted[name] < 10] == []


def test_a_disagreement_is_seen_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with a wrong price in the oracle it does, on little more than one call."""
    import tests.oracle.invoice as oracle

    right = oracle.price
    monkeypatch.setattr(oracle, "price", lambda *given: right(*given) + 1)
    world = next(
        world
        for world in (valid_world(Random(f"small-{number}")) for number in range(50))
        if differences(world) and len(world.contract["usage"]) > 1
    )
    before = copy.deepcopy(world)
    small = minimised(world, lambda smaller: bool(differences(smaller)))
    assert differences(small)
    assert world == before
    assert len(small.companies) == len(small.contract["usage"]) == 1
    assert Counter(small.companies[0]["calls"]) == Counter()
    assert not small.contract.get("fee")
