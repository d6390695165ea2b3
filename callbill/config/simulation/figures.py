"""What a story, or many, came to in figures. Needs no Django: the command adds up those of its processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Figures:
    """What a story, or many, came to."""

    steps: int = 0
    calls: int = 0
    invoices: int = 0
    charges: int = 0
    attempts: int = 0
    mails: int = 0
    messages: int = 0
    faults_planted: int = 0
    faults_met: int = 0
    kills: int = 0
    beside: int = 0
    unknown: int = 0
    longest_recovery_minutes: int = 0
    longest_recovery_sweeps: int = 0

    def add(self, other: Figures) -> None:
        """Together with another story's."""
        for name in self.__slots__:
            both = getattr(self, name), getattr(other, name)
            setattr(self, name, max(both) if name.startswith("longest") else sum(both))
