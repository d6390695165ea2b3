"""What a parameter may be, and the reading of it: text from the form becomes a checked value.

Mistakes are answered the way Stripe answers them (400 with `param` and a code), before the
idempotency layer is reached. Stripe names the first mistake it finds; so does this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from .errors import ApiError, invalid

_WHOLE = re.compile(r"^-?\d{1,15}$")


class Rule(Protocol):
    """Reads one parameter."""

    def read(self, value: Any, name: str) -> Any:
        """The checked value, or an ApiError naming `name`."""


@dataclass(frozen=True)
class Text:
    """A string; the empty one unsets (reads as None) where `unset` allows that."""

    longest: int = 5000
    unset: bool = True

    def read(self, value: Any, name: str) -> str | None:
        """The text, or None to unset."""
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {value}", param=name)
        if value == "":
            if self.unset:
                return None
            raise _empty(name)
        if len(value) > self.longest:
            raise invalid(
                f"Invalid string: {value[:20]}...{value[-10:]}; must be at most {self.longest} characters",
                param=name,
            )
        return value


@dataclass(frozen=True)
class Integer:
    """A whole number."""

    least: int | None = None
    most: int | None = None

    def read(self, value: Any, name: str) -> int:
        """The number."""
        if value == "":
            raise _empty(name)
        if not isinstance(value, str) or not _WHOLE.match(value):
            raise invalid(f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
        number = int(value)
        if self.least is not None and number < self.least:
            raise invalid(
                f"This value must be greater than or equal to {self.least}.",
                param=name,
                code="parameter_invalid_integer",
            )
        if self.most is not None and number > self.most:
            raise invalid(
                f"This value must be less than or equal to {self.most} (it currently is '{number}').",
                param=name,
                code="parameter_invalid_integer",
            )
        return number


@dataclass(frozen=True)
class Boolean:
    """`true` or `false`."""

    def read(self, value: Any, name: str) -> bool:
        """True or False."""
        if value == "":
            raise _empty(name)
        if value not in ("true", "false"):
            raise invalid(f"Invalid boolean: {value}", param=name)
        return bool(value == "true")


class Choice:
    """One of a few words."""

    def __init__(self, *words: str, unset: bool = False) -> None:
        self.words = words
        self.unset = unset

    def read(self, value: Any, name: str) -> str | None:
        """The word, or None to unset."""
        if value == "" and self.unset:
            return None
        if value == "":
            raise _empty(name)
        if value not in self.words:
            raise invalid(
                f"Invalid {name}: must be one of {', '.join(self.words[:-1])}, or {self.words[-1]}"
                if len(self.words) > 1
                else f"Invalid {name}: must be {self.words[0]}",
                param=name,
            )
        return str(value)


@dataclass(frozen=True)
class Listed:
    """A list of one kind of value; the empty string is the empty list."""

    of: Rule
    most: int = 1000

    def read(self, value: Any, name: str) -> list[Any]:
        """The checked items."""
        if value == "":
            return []
        if not isinstance(value, list):
            raise invalid("Invalid array", param=name)
        if len(value) > self.most:
            raise invalid(f"Array too long: at most {self.most} items", param=name)
        return [self.of.read(item, f"{name}[{at}]") for at, item in enumerate(value)]


@dataclass(frozen=True)
class Hash:
    """A hash with named fields."""

    fields: dict[str, Rule]
    required: tuple[str, ...] = ()
    unset: bool = True

    def read(self, value: Any, name: str) -> dict[str, Any] | None:
        """The checked fields that were given, or None to unset."""
        if value == "" and self.unset:
            return None
        if not isinstance(value, dict):
            raise invalid("Invalid object", param=name)
        return read_fields(self, value, prefix=name)


@dataclass(frozen=True)
class Either:
    """The first of several rules that takes the value."""

    rules: tuple[Rule, ...]

    def read(self, value: Any, name: str) -> Any:
        """What the first matching rule reads; the last rule's error when none does."""
        for rule in self.rules[:-1]:
            try:
                return rule.read(value, name)
            except ApiError:
                continue
        return self.rules[-1].read(value, name)


@dataclass(frozen=True)
class Metadata:
    """Up to 50 keys of 40 characters with values of 500; an empty value removes its key."""

    def read(self, value: Any, name: str) -> dict[str, str] | None:
        """Keys to set (empty text: to remove), or None to remove them all."""
        if value == "":
            return None
        if isinstance(value, list):  # keys that are numbers
            value = {str(at): item for at, item in enumerate(value)}
        if not isinstance(value, dict):
            raise invalid("Invalid object", param=name)
        for key, item in value.items():
            if not isinstance(item, str):
                raise invalid(
                    f"Metadata values must be strings, but for key `{key}` a hash was given.", param=name
                )
            if len(key) > 40:
                raise invalid(f"Metadata keys can be at most 40 characters: {key[:45]}", param=name)
            if len(item) > 500:
                raise invalid(
                    f"Metadata values can have up to 500 characters, but you passed in a value that is "
                    f"{len(item)} characters for key `{key}`.",
                    param=f"{name}[{key}]",
                )
        return dict(value)


@dataclass(frozen=True)
class Refused:
    """A parameter Stripe knows and refuses, with its own words."""

    message: str
    code: str | None = None

    def read(self, value: Any, name: str) -> Any:
        """Never reads; always the refusal."""
        raise invalid(self.message, param=name, code=self.code)


@dataclass(frozen=True)
class Params:
    """The parameters of one endpoint; `expandable` ones take `expand` beside them."""

    fields: dict[str, Rule] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    expandable: bool = True


EXPAND: Rule = Listed(Text(unset=False), most=20)


def read_params(spec: Params, given: dict[str, Any]) -> dict[str, Any]:
    """Check everything `given` against `spec`."""
    fields = {**spec.fields, "expand": EXPAND} if spec.expandable else spec.fields
    return read_fields(Hash(fields, spec.required), given, prefix="")


def read_fields(spec: Hash, given: dict[str, Any], *, prefix: str) -> dict[str, Any]:
    """Unknown names, missing names and wrong values are refused; returns the checked values."""

    def full(name: str) -> str:
        return f"{prefix}[{name}]" if prefix else name

    for name in given:
        if name not in spec.fields:
            raise invalid(
                f"Received unknown parameter: {full(name)}", param=full(name), code="parameter_unknown"
            )
    for name in spec.required:
        if name not in given:
            raise invalid(
                f"Missing required param: {full(name)}.", param=full(name), code="parameter_missing"
            )
    return {name: spec.fields[name].read(value, full(name)) for name, value in given.items()}


def merge_metadata(old: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """`old` with `change` applied: None empties it, an empty value removes its key; 50 keys at most."""
    if change is None:
        return {}
    merged = {key: value for key, value in {**old, **change}.items() if value != ""}
    if len(merged) > 50:
        raise invalid(f"Metadata can have up to 50 keys; this would make {len(merged)}.", param="metadata")
    return merged


def _empty(name: str) -> Exception:
    return invalid(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
        "parameter; "
        f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a "
        "non-empty "
        "value.",
        param=name,
        code="parameter_invalid_empty",
    )
