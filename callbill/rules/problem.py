"""One mistake in what somebody wrote: where it is and what is wrong.

Shared by everything in `rules` that checks input, so that a mistake reads the same on the command line,
in the API's answer and beside a form field.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `path` is the key's place, as in `usage[0].rate` ("" is the whole input);
    `message` says what is wrong and what would be right, in plain words."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message
