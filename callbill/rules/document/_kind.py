"""What every kind of value in a contract file can do, and the words mistakes are told in."""

from __future__ import annotations

import difflib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Final

from callbill.rules.problem import Problem


class Bad:
    """Stands for a value that was given but is wrong; its problem has been reported already."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Final = Bad()


@dataclass(slots=True)
class Reading:
    """One reading of one document: the mistakes so far, and the currency's decimals once known."""

    problems: list[Problem] = field(default_factory=list)
    currency: str | None = None
    decimals: int | None = None

    def report(self, path: str, message: str) -> Bad:
        """Note one mistake; answer BAD, which stands for the value from here on."""
        self.problems.append(Problem(path, message))
        return BAD


class Kind(ABC):
    """One kind of value: how it is read, kept, written in the JSON image, and described in the schema."""

    @abstractmethod
    def read(self, value: object, path: str, reading: Reading) -> Any:
        """The value from a TOML or JSON document, or BAD after reporting what is wrong at `path`."""

    def build(self, read: Any) -> Any:
        """The value kept in `Terms`, from what `read` answered."""
        return read

    def write(self, value: Any) -> Any:
        """The JSON image of a value kept in `Terms`; `read` of it gives the value back."""
        return value

    def toml(self, image: Any) -> str:
        """The TOML spelling of the JSON image, on one line."""
        return json.dumps(image, ensure_ascii=False).replace("\x7f", "\\u007f")

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the JSON image."""


def show(value: object) -> str:
    """The value as the author wrote it, short enough for one line of an error."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, Sequence):
        return "a list"
    if isinstance(value, (date, time)):
        return value.isoformat()
    text = str(value)
    return f"the number {text if len(text) <= 40 else text[:37] + '...'}"


def quoted(text: str) -> str:
    """Text in double quotes with control characters escaped, cut at 60 characters."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return json.dumps(shown, ensure_ascii=any(0xD800 <= ord(char) < 0xE000 for char in shown))


def listed(names: Iterable[str], joint: str = "or") -> str:
    """Names in quotes as a person would list them: "a", "b" or "c"."""
    items = [quoted(name) for name in names]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"


def did_you_mean(given: str, known: Iterable[str], nearness: float = 0.6) -> str | None:
    """The known name that `given` most likely stands for, None if nothing is near."""
    names = list(known)
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(given.casefold(), list(folded), n=1, cutoff=nearness)
    return folded[near[0]] if near else None


def step(path: str, key: str) -> str:
    """The path of `key` inside the table at `path`."""
    name = key if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) else quoted(key)
    return f"{path}.{name}" if path else name
