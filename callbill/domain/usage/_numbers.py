"""Telephone numbers: written as E.164 where that is certain, left as they are where it is not."""

from __future__ import annotations

import re
from functools import lru_cache

_WITHHELD = frozenset({"", "anonymous", "withheld", "unknown", "restricted", "private", "unavailable"})
_PUNCTUATION = str.maketrans("", "", " -.()/\u00a0")


def withheld(text: str) -> bool:
    """True if the text only says that there is no number."""
    return text.casefold() in _WITHHELD


@lru_cache(maxsize=65536)
def e164(text: str, country_code: str) -> str | None:
    """The number as + and digits, None if it is not certain which number it is.

    A number that begins with + or 00 is international; others need `country_code` and are national: ten
    digits in "1" (with or without a 1 before them), elsewhere digits after one 0.
    """
    digits = text.translate(_PUNCTUATION)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not digits.startswith("+") and country_code and re.fullmatch("[0-9]+", digits):
        if country_code == "1":
            if len(digits) == 10:
                digits = "+1" + digits
            elif len(digits) == 11 and digits[0] == "1":
                digits = "+" + digits
        elif digits.startswith("0"):
            digits = f"+{country_code}{digits[1:]}"
    return digits if re.fullmatch(r"\+[1-9][0-9]{5,14}", digits) else None
