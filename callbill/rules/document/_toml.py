"""Contracts as TOML text, laid out as a person would write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from callbill.rules.document._fields import CONTRACT
from callbill.rules.document._kind import Kind
from callbill.rules.document._tables import Table, TableList


def toml_text(image: Mapping[str, Any]) -> str:
    """The TOML text of a contract's JSON image: plain keys first, then a section for each table."""
    return "\n".join(_section(CONTRACT, image, "")).strip("\n") + "\n"


def _section(table: Table, image: Mapping[str, Any], path: str) -> Iterator[str]:
    """The lines of one table: its plain keys, then its sub-tables under their own headings."""
    deeper: list[tuple[str, Kind, Any]] = []
    for field in table.fields:
        if field.key not in image:
            continue
        if _has_heading(field.kind):
            deeper.append((f"{path}.{field.key}" if path else field.key, field.kind, image[field.key]))
        else:
            yield f"{field.key} = {field.kind.toml(image[field.key])}"
    for name, kind, value in deeper:
        if isinstance(kind, Table):
            yield from ("", f"[{name}]", *_section(kind, value, name))
        elif isinstance(kind, TableList):
            for entry in value:
                yield from ("", f"[[{name}]]", *_section(kind.table, entry, name))


def _has_heading(kind: Kind) -> bool:
    inner = kind.table if isinstance(kind, TableList) else kind
    return isinstance(inner, Table) and not inner.inline
