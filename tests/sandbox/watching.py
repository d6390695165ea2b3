"""Which parameters a handler looks at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stripe_sandbox.schema import Choice, Either, Hash, Refused, Rule

from .sdk_rules import BROWSER

Path = tuple[str, ...]


class Watched(dict[str, Any]):
    """Parameters that remember which of them were read, the ones inside hashes too."""

    def __init__(self, given: dict[str, Any], read: set[Path], at: Path = ()) -> None:
        super().__init__(
            {
                name: Watched(value, read, (*at, name)) if isinstance(value, dict) else value
                for name, value in given.items()
            }
        )
        self._read, self._at = read, at

    def __getitem__(self, name: str) -> Any:
        self._read.add((*self._at, name))
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any dictionary."""
        self._read.add((*self._at, name))
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        """Said here so that dict(...) and {**...} read one by one, and not behind our back."""
        return super().__iter__()

    def items(self) -> Any:
        """As of any dictionary."""
        return [(name, self[name]) for name in self]

    def __deepcopy__(self, memo: Any) -> dict[str, Any]:
        return {
            name: value.__deepcopy__(memo) if isinstance(value, Watched) else value
            for name, value in self.items()
        }


def asked_of(fields: dict[str, Rule], at: Path = ()) -> Iterator[Path]:
    """Everything that may be given: parameters, and fields of those that are hashes."""
    for name, rule in fields.items():
        if (
            isinstance(rule, Refused)
            or name in BROWSER
            or (isinstance(rule, Choice) and len(rule.words) == 1)
        ):
            continue  # nothing to read: refused, the pipeline's, or always the same
        yield (*at, name)
        for each in rule.rules if isinstance(rule, Either) else (rule,):
            if isinstance(each, Hash):
                yield from asked_of(each.fields, (*at, name))
