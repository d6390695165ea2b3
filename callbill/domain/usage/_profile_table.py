"""A table of a profile being read: each key taken once, every mistake noted with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from callbill.rules.problem import Problem


def listed(names: Iterable[str]) -> str:
    """Names in quotes, in a row: "a", "b", "c"."""
    return ", ".join(f'"{name}"' for name in names)


def shown(value: object) -> str:
    """A wrong value as its author wrote it, cut to fit a line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(given: str, known: Iterable[str]) -> str:
    """', did you mean "x"?' if a known name is near, else nothing."""
    names = list(known)
    near = difflib.get_close_matches(given.casefold(), [name.casefold() for name in names], n=1)
    match = next((name for name in names if near and name.casefold() == near[0]), None)
    return f'; did you mean "{match}"?' if match else ""


class TableReading:
    """One table at `path`. What was not taken by `finish()` is an unknown key."""

    def __init__(self, data: Mapping[str, Any], path: str, problems: list[Problem]) -> None:
        self.data = data
        self.path = path
        self.problems = problems
        self._known: list[str] = []

    def at(self, key: str) -> str:
        """The path of a key of this table."""
        return f"{self.path}.{key}" if self.path else key

    def report(self, key: str, message: str) -> None:
        """Note a mistake at a key; "" is the table itself."""
        self.problems.append(Problem(self.at(key) if key else self.path, message))

    def has(self, key: str) -> bool:
        """Whether the key is given."""
        return key in self.data

    def text(self, key: str, default: str = "", *, required: str = "", may_be_empty: bool = False) -> str:
        """A text. `required` says what it is, for the message when it is missing."""
        value = self._take(key)
        if value is None:
            if required:
                self.report(key, f"is missing: {required}")
            return default
        if not isinstance(value, str):
            self.report(key, f"is {shown(value)}; write a text in quotes")
            return default
        if not value and not may_be_empty:
            self.report(key, "is empty")
            return default
        return value

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        """One of the allowed words."""
        value = self.text(key, default)
        if value != default and value not in allowed:
            self.report(key, f"is {shown(value)}; write one of {listed(allowed)}")
            return default
        return value

    def whole(self, key: str, default: int, *, least: int, most: int) -> int:
        """A whole number between least and most."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.report(key, f"is {shown(value)}; write a whole number from {least} to {most}")
            return default
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.report(key, f"is {shown(value)}; write true or false without quotes")
            return default
        return value

    def texts(self, key: str, *, required: str = "", may_hold_empty: bool = False) -> tuple[str, ...]:
        """A list of texts."""
        value = self._take(key)
        if value is None:
            if required:
                self.report(key, f"is missing: {required}")
            return ()
        if not isinstance(value, list) or not value:
            self.report(key, f'is {shown(value)}; write a list such as ["a", "b"]')
            return ()
        for position, item in enumerate(value):
            if not isinstance(item, str) or not (item or may_hold_empty):
                self.report(f"{key}[{position}]", f"is {shown(item)}; write a text in quotes")
                return ()
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str] | None:
        """A table from a value in the file to a word of ours."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, Mapping) or not value:
            self.report(key, f'is {shown(value)}; write a table such as {{ "0" = "acme" }}')
            return None
        for name, word in value.items():
            if not isinstance(word, str) or not word:
                self.report(f'{key}."{name}"', f"is {shown(word)}; write a text in quotes")
        return {name: word for name, word in value.items() if isinstance(word, str)}

    def table(self, key: str) -> TableReading | None:
        """A table inside this one, None if it is not given."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.report(key, f"is {shown(value)}; write a table, [{self.at(key)}]")
            return None
        return TableReading(value, self.at(key), self.problems)

    def tables(self, key: str) -> list[TableReading]:
        """A list of tables, [[key]]."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            self.report(key, f"is {shown(value)}; write [[{self.at(key)}]] above each")
            return []
        return [
            TableReading(item, f"{self.at(key)}[{position}]", self.problems)
            for position, item in enumerate(value)
        ]

    def finish(self) -> None:
        """Report the keys nobody asked for."""
        for key in self.data:
            if key not in self._known:
                self.report(key, f"is not a key of a profile here{nearest(key, self._known)}")

    def _take(self, key: str) -> Any:
        self._known.append(key)
        return self.data.get(key)
