"""What an import did, as its author is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

_LINES_SHOWN = 5


@dataclass(slots=True)
class ReasonGroup:
    """The rows that were set aside for one kind of reason: how many, the first lines, what they say.

    `examples` has the first line of each different text, because one kind has several causes.
    """

    code: str
    reason: str
    rows: int = 0
    first_lines: list[int] = field(default_factory=list)
    examples: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class ImportReport:
    """What became of the rows: rows = accepted + revised + repeated + corrected + set_aside.

    Those corrected say something else of a billed call: the invoice stands, the difference is proposed (M21).
    Of those set aside, `set_aside_before` were kept already from an earlier import (or, in a retry, stay
    where they are). `problem` says why an import could not read to the end; its `status` is "failed" then.
    """

    import_id: UUID
    file_name: str
    status: str = "running"
    rows: int = 0
    accepted: int = 0
    revised: int = 0
    repeated: int = 0
    corrected: int = 0
    set_aside: int = 0
    set_aside_before: int = 0
    reasons: dict[str, ReasonGroup] = field(default_factory=dict)
    problem: str = ""

    def note_set_aside(self, line: int, code: str, reason: str) -> None:
        """Count one row that was set aside."""
        self.set_aside += 1
        group = self.reasons.setdefault(code, ReasonGroup(code, reason))
        group.rows += 1
        if len(group.first_lines) < _LINES_SHOWN:
            group.first_lines.append(line)
        if len(group.examples) < _LINES_SHOWN:
            group.examples.setdefault(reason, line)

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "import": str(self.import_id),
            "file": self.file_name,
            "status": self.status,
            "rows": self.rows,
            "accepted": self.accepted,
            "revised": self.revised,
            "repeated": self.repeated,
            "corrected": self.corrected,
            "set_aside": self.set_aside,
            "set_aside_before": self.set_aside_before,
            "reasons": [
                {
                    "code": group.code,
                    "rows": group.rows,
                    "first_lines": group.first_lines,
                    "reason": group.reason,
                    "examples": [{"line": line, "reason": reason} for reason, line in group.examples.items()],
                }
                for group in sorted(self.reasons.values(), key=lambda group: -group.rows)
            ],
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: rows so far, and bytes of the file as it lies on the disk."""

    rows: int
    bytes_read: int


ProgressCallback = Callable[[Progress], None]
