"""Talking to a running sandbox from a test or a script: its addresses, keys and switches."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from .settings import WEBHOOK_SECRET


class Handle:
    """A running sandbox. `url` is its origin; any sk_test_/pk_test_ key will do, two are given."""

    secret_key = "sk_test_sandbox"  # noqa: S105 - opens nothing
    publishable_key = "pk_test_sandbox"

    def __init__(self, url: str, webhook_secret: str = WEBHOOK_SECRET) -> None:
        self.url = url
        self.webhook_secret = webhook_secret

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control API (`path` without /_sandbox); ValueError with its words if refused."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - always our own http address
            f"{self.url}/_sandbox{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None

    def card(self, method_id: str, **change: Any) -> Any:
        """Script a card: outcomes=[{"decline_code": "insufficient_funds"}], exp_month=, exp_year=, brand=."""
        return self.control("POST", f"/cards/{method_id}", change)

    def decline_next(self, method_id: str, decline_code: str = "insufficient_funds", times: int = 1) -> Any:
        """The next `times` charges of a saved card are declined with `decline_code` (or that error code)."""
        code = (
            decline_code
            if decline_code
            in ("expired_card", "incorrect_cvc", "processing_error", "authentication_required")
            else "card_declined"
        )
        return self.card(method_id, outcomes=[{"code": code, "decline_code": decline_code, "times": times}])

    def fault(self, action: str, **match: Any) -> Any:
        """Plan a fault: path= (regular expression), method=, times=, after=, seconds=, should_retry=."""
        return self.control("POST", "/faults", {"action": action, **match})

    def clear_faults(self) -> Any:
        """Plan none."""
        return self.control("DELETE", "/faults")

    def chaos(self, types: str = "", **what: Any) -> Any:
        """What happens to the deliveries of events whose type matches `types` (regular expression).

        delay= (seconds of the sandbox's clock), duplicate=, wrong_signature=, stale=, times=, seed=: numbers;
        twin=, reorder=, drop=, before_answer= are True or a share such as "1/3".
        """
        return self.control("POST", "/webhooks/chaos", {"for": types, **what})

    def clear_chaos(self) -> Any:
        """Deliver as usual again; what was dropped or delayed stays so."""
        return self.control("DELETE", "/webhooks/chaos")

    def roll_secret(self, secret: str, *, keep: float = 86400, endpoint: str | None = None) -> Any:
        """Sign with `secret`, and for `keep` seconds of the sandbox's clock with the old one too."""
        given = {"secret": secret, "keep": keep, **({"endpoint": endpoint} if endpoint else {})}
        made = self.control("POST", "/webhooks/roll", given)
        self.webhook_secret = secret
        return made

    def advance(self, seconds: float) -> Any:
        """Move the sandbox's clock on."""
        return self.control("POST", "/clock", {"advance": seconds})

    def set_clock(self, moment: str | float) -> Any:
        """Put the sandbox's clock to a moment (ISO text with offset, or seconds since 1970)."""
        return self.control("POST", "/clock", {"now": moment})

    def reset(self) -> Any:
        """Forget everything."""
        return self.control("POST", "/reset", {})

    def set_webhook(self, url: str | None, secret: str | None = None) -> Any:
        """Where events are delivered (besides webhook_endpoints made through the API); None for nowhere."""
        return self.control("POST", "/webhook", {"url": url, "secret": secret or self.webhook_secret})

    def redeliver(self, event_id: str) -> Any:
        """Deliver an event once more."""
        return self.control("POST", f"/events/{event_id}/redeliver", {})

    def deliveries(self, event_id: str | None = None) -> Any:
        """Deliveries, newest first: state, attempts, next_attempt."""
        return self.control("GET", "/deliveries" + (f"?event={event_id}" if event_id else ""))

    def log(self) -> Any:
        """The last requests to /v1, oldest first, without card numbers."""
        return self.control("GET", "/log")

    def authenticate(self, intent_id: str, client_secret: str, *, passed: bool = True) -> Any:
        """Complete or fail the 3D Secure of an intent that requires action."""
        outcome = "complete" if passed else "fail"
        return self.control("POST", f"/3ds/{intent_id}", {"client_secret": client_secret, "outcome": outcome})

    def dispute(self, charge: str, **more: Any) -> Any:
        """The cardholder disputes a charge: reason=, inquiry=True (only asks), amount=, due_in_days=."""
        return self.control("POST", "/disputes", {"charge": charge, **more})

    def escalate_dispute(self, dispute: str) -> Any:
        """An inquiry becomes a chargeback."""
        return self.control("POST", f"/disputes/{dispute}/escalate", {})

    def close_dispute(self, dispute: str, outcome: str) -> Any:
        """The bank decides: `outcome` is "won", "lost" or, for an inquiry, "warning_closed"."""
        return self.control("POST", f"/disputes/{dispute}/close", {"outcome": outcome})

    def early_fraud_warning(self, charge: str) -> Any:
        """The card's network warns that a charge may be fraud."""
        return self.control("POST", "/early_fraud_warnings", {"charge": charge})

    def close_payout(self, *, currency: str | None = None, fail: bool = False) -> Any:
        """Pay out what is available now, or let that payout fail."""
        given = {**({"currency": currency} if currency else {}), **({"fail": True} if fail else {})}
        return self.control("POST", "/payouts/close", given)

    def update_card(self, method_id: str, kind: str) -> Any:
        """The card's bank replaces it: `kind` is "new_expiry", "new_number", "new_brand" or "closed"."""
        return self.control("POST", f"/cards/{method_id}/update", {"kind": kind})

    def wait_for_deliveries(self, timeout: float = 10.0) -> Any:
        """Wait until nothing is pending; the deliveries then. TimeoutError when some stay pending."""
        self._wait("/webhooks", "pending", timeout)
        return self.deliveries()

    def wait_for_due_deliveries(self, timeout: float = 10.0) -> Any:
        """Wait until what is due by the sandbox's clock was delivered or put off; the deliveries then."""
        self._wait("/webhooks", "due", timeout)
        return self.deliveries()

    def wait_for_requests(self, timeout: float = 10.0) -> None:
        """Wait until no request is being executed, also when its caller gave up. TimeoutError otherwise."""
        end = time.monotonic() + timeout
        while any(entry["status"] is None for entry in self.log()):
            if time.monotonic() > end:
                raise TimeoutError(f"requests still running after {timeout} s")
            time.sleep(0.01)

    def wait_for_attempts(self, number: int, timeout: float = 10.0) -> None:
        """Wait until deliveries were tried `number` times in all. TimeoutError otherwise."""
        end = time.monotonic() + timeout
        while sum(len(row["attempts"]) for row in self.deliveries()) < number:
            if time.monotonic() > end:
                raise TimeoutError(f"fewer than {number} attempts after {timeout} s")
            time.sleep(0.02)

    def wait_until_idle(self, timeout: float = 10.0) -> None:
        """Wait until everything that is due by the sandbox's clock is done. TimeoutError when it is not."""
        self._wait("/clock", "due", timeout)

    def _wait(self, path: str, field: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while found := self.control("GET", path)[field]:
            if time.monotonic() > end:
                raise TimeoutError(f"{path} still says {field}: {found} after {timeout} s")
            time.sleep(0.01)

    def wait_until_ready(self, alive: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until it answers; RuntimeError when it died or never does."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and alive():
            try:
                self.control("GET", "/clock")
                return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"the Stripe sandbox did not start at {self.url}")
