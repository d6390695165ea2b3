"""The kinds that hold other values: a table with its fields, a list of tables, a number or a table."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callbill.rules.document._kind import BAD, Bad, Kind, Reading, did_you_mean, listed, quoted, show, step

_NEEDED: Final = object()


@dataclass(frozen=True)
class Field:
    """One key of a table. Whether it must be there, and what holds when it is not, stands in `terms`."""

    key: str
    kind: Kind
    words: str
    attribute: str = ""
    always: bool = False
    """Written also when it has its default value, so that a stored file does not hang on our defaults."""

    @property
    def name(self) -> str:
        """The attribute of the frozen value that keeps it."""
        return self.attribute or self.key


class Draft(dict[str, Any]):
    """A table as far as it could be read: values by key, BAD for those that are wrong."""

    def good(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default if it was not given or is wrong."""
        value = self.get(key, default)
        return default if isinstance(value, Bad) else value

    def drafts(self, key: str) -> Iterator[tuple[int, Draft]]:
        """The tables of a list with their place in it, without those that could not be read at all."""
        for index, entry in enumerate(self.good(key, [])):
            if isinstance(entry, Draft):
                yield index, entry


@dataclass(frozen=True)
class Table(Kind):
    """A table whose keys are `fields`, kept as the frozen value `make`."""

    make: Callable[..., Any]
    fields: tuple[Field, ...]
    exactly_one: tuple[str, ...] = ()
    """Of these keys one must be there, and no second."""
    together: tuple[str, ...] = ()
    """These keys are there all or none."""
    inline: bool = False
    """Written on one line in TOML."""
    loose: bool = False
    """null stands for "not known", and other keys are let by unless they look like slips of the pen."""

    def default(self, field: Field) -> Any:
        """What holds when the key is not there; `_NEEDED` if it must be. Read from the frozen value."""
        return self._defaults[field.name]

    @functools.cached_property
    def _defaults(self) -> dict[str, Any]:
        defaults: dict[str, Any] = {}
        for slot in dataclasses.fields(self.make):  # type: ignore[arg-type]
            if slot.default_factory is not dataclasses.MISSING:
                defaults[slot.name] = slot.default_factory()
            elif slot.default is not dataclasses.MISSING:
                defaults[slot.name] = slot.default
            else:
                defaults[slot.name] = None if "None" in str(slot.type) else _NEEDED
        return defaults

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(field.key for field in self.fields)

    def needs(self, field: Field) -> bool:
        """True if a document without the key is refused."""
        return self.default(field) is _NEEDED

    def read(self, value: object, path: str, reading: Reading) -> Draft | Bad:
        if not isinstance(value, Mapping):
            return reading.report(path, f"is {show(value)}; it must be a table with {self._keys('and')}")
        draft = Draft()
        if self.loose:
            value = {key: entry for key, entry in value.items() if entry is not None}
        if not self._known.issuperset(value):
            self._report_unknown(value, path, reading)
        for field in self.fields:
            if field.key in value:
                draft[field.key] = field.kind.read(value[field.key], step(path, field.key), reading)
            elif self.needs(field):
                reading.report(step(path, field.key), f"is missing; write {field.words}")
                draft[field.key] = BAD
        self._report_combination(draft, path, reading)
        return draft

    def _report_unknown(self, value: Mapping[Any, Any], path: str, reading: Reading) -> None:
        known = [field.key for field in self.fields]
        for key in (str(key) for key in value):
            if key in self._known:
                continue
            near = did_you_mean(key, known, nearness=0.8 if self.loose else 0.6)
            if self.loose and (near is None or near in value):
                continue
            hint = f"did you mean {quoted(near)}?" if near else f"the keys here are {listed(known, 'and')}"
            reading.report(step(path, key), f"is not a key here; {hint}")

    def _report_combination(self, draft: Draft, path: str, reading: Reading) -> None:
        given = [key for key in self.exactly_one if key in draft]
        if self.exactly_one and not given:
            first = step(path, self.exactly_one[0])
            reading.report(first, f"is missing; write exactly one of {listed(self.exactly_one)}")
        for key in given[1:]:
            rule = f"only one of {listed(self.exactly_one)} may be there"
            reading.report(step(path, key), f"stands beside {quoted(given[0])}; {rule}")
        if any(key in draft for key in self.together):
            for key in self.together:
                if key not in draft:
                    others = listed([other for other in self.together if other in draft], "and")
                    reading.report(step(path, key), f"is missing; {others} is given, and both are needed")

    def _keys(self, joint: str) -> str:
        return listed([field.key for field in self.fields], joint)

    def build(self, read: Draft) -> Any:
        values: dict[str, Any] = {}
        for field in self.fields:
            if field.key in read:
                values[field.name] = field.kind.build(read[field.key])
            elif self.default(field) is None:
                values[field.name] = None
        return self.make(**values)

    def write(self, value: Any) -> dict[str, Any]:
        image: dict[str, Any] = {}
        for field in self.fields:
            kept = getattr(value, field.name)
            if kept is None or (not field.always and _same(kept, self.default(field))):
                continue
            image[field.key] = field.kind.write(kept)
        return image

    def toml(self, image: Mapping[str, Any]) -> str:
        given = [field for field in self.fields if field.key in image]
        return (
            "{ " + ", ".join(f"{field.key} = {field.kind.toml(image[field.key])}" for field in given) + " }"
        )

    def schema(self) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        for field in self.fields:
            properties[field.key] = {"description": field.words, **field.kind.schema()}
            default = self.default(field)
            if default is not None and default is not _NEEDED:
                properties[field.key]["default"] = field.kind.write(default)
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        if needed := [field.key for field in self.fields if self.needs(field)]:
            schema["required"] = needed
        if self.exactly_one:
            schema["oneOf"] = [{"required": [key]} for key in self.exactly_one]
        if self.together:
            pairs = {key: [other for other in self.together if other != key] for key in self.together}
            schema["dependentRequired"] = pairs
        return schema


