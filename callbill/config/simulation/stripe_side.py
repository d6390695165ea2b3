"""The sandbox as the simulation uses it over HTTP: browsers, banks, switches, what is true at Stripe."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from callbill.config.demo.sandbox import SandboxRefused

_SECONDS = 30
_PAGE = 100

__all__ = ["SandboxRefused", "StripeSide"]


class StripeSide:
    """The sandbox at `address`; reads with the secret key. It shares no code with us."""

    def __init__(self, address: str, secret_key: str) -> None:
        self.address = address
        token = base64.b64encode(f"{secret_key}:".encode()).decode()
        self._login = {"Authorization": f"Basic {token}"}

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

    # --- its switches -------------------------------------------------------------------------------
    def switch(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask its control API, /_sandbox. Raises SandboxRefused with its own words."""
        data = json.dumps(body).encode() if body is not None else None
        return self._ask(method, f"/_sandbox{path}", data, {"Content-Type": "application/json"})

    def reset(self) -> None:
        """Forget everything."""
        self.switch("POST", "/reset", {})

    def set_clock(self, moment: datetime) -> None:
        """Its time goes on from `moment`."""
        self.switch("POST", "/clock", {"now": moment.isoformat()})

    def wait_until_idle(self) -> None:
        """Until what is due by its clock is done."""
        end = time.monotonic() + _SECONDS
        while self.switch("GET", "/clock")["due"]:
            if time.monotonic() > end:
                raise TimeoutError("the sandbox does not come to rest")
            time.sleep(0.003)

    # --- a browser with its card form ---------------------------------------------------------------
    def fill_in_card(
        self, *, client_secret: str, publishable_key: str, number: str, expires: date, passes: bool
    ) -> bool:
        """A person types a card into the form, and passes 3D Secure or not. False if it was not saved."""
        intent = client_secret.partition("_secret_")[0]
        fields = {
            "key": publishable_key,
            "client_secret": client_secret,
            "use_stripe_sdk": "true",
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": number,
            "payment_method_data[card][exp_month]": str(expires.month),
            "payment_method_data[card][exp_year]": str(expires.year),
            "payment_method_data[card][cvc]": "123",
        }
        try:
            made = self._ask("POST", f"/v1/setup_intents/{intent}/confirm", urlencode(fields).encode(), {})
        except SandboxRefused:
            return False
        if made["status"] == "requires_action":
            outcome = "complete" if passes else "fail"
            made = self.switch("POST", f"/3ds/{intent}", {"client_secret": client_secret, "outcome": outcome})
        return str(made["status"]) == "succeeded"

    def confirm_payment(self, *, client_secret: str, publishable_key: str, card: str, passes: bool) -> None:
        """A cardholder confirms a payment in the browser, and passes 3D Secure or not."""
        intent = client_secret.partition("_secret_")[0]
        fields = {
            "key": publishable_key,
            "client_secret": client_secret,
            "use_stripe_sdk": "true",
            "payment_method": card,
        }
        try:
            made = self._ask("POST", f"/v1/payment_intents/{intent}/confirm", urlencode(fields).encode(), {})
            if made["status"] == "requires_action":
                outcome = "complete" if passes else "fail"
                self.switch("POST", f"/3ds/{intent}", {"client_secret": client_secret, "outcome": outcome})
        except SandboxRefused:
            return

    # --- what is true at Stripe ---------------------------------------------------------------------
    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a list endpoint such as "charges", oldest first."""
        found: list[dict[str, Any]] = []
        query = f"limit={_PAGE}"
        while True:
            page = self._ask("GET", f"/v1/{kind}?{query}", None, self._login)
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            query = f"limit={_PAGE}&starting_after={found[-1]['id']}"

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        request = Request(self.address + path, body, dict(headers), method=method)  # noqa: S310 our own address
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read())
        except HTTPError as refusal:
            raise SandboxRefused(f"{path}: {refusal.read().decode(errors='replace')}") from None
        except (HTTPException, ConnectionError) as broken:
            raise SandboxRefused(f"{path}: {type(broken).__name__}") from None
