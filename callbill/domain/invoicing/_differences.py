"""What verifying finds, in plain words: what is on the invoice, and what comes out now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callbill.rules.counting import reason_in_words
from callbill.rules.money import Money


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is stored and something else that comes out."""

    invoice: str
    where: str
    stored: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.invoice}: {self.where}: {self.stored} on the invoice, {self.recomputed} recomputed"


def in_words(stored: object, recomputed: object, currency: str | None = None) -> tuple[str, str, str]:
    """Two values that differ: where in them, and each in words. With `currency` they are minor units.

    Of tables and lists it is the first entry that differs.
    """
    path: list[str] = []
    while True:
        if isinstance(stored, Mapping) and isinstance(recomputed, Mapping):
            keys = [*stored, *(key for key in recomputed if key not in stored)]
            key: Any = next(key for key in keys if stored.get(key) != recomputed.get(key))
            path.append(str(key))
            stored, recomputed = stored.get(key), recomputed.get(key)
        elif isinstance(stored, list | tuple) and isinstance(recomputed, list | tuple):
            ours, theirs = list(stored), list(recomputed)
            place = next(
                (n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
                min(len(ours), len(theirs)),
            )
            path.append(str(place + 1))
            stored, recomputed = _at(ours, place), _at(theirs, place)
        else:
            return " ".join(path), _word(stored, currency), _word(recomputed, currency)


def not_billed_in_words(reasons: Mapping[str, int]) -> dict[str, int]:
    """The calls that are not billed, by reason in plain words."""
    return {reason_in_words(reason): count for reason, count in reasons.items()}


def _at(values: Sequence[object], place: int) -> object:
    return values[place] if place < len(values) else None


def _word(value: object, currency: str | None) -> str:
    if value is None or value == "":
        return "nothing"
    if currency is not None and isinstance(value, int):
        return Money(value, currency).text
    return str(value)
