"""An import profile as frozen values: how the columns of a file become canonical calls.

Made by `_profile_reading` from a TOML file; docs/importing-calls.md describes every key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from callbill.rules.problem import Problem

DIRECTIONS = ("inbound", "outbound", "internal")
DISPOSITIONS = ("answered", "abandoned", "no_answer", "busy", "failed", "voicemail")
FLAGS = ("spam", "wrong_number", "test", "internal", "robocall")
ENCODINGS = ("utf-8", "windows-1252", "iso-8859-1", "iso-8859-15", "ascii")
UNITS = ("s", "ms", "decimal_s")
RULES = ("talk_or_answered", "talk", "answered_at")

Unit = Literal["s", "ms", "decimal_s"]


class ProfileErrors(ValueError):
    """A profile with mistakes: all of them, each with its place."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(frozen=True, slots=True)
class Instant:
    """Where a moment is: in one column, or its date and its wall time in two."""

    column: str = ""
    format: str = ""
    date_column: str = ""
    date_format: str = ""
    time_column: str = ""
    time_format: str = ""
    empty: tuple[str, ...] = ("",)
    past_midnight: bool = False

    @property
    def has_offset(self) -> bool:
        """True if the format itself says which instant it is. ISO 8601 may or may not; each row tells."""
        return self.format.startswith("epoch_") or "%z" in self.format


@dataclass(frozen=True, slots=True)
class Duration:
    """Where a length of time is: in a column, constant, or between answer and end."""

    column: str = ""
    unit: Unit = "s"
    constant_ms: int | None = None
    answered_to_ended: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the row, perhaps translated by a table, or a constant."""

    column: str = ""
    constant: str | None = None
    values: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CompanyRule:
    """How a row finds its company's key: constant, by a column's value, or by one of the numbers."""

    column: str = ""
    constant: str | None = None
    values: Mapping[str, str] | None = None
    numbers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DispositionRule:
    """How the call ended: from a column, constant, or answered by `rule` and else `otherwise`."""

    text: Text | None = None
    rule: Literal["talk_or_answered", "talk", "answered_at"] = "talk_or_answered"
    otherwise: str = "abandoned"


@dataclass(frozen=True, slots=True)
class FlagRule:
    """Flags of a call: `flag` when the column's value is one of `when`, or a list of flags in the column."""

    column: str
    when: tuple[str, ...] = ()
    flag: str = ""
    separator: str = ""
    values: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Checks:
    """How much a row may contradict itself before it is set aside."""

    talk_tolerance_seconds: int = 60
    longest_hours: int = 24
    future_minutes: int = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything one profile says. `document` is its JSON image, kept with each import."""

    name: str
    source: str
    document: Mapping[str, Any]
    id_columns: tuple[str, ...]
    id_separator: str
    company: CompanyRule
    started_at: Instant
    talk_ms: Duration
    direction: Text
    disposition: DispositionRule = field(default_factory=DispositionRule)
    time_zone: str | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    updated_at: Instant | None = None
    duration: Duration | None = None
    wrap_ms: Duration | None = None
    hold_ms: Duration | None = None
    queue_ms: Duration | None = None
    service: Text | None = None
    queue: Text | None = None
    number: Text | None = None
    from_number: Text | None = None
    to_number: Text | None = None
    country_code: str = ""
    flags: tuple[FlagRule, ...] = ()
    checks: Checks = field(default_factory=Checks)

    def columns_named(self) -> Iterator[tuple[str, str]]:
        """(path of the key, column) for every column the profile reads."""
        for position, column in enumerate(self.id_columns):
            yield f"id.columns[{position}]", column
        for name in ("started_at", "answered_at", "ended_at", "updated_at"):
            instant: Instant | None = getattr(self, name)
            for key in ("column", "date_column", "time_column"):
                if instant is not None and getattr(instant, key):
                    yield f"{name}.{key}", getattr(instant, key)
        singles = ("company", "talk_ms", "duration", "wrap_ms", "hold_ms", "queue_ms", "direction", "service")
        for name in (*singles, "queue", "number", "from_number", "to_number"):
            part = getattr(self, name)
            if part is not None and part.column:
                yield f"{name}.column", part.column
        if self.disposition.text is not None and self.disposition.text.column:
            yield "disposition.column", self.disposition.text.column
        for position, rule in enumerate(self.flags):
            yield f"flags[{position}].column", rule.column

    def companies_named(self) -> Iterator[tuple[str, str]]:
        """(path of the key, company key) for every company the profile names."""
        if self.company.constant is not None:
            yield "company.constant", self.company.constant
        for name in ("values", "numbers"):
            for value, key in (getattr(self.company, name) or {}).items():
                yield f'company.{name}."{value}"', key