def _same(kept: Any, default: Any) -> bool:
    """True if the value is the default to the last digit: "0.00" equals 0 but was typed otherwise."""
    return bool(kept == default) and str(kept) == str(default)


@dataclass(frozen=True)
class TableList(Kind):
    """Tables one after the other, as `[[usage]]`."""

    table: Table
    may_be_empty: bool = True
    most: int = 200

    def read(self, value: object, path: str, reading: Reading) -> list[Draft | Bad] | Bad:
        if isinstance(value, Mapping):
            name = path.rpartition(".")[2]
            return reading.report(path, f"is one table; write it as a list, in TOML as [[{name}]]")
        if isinstance(value, str) or not isinstance(value, Sequence):
            return reading.report(path, f"is {show(value)}; it must be a list of tables")
        if not value and not self.may_be_empty:
            return reading.report(path, "is an empty list; write at least one, or leave the key out")
        if len(value) > self.most:
            return reading.report(path, f"has {len(value)} entries; at most {self.most} are allowed")
        return [self.table.read(entry, f"{path}[{index}]", reading) for index, entry in enumerate(value)]

    def build(self, read: list[Draft]) -> tuple[Any, ...]:
        return tuple(self.table.build(draft) for draft in read)

    def write(self, value: Sequence[Any]) -> list[Any]:
        return [self.table.write(entry) for entry in value]

    def toml(self, image: Sequence[Any]) -> str:
        return "[\n" + "".join(f"  {self.table.toml(entry)},\n" for entry in image) + "]"

    def schema(self) -> dict[str, Any]:
        least = 0 if self.may_be_empty else 1
        return {"type": "array", "items": self.table.schema(), "minItems": least, "maxItems": self.most}


@dataclass(frozen=True)
class Either(Kind):
    """A table, or a plain value in its place."""

    plain: Kind
    table: Table

    def read(self, value: object, path: str, reading: Reading) -> Any:
        return (self.table if isinstance(value, Mapping) else self.plain).read(value, path, reading)

    def build(self, read: Any) -> Any:
        return (self.table if isinstance(read, Draft) else self.plain).build(read)

    def write(self, value: Any) -> Any:
        return (self.table if dataclasses.is_dataclass(value) else self.plain).write(value)

    def toml(self, image: Any) -> str:
        return (self.table if isinstance(image, Mapping) else self.plain).toml(image)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.plain.schema(), self.table.schema()]}
