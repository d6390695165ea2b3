"""The page about the contract file: its example is one, and it names every key there is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from callbill.rules.document import json_schema, read_terms
from callbill.rules.quote import quote

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "contract-file.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def keys(schema: Any) -> Iterator[str]:
    """Every property name anywhere in the schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from keys(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from keys(value)


def test_the_example_is_a_contract() -> None:
    terms = read_terms(tomllib.loads(block("toml")))
    assert [charge.id for charge in terms.usage] == ["reception", "support", "summaries"]


def test_every_key_is_on_the_page() -> None:
    wanted = set(keys(json_schema()))
    assert len(wanted) > 50
    assert {key for key in wanted if not re.search(rf"\b{key}\b", block("toml"))} == set()


def test_the_example_of_a_call_can_be_quoted() -> None:
    contract = {
        "currency": "USD",
        "time_zone": "America/New_York",
        "effective_from": "2026-01-01",
        "usage": [{"id": "calls", "name": "Calls", "unit": "call", "rate": "1.35"}],
    }
    call = json.loads(block("json"))
    assert quote({"contract": contract, "period": "2026-03", "calls": [call]})["total"] == "1.35"
