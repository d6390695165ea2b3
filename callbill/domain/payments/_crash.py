"""Named points at which the kill test ends the process; nothing anywhere else."""

from __future__ import annotations

import os

from django.conf import settings

POINTS = (
    "prepare:before-commit",
    "prepared",
    "intent:made",
    "intent:saved",
    "submit:before-commit",
    "submitted",
    "confirm:answered",
    "apply:before-commit",
    "applied",
)


def point(name: str) -> None:
    """End the process at once if CALLBILL_CRASH_AT names this point; only in mode "test"."""
    if settings.CALLBILL_MODE == "test" and os.environ.get("CALLBILL_CRASH_AT") == name:
        os._exit(86)
