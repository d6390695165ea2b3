"""What reading any table of a TOML file needs: the mistakes so far, each with its place, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from callbill.rules.problem import Problem

_LONGEST_KEY = 50


class Tables:
    """Reads values out of tables and remembers what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def key(self, path: str, entry: Mapping[str, Any], name: str = "key") -> str:
        """A key that stays the same for ever, or the name of something that has one."""
        key = self.text(path, entry, name, required=True)
        if key and not all(char.isascii() and (char.isalnum() or char in "-_") for char in key):
            self.problem(f"{path}.{name}", f"{key!r} may have only letters, digits, - and _")
        elif len(key) > _LONGEST_KEY:
            self.problem(f"{path}.{name}", f"may have {_LONGEST_KEY} characters; it has {len(key)}")
        return key

    def text(self, path: str, entry: Mapping[str, Any], key: str, *, required: bool = False) -> str:
        """Text without blanks around it; "" if it is not there."""
        value = entry.get(key, "")
        if not isinstance(value, str):
            self.problem(f"{path}.{key}", "must be text in quotes")
            return ""
        if required and not value.strip():
            self.problem(f"{path}.{key}", "is missing")
        return value.strip()

    def tables(self, path: str, entries: Any) -> list[tuple[str, Mapping[str, Any]]]:
        """The entries of a list of tables, each with its path."""
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self.problem(path, f"must be a list of tables: write [[{path}]]")
            return []
        return [(f"{path}[{index}]", entry) for index, entry in enumerate(entries)]

    def keys(self, path: str, entry: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """Notes keys that are not known here."""
        for key in entry:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"it may have {', '.join(known)}"
                self.problem(f"{path}.{key}" if path else key, f"is not known here; {hint}")

    def problem(self, path: str, message: str) -> None:
        """Note a mistake."""
        self.problems.append(Problem(path, message))

    def day(self, path: str, entry: Mapping[str, Any], key: str, *, required: bool = False) -> date | None:
        """A local date without quotes."""
        value = entry.get(key)
        if value is None and not required:
            return None
        if is_day(value):
            return value
        self.problem(
            f"{path}.{key}", "is missing" if value is None else "must be a date without quotes: 2026-01-31"
        )
        return None


def is_day(value: Any) -> bool:
    """A TOML local date, and no date with a time."""
    return isinstance(value, date) and not isinstance(value, datetime)
