"""The kinds of numbers that are not small and whole: decimals in quotes, and quantities of units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from callbill.rules.document._kind import Bad, Kind, Reading, quoted, show

MOST_DECIMALS = 12
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class DecimalText(Kind):
    """A decimal in quotes, exact as written: a rate (12 decimals), an amount (the currency's), a percentage.

    A TOML or JSON number is refused even when it looks right, because 0.1 as a float is not 0.1 (M1).
    """

    most: int | None = None
    money: bool = False
    example: str = "1.35"
    digits: int = 15

    def read(self, value: object, path: str, reading: Reading) -> Decimal | Bad:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return reading.report(path, _in_quotes(value, self.example))
        if not isinstance(value, str):
            rule = f"it must be a decimal in quotes, as in {quoted(self.example)}"
            return reading.report(path, f"is {show(value)}; {rule}")
        return self.parse(value, path, reading)

    def parse(self, text: str, path: str, reading: Reading) -> Decimal | Bad:
        """The decimal a text spells, or BAD after reporting what is wrong with it."""
        wrong = _spelling(text, self.example, self.digits)
        if wrong:
            return reading.report(path, f"is {quoted(text)}; {wrong}")
        number = Decimal(text)
        decimals = _decimals(text)
        if self.most is not None and number > self.most:
            return reading.report(path, f"is {quoted(text)}; it must be from 0 to {self.most}")
        if self.money and reading.decimals is not None and decimals > reading.decimals:
            return reading.report(path, too_fine(text, reading.currency or "", reading.decimals))
        return number

    def write(self, value: Decimal) -> str:
        return format(value, "f")

    def schema(self) -> dict[str, Any]:
        whole = f"(0|[1-9][0-9]{{0,{self.digits - 1}}})"
        if self.most == 100:
            whole = "([0-9]|[1-9][0-9]|100(?=$|\\.0+$))"
        return {
            "type": "string",
            "pattern": f"^{whole}(\\.[0-9]{{1,{MOST_DECIMALS}}})?$",
            "examples": [self.example],
        }


def _in_quotes(value: int | float, example: str) -> str:
    """What to say of a bare number where a decimal in quotes is due."""
    number = Decimal(str(value))
    text = format(number, "f") if number.is_finite() and len(str(value)) < 30 else example
    return f"is {show(value)}; write it in quotes, as in {quoted(text)}, so that it stays exact"


def too_fine(text: str, currency: str, decimals: int) -> str:
    """What to say of an amount with more decimals than its currency has."""
    has = "no decimals" if decimals == 0 else f"{decimals} decimals"
    return f'is "{text}"; {currency} has {has}, and this amount goes on the invoice as it stands'


def _spelling(text: str, example: str, digits: int) -> str | None:
    """What is wrong with the way a decimal is spelt, None if nothing is."""
    if text.startswith("-") and _NUMBER.fullmatch(text):
        return "it must not be negative"
    if not _NUMBER.fullmatch(text):
        return f"it must be a plain decimal of digits and one point, as in {quoted(example)}"
    if len(text) > 1 and text[0] == "0" and text[1] != ".":
        return "take away the zero it begins with"
    if _decimals(text) > MOST_DECIMALS:
        return f"it has {_decimals(text)} decimals; at most {MOST_DECIMALS} are allowed"
    if len(text.partition(".")[0]) > digits:
        return f"it is too large; at most {digits} digits may stand before the point"
    return None


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


@dataclass(frozen=True)
class Quantity(Kind):
    """A number of units: a whole number, or a decimal in quotes when it is not whole."""

    above_zero: bool = False
    digits: int = 12

    def read(self, value: object, path: str, reading: Reading) -> Decimal | Bad:
        if isinstance(value, float):
            return reading.report(path, _in_quotes(value, "12.5"))
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return reading.report(path, f'is {show(value)}; it must be a number, as in 500 or "12.5"')
        number = DecimalText(example="12.5", digits=self.digits).parse(str(value), path, reading)
        if self.above_zero and number == 0:
            return reading.report(path, f"is {show(value)}; it must be more than 0")
        return number

    def write(self, value: Decimal) -> int | str:
        text = format(value, "f")
        return text if "." in text else int(text)

    def schema(self) -> dict[str, Any]:
        least = {"exclusiveMinimum": 0} if self.above_zero else {"minimum": 0}
        whole = {"type": "integer", **least, "maximum": 10**self.digits - 1}
        text: dict[str, Any] = DecimalText(example="12.5", digits=self.digits).schema()
        if self.above_zero:
            text["pattern"] = "^(?!0(\\.0+)?$)" + text["pattern"][1:]
        return {"anyOf": [whole, text]}
