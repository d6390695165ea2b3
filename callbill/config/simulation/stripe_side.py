"""The sandbox as the simulation uses it over HTTP: browsers, banks, switches, what is true at Stripe."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from callbill.config.sandbox import SandboxClient, SandboxRefused

_SECONDS = 30
_PAGE = 100

__all__ = ["SandboxRefused", "StripeSide"]


class StripeSide(SandboxClient):
    """The sandbox of a simulation. It shares no code with us."""

    def wait_until_up(self, alive: Callable[[], bool]) -> None:
        """Until it answers. Raises SandboxRefused if it ends or never does."""
        end = time.monotonic() + _SECONDS
        while alive() and time.monotonic() < end:
            try:
                self.switch("GET", "/clock")
            except (OSError, SandboxRefused):
                time.sleep(0.05)
            else:
                return
        raise SandboxRefused(f"the Stripe sandbox did not start at {self.address}")

    def reset(self) -> None:
        """Forget everything."""
        self.switch("POST", "/reset", {})

    def wait_until_idle(self) -> None:
        """Until what is due by its clock is done."""
        self.wait_while_due("/clock")

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a list endpoint such as "charges", oldest first."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = self.find(kind, limit=str(_PAGE), **after)
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            after = {"starting_after": found[-1]["id"]}
