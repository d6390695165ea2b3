"""What people do at the Stripe sandbox: fill in its card form in a browser, and turn its switches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


class SandboxRefused(Exception):
    """The sandbox did not do it; the message is its own."""


class Sandbox:
    """The sandbox at `address`. Everything goes over HTTP; it shares no code with us."""

    def __init__(self, address: str) -> None:
        self.address = address

    def fill_in_card(
        self, *, client_secret: str, publishable_key: str, number: str, month: int, year: int
    ) -> None:
        """What the card form in a browser sends when a person presses Save. Raises SandboxRefused."""
        intent = client_secret.partition("_secret_")[0]
        fields = {
            "key": publishable_key,
            "client_secret": client_secret,
            "use_stripe_sdk": "true",
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": number,
            "payment_method_data[card][exp_month]": str(month),
            "payment_method_data[card][exp_year]": str(year),
            "payment_method_data[card][cvc]": "123",
        }
        self._post(f"/v1/setup_intents/{intent}/confirm", urlencode(fields).encode())

    def decline_next(self, card: str, *, decline_code: str, times: int) -> None:
        """The bank declines the next charges of a saved card."""
        outcome = {"code": "card_declined", "decline_code": decline_code, "times": times}
        self._switch(f"/cards/{card}", {"outcomes": [outcome]})

    def set_clock(self, moment: datetime) -> None:
        """Let the sandbox's time go on from `moment`, so that charges carry it."""
        self._switch("/clock", {"now": moment.isoformat()})

    def tell(self, url: str | None, secret: str | None) -> None:
        """Where to deliver webhooks; None for nowhere."""
        self._switch("/webhook", {"url": url, "secret": secret})

    def _switch(self, path: str, body: Mapping[str, Any]) -> None:
        self._post(f"/_sandbox{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        request = Request(self.address + path, body, dict(headers or {}))  # noqa: S310 our own http address
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310
                answer.read()
        except HTTPError as refusal:
            raise SandboxRefused(f"{path}: {refusal.read().decode(errors='replace')}") from None
