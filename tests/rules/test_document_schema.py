"""The JSON Schema says of each value what the reader says of it."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from callbill.rules.document import json_schema, read_terms, write_terms
from tests.rules.contracts import EXAMPLE, contracts
from tests.rules.test_document_errors import BAD_VALUES, GOOD, changed, put

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def conforms(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value conforms, for the words of JSON Schema that ours uses; another word is an error."""
    return all(_word(word, rule, value, schema) for word, rule in schema.items())


def _word(word: str, rule: Any, value: Any, schema: dict[str, Any]) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    checks: dict[str, Callable[[], bool]] = {
        "type": lambda: isinstance(value, TYPES[rule]) and (rule == "boolean" or not isinstance(value, bool)),
        "enum": lambda: value in rule,
        # In JSON Schema $ is the end; in Python it also stands before a line break at the end.
        "pattern": lambda: (
            not isinstance(value, str) or re.search(rule.replace("$", r"\Z"), value) is not None
        ),
        "minLength": lambda: not isinstance(value, str) or len(value) >= rule,
        "maxLength": lambda: not isinstance(value, str) or len(value) <= rule,
        "minimum": lambda: not is_number or value >= rule,
        "maximum": lambda: not is_number or value <= rule,
        "exclusiveMinimum": lambda: not is_number or value > rule,
        "minItems": lambda: not isinstance(value, list) or len(value) >= rule,
        "maxItems": lambda: not isinstance(value, list) or len(value) <= rule,
        "uniqueItems": lambda: not isinstance(value, list) or len(set(map(repr, value))) == len(value),
        "items": lambda: not isinstance(value, list) or all(conforms(entry, rule) for entry in value),
        "properties": lambda: (
            not isinstance(value, dict)
            or all(conforms(value[key], rule[key]) for key in rule if key in value)
        ),
        "additionalProperties": lambda: (
            not isinstance(value, dict) or set(value) <= set(schema["properties"])
        ),
        "required": lambda: not isinstance(value, dict) or set(rule) <= set(value),
        "dependentRequired": lambda: (
            not isinstance(value, dict) or all(set(rule[key]) <= set(value) for key in rule if key in value)
        ),
        "oneOf": lambda: sum(conforms(value, option) for option in rule) == 1,
        "anyOf": lambda: any(conforms(value, option) for option in rule),
    }
    if word in ("$schema", "title", "description", "default", "examples", "format"):
        return True
    return checks[word]()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts())
def test_every_contract_that_is_read_and_every_one_that_is_written_conforms(document: dict[str, Any]) -> None:
    schema = json_schema()
    assert conforms(document, schema)
    assert conforms(write_terms(read_terms(document)), schema)


def test_the_full_example_conforms() -> None:
    assert conforms(write_terms(read_terms(tomllib.loads(EXAMPLE))), json_schema())


NOT_IN_A_SCHEMA = {
    # what a list of names decides, the calendar, or another value of the document
    "currency",
    "time_zone",
    "effective_from",
    "minimum.amount",
    "fee[0].amount",
    "usage[0].minimum",
}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (change, path)
        for change, path, _ in BAD_VALUES
        if path not in NOT_IN_A_SCHEMA and "\\ud8" not in json.dumps(changed(change), default=str)
    ],
)
def test_a_value_that_is_refused_does_not_conform(
    change: Callable[[dict[str, Any]], object], path: str
) -> None:
    data = changed(change)
    assert not conforms(data, json_schema())


def test_it_is_json_and_says_which_draft_it_is() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["currency", "time_zone", "effective_from"]
    assert schema["properties"]["billing_day"] == {
        "description": "the day periods begin; 31 is the last day of short months",
        "type": "integer",
        "minimum": 1,
        "maximum": 31,
        "default": 1,
    }


def test_every_key_is_described() -> None:
    def bare(schema: dict[str, Any], path: str) -> list[str]:
        found = []
        for key, inner in schema.get("properties", {}).items():
            found += [] if inner.get("description") else [f"{path}.{key}"]
            found += bare(inner, f"{path}.{key}") + bare(inner.get("items", {}), f"{path}.{key}[]")
        return found

    assert bare(json_schema(), "") == []


def test_a_percentage_reaches_exactly_one_hundred() -> None:
    schema = json_schema()
    for percent, right in [
        ("100", True),
        ("100.00", True),
        ("100.01", False),
        ("99.999", True),
        ("101", False),
    ]:
        data = copy.deepcopy(GOOD)
        put("tax.rate.0.percent", percent)(data)
        assert conforms(data, schema) is right
