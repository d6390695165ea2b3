"""What a story, or many, came to in figures. Needs no Django: the command adds up those of its processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Figures:
    """What a story, or many, came to."""

    stories: int = 0
    broken: int = 0
    violations: int = 0
    days: int = 0
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

    def in_one_line(self) -> str:
        """The sum of a batch."""
        return (
            f"{self.stories} seeds, {self.days} simulated days, {self.steps} steps, {self.calls} calls, "
            f"{self.invoices} invoices, {self.attempts} attempts, {self.charges} charges, "
            f"{self.mails} mails, {self.messages} messages of Stripe, "
            f"{self.faults_met} of {self.faults_planted} faults met, {self.kills} processes killed, "
            f"{self.beside} met another at work, {self.unknown} outcomes unknown, the longest for "
            f"{self.longest_recovery_minutes} minutes (settled by sweep no. {self.longest_recovery_sweeps} "
            f"at the latest), {self.violations} violations in {self.broken} seeds"
        )
