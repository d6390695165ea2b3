"""The contract file: reading it with all its mistakes at once, checking, writing and describing it.

Owns: the image of `terms.Terms` in TOML and JSON, its JSON Schema, and the words its mistakes are told in.
Does not own: what the terms mean for a price (rating), which of them are priced yet (`rating.unpriced`).
Always holds: reading what was written gives the same terms back, decimals to the last digit as typed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from callbill.rules.document._checks import check
from callbill.rules.document._fields import CONTRACT
from callbill.rules.document._kind import Reading
from callbill.rules.document._tables import Draft
from callbill.rules.document._toml import toml_text
from callbill.rules.document._warnings import warnings_of
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms

__all__ = ["DocumentErrors", "json_schema", "read_terms", "terms_to_toml", "warnings_of", "write_terms"]


class DocumentErrors(ValueError):
    """A contract document with mistakes: all of them, each with its place, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def read_terms(data: Mapping[str, Any]) -> Terms:
    """The terms a contract document says.

    `data` is what `tomllib` makes of the file, or its JSON image (dates as ISO text). Raises DocumentErrors
    with every mistake in it, each with the path of its key, what is wrong and what would be right.
    """
    reading = Reading()
    draft = CONTRACT.read(data, "", reading)
    if isinstance(draft, Draft):
        check(draft, reading)
    if reading.problems or not isinstance(draft, Draft):
        raise DocumentErrors(reading.problems)
    terms: Terms = CONTRACT.build(draft)
    return terms


def write_terms(terms: Terms) -> dict[str, Any]:
    """The JSON image of the terms: decimals as text with the digits they were read with, dates as ISO text.

    `read_terms` of it gives equal terms. Keys without a value are left out, and so are defaults that are no
    business decision.
    """
    return CONTRACT.write(terms)


def terms_to_toml(terms: Terms) -> str:
    """The contract file of the terms. `read_terms` of what `tomllib` makes of it gives equal terms."""
    return toml_text(write_terms(terms))


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the JSON image.

    It describes each value. What must hold between values (ids that exist, tiers in order, scopes that do not
    tie) is checked by `read_terms` only.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Callbill contract",
        "description": "One version of a contract: what is counted, what it costs, who pays and when.",
        **CONTRACT.schema(),
    }
