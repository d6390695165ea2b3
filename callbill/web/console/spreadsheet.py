"""What goes into CSV files that people open in a spreadsheet."""

from __future__ import annotations

import re

# The full-width signs are read as the plain ones; white space before a sign is passed over.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"\+[0-9]+|-?[0-9]+(\.[0-9]+)?", re.ASCII)


def harmless(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would take for a formula.

    Phone numbers and amounts stay as they are.
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
