"""Forms as Stripe reads them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from stripe_sandbox.errors import ApiError
from stripe_sandbox.forms import decode


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a", {"a": ""}),
        ("a=%5B1%5D+2", {"a": "[1] 2"}),
        ("a[b][0][c]=1", {"a": {"b": [{"c": "1"}]}}),
        ("a%5Bb%5D%5B0%5D%5Bc%5D=1&a[b][1][c]=2", {"a": {"b": [{"c": "1"}, {"c": "2"}]}}),
        ("a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("a[][b]=1&a[][c]=2", {"a": [{"b": "1", "c": "2"}]}),
        ("a[][b]=1&a[][c]=2&a[][b]=3", {"a": [{"b": "1", "c": "2"}, {"b": "3"}]}),
        ("a[][b][]=1&a[][c]=2", {"a": [{"b": ["1"], "c": "2"}]}),
        ("metadata[2024]=x", {"metadata": {"2024": "x"}}),
        ("metadata[0]=x&metadata[2]=y", {"metadata": {"0": "x", "2": "y"}}),
        ("metadata[\u00b2]=x", {"metadata": {"\u00b2": "x"}}),
    ],
)
def test_names_say_where_a_value_belongs(text: str, read: dict[str, Any]) -> None:
    assert decode(text) == read


@pytest.mark.parametrize(
    "wrong", ["a=1&a[b]=2", "a[b]=2&a=1", "a[b=1", "[a]=1", "a" + "[b]" * 8 + "=1", "&" * 5000]
)
def test_names_that_say_nothing_are_refused(wrong: str) -> None:
    with pytest.raises(ApiError) as refused:
        decode(wrong)
    assert refused.value.status == 400


VALUES = st.recursive(
    st.text(max_size=5),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), VALUES, max_size=4))
def test_what_is_written_is_what_is_read(params: dict[str, Any]) -> None:
    def flat(value: Any, name: str) -> list[tuple[str, str]]:
        if isinstance(value, str):
            return [(name, value)]
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [pair for key, item in items for pair in flat(item, f"{name}[{key}]")]

    pairs = [pair for name, value in params.items() for pair in flat(value, name)]
    if all(name.count("[") < 8 for name, _ in pairs):
        assert decode(urlencode(pairs)) == params


def test_metadata_may_have_numbers_for_keys(client: stripe.StripeClient) -> None:
    years = {"2024": "a", "2025": "b"}
    made = client.v1.customers.create({"metadata": years})
    assert made.metadata.to_dict() == years
    counted = client.v1.customers.create({"metadata": {"0": "a", "1": "b"}})
    assert counted.metadata.to_dict() == {"0": "a", "1": "b"}
