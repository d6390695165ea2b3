"""How a sandbox is set up when it starts."""

from __future__ import annotations

from dataclasses import dataclass

API_VERSION = "2026-10-28.endive"
WEBHOOK_SECRET = "whsec_sandbox"  # noqa: S105 - signs made-up events
ACCOUNT_ID = "acct_sandbox00000001"


@dataclass
class Settings:
    """Durations are seconds on the sandbox's clock."""

    webhook_url: str | None = None
    webhook_secret: str | None = None
    # After a delivery failed, wait this long before the next; then give up.
    webhook_retries: tuple[float, ...] = (0.5, 2.0, 10.0, 60.0, 600.0)
    webhook_timeout: float = 10.0
    # Which clock the time in a signature is read from: the machine's, or the sandbox's for a receiver whose
    # clock is moved with it.
    sign_by_sandbox_clock: bool = False
    # From the charge to its balance transaction (capture_method automatic_async).
    settle_after: float = 2.0
    # From a charge to the dispute or warning its test card brings, and from evidence to the bank's decision.
    dispute_after: float = 4.0
    # From a refund to its later state, for the cards that have one.
    refund_after: float = 5.0
    # Time every request to /v1 takes before it is executed.
    latency: float = 0.0
