"""The kinds of single values that are text or small whole numbers, and lists of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callbill.rules import money
from callbill.rules.document._kind import Bad, Kind, Reading, did_you_mean, listed, quoted, show
from callbill.rules.terms import Increments

_INCREMENTS = re.compile(r"([1-9][0-9]{0,4})/([1-9][0-9]{0,4})", re.ASCII)


@dataclass(frozen=True)
class Text(Kind):
    """Words for people, or a name the caller's switch uses. One line, nothing invisible in it."""

    most: int = 200
    example: str = "Inbound calls"

    def read(self, value: object, path: str, reading: Reading) -> str | Bad:
        if not isinstance(value, str):
            rule = f"it must be text in quotes, as in {quoted(self.example)}"
            return reading.report(path, f"is {show(value)}; {rule}")
        if not value.strip():
            return reading.report(path, f"is empty; write something like {quoted(self.example)}")
        if value != value.strip():
            return reading.report(path, f"is {quoted(value)}; take away the space at its ends")
        if len(value) > self.most:
            return reading.report(path, f"has {len(value)} characters; at most {self.most} are allowed")
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in value):
            return reading.report(path, f"is {quoted(value)}; take out the line break or control character")
        return value

    def schema(self) -> dict[str, Any]:
        control = r"\u0000-\u001f\u007f-\u009f"
        pattern = rf"^[^\s{control}]([^{control}]*[^\s{control}])?$"
        return {"type": "string", "minLength": 1, "maxLength": self.most, "pattern": pattern}


@dataclass(frozen=True)
class Pattern(Kind):
    """Text of a fixed shape, as an id or a telephone number."""

    pattern: str
    words: str
    example: str

    def read(self, value: object, path: str, reading: Reading) -> str | Bad:
        if isinstance(value, str) and re.fullmatch(self.pattern, value, re.ASCII):
            return value
        rule = f"it must be {self.words}, as in {quoted(self.example)}"
        return reading.report(path, f"is {show(value)}; {rule}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$", "examples": [self.example]}


@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    choices: tuple[str, ...]

    def read(self, value: object, path: str, reading: Reading) -> str | Bad:
        if isinstance(value, str) and value in self.choices:
            return value
        near = did_you_mean(value, self.choices) if isinstance(value, str) else None
        hint = f"did you mean {quoted(near)}? It" if near else "it"
        return reading.report(path, f"is {show(value)}; {hint} must be {listed(self.choices)}")

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.choices)}


@dataclass(frozen=True)
class YesNo(Kind):
    """true or false."""

    def read(self, value: object, path: str, reading: Reading) -> bool | Bad:
        if isinstance(value, bool):
            return value
        return reading.report(path, f"is {show(value)}; it must be true or false, without quotes")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from `least` to `most`."""

    least: int
    most: int

    def read(self, value: object, path: str, reading: Reading) -> int | Bad:
        must = f"it must be a whole number from {self.least} to {self.most}, without quotes"
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            return reading.report(path, f"is {show(value)}; {must}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Currency(Kind):
    """An ISO 4217 code; tells the reading how many decimals its amounts have (M1)."""

    def read(self, value: object, path: str, reading: Reading) -> str | Bad:
        if isinstance(value, str) and (decimals := _exponent(value)) is not None:
            reading.currency, reading.decimals = value, decimals
            return value
        hint = 'use three capital letters such as "USD"'
        if isinstance(value, str) and _exponent(value.strip().upper()) is not None:
            hint = f"did you mean {quoted(value.strip().upper())}?"
        return reading.report(path, f"is {show(value)}, which is not an ISO 4217 currency; {hint}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]}


def _exponent(code: str) -> int | None:
    try:
        return money.exponent(code)
    except ValueError:
        return None


@dataclass(frozen=True)
class IncrementsText(Kind):
    """Seconds round per call, "initial/increment" (M13)."""

    def read(self, value: object, path: str, reading: Reading) -> Increments | Bad:
        match = _INCREMENTS.fullmatch(value) if isinstance(value, str) else None
        if not match:
            rule = 'it must be initial/increment in whole seconds, as in "60/6" or "1/1"'
            return reading.report(path, f"is {show(value)}; {rule}")
        return Increments(initial=int(match[1]), increment=int(match[2]))

    def write(self, value: Increments) -> str:
        return f"{value.initial}/{value.increment}"

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_INCREMENTS.pattern}$", "examples": ["60/6"]}


@dataclass(frozen=True)
class ListOf(Kind):
    """Several values of one kind, each once."""

    item: Kind
    may_be_empty: bool = False
    most: int = 1000

    def read(self, value: object, path: str, reading: Reading) -> list[Any] | Bad:
        if isinstance(value, str):
            return reading.report(path, f"is {quoted(value)}; write it in brackets: [{quoted(value)}]")
        if isinstance(value, Mapping) or not isinstance(value, Sequence):
            return reading.report(path, f"is {show(value)}; it must be a list in brackets")
        if not value and not self.may_be_empty:
            return reading.report(path, "is an empty list; name at least one, or leave the key out")
        if len(value) > self.most:
            return reading.report(path, f"has {len(value)} entries; at most {self.most} are allowed")
        read = [self.item.read(entry, f"{path}[{index}]", reading) for index, entry in enumerate(value)]
        for index, entry in enumerate(read):
            if entry in read[:index] and not isinstance(entry, Bad):
                reading.report(f"{path}[{index}]", f"names {show(value[index])} a second time; take it out")
        return read

    def build(self, read: Any) -> tuple[Any, ...]:
        return tuple(self.item.build(entry) for entry in read)

    def write(self, value: Sequence[Any]) -> list[Any]:
        return [self.item.write(entry) for entry in value]

    def toml(self, image: Sequence[Any]) -> str:
        return "[" + ", ".join(self.item.toml(entry) for entry in image) + "]"

    def schema(self) -> dict[str, Any]:
        items = {"items": self.item.schema(), "uniqueItems": True}
        return {"type": "array", **items, "minItems": 0 if self.may_be_empty else 1, "maxItems": self.most}
