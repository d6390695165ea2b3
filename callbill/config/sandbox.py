"""The Stripe sandbox over HTTP, as a person with a browser and a hand on its switches uses it.

The demo and the simulation build on it. It shares no code with the sandbox; nothing of the product uses it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

_SECONDS = 30
_JSON = {"Content-Type": "application/json"}


class SandboxRefused(Exception):
    """The sandbox did not do it; the message is its own."""


class SandboxClient:
    """The sandbox at `address`. Stripe's API is asked with `secret_key`; any test key opens it."""

    def __init__(self, address: str, secret_key: str) -> None:
        self.address = address
        token = base64.b64encode(f"{secret_key}:".encode()).decode()
        self.login = {"Authorization": f"Basic {token}"}

    # --- its switches -------------------------------------------------------------------------------
    def switch(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask its control API, /_sandbox`path`; its answer as JSON. Raises SandboxRefused."""
        data = json.dumps(body).encode() if body is not None else None
        return self.ask(method, f"/_sandbox{path}", data, _JSON)

    def set_clock(self, moment: datetime) -> None:
        """Its time goes on from `moment`, so that charges carry it."""
        self.switch("POST", "/clock", {"now": moment.isoformat()})

    def wait_while_due(self, path: str) -> None:
        """Until nothing is `due` any more at a control page such as "/webhooks". Raises TimeoutError."""
        end = time.monotonic() + _SECONDS
        while self.switch("GET", path)["due"]:
            if time.monotonic() > end:
                raise TimeoutError(f"the sandbox does not come to rest: {path}")
            time.sleep(0.003)

    # --- Stripe's API -------------------------------------------------------------------------------
    def find(self, path: str, **query: str) -> Any:
        """What Stripe's API answers to GET /v1/`path`."""
        question = f"?{urlencode(query)}" if query else ""
        return self.ask("GET", f"/v1/{path}{question}", None, self.login)

    def ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        """Any request; its answer as JSON. Raises SandboxRefused for a refusal or a broken answer."""
        request = Request(self.address + path, body, dict(headers), method=method)  # noqa: S310 our own address
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read())
        except HTTPError as refusal:
            raise SandboxRefused(f"{path}: {refusal.read().decode(errors='replace')}") from None
        except (HTTPException, ConnectionError) as broken:
            raise SandboxRefused(f"{path}: {type(broken).__name__}") from None

    # --- a browser ----------------------------------------------------------------------------------
    def fill_in_card(
        self,
        *,
        client_secret: str,
        publishable_key: str,
        number: str,
        month: int,
        year: int,
        passes: bool = True,
    ) -> bool:
        """What the card form sends when a person presses Save, and 3D Secure, which the person `passes`.

        Whether the card is saved now. Raises SandboxRefused for a card that its bank refuses.
        """
        fields = {
            "payment_method_data[type]": "card",
            "payment_method_data[card][number]": number,
            "payment_method_data[card][exp_month]": str(month),
            "payment_method_data[card][exp_year]": str(year),
            "payment_method_data[card][cvc]": "123",
        }
        return self._in_browser("setup_intents", client_secret, publishable_key, fields, passes)

    def confirm_payment(self, *, client_secret: str, publishable_key: str, card: str, passes: bool) -> bool:
        """A cardholder confirms a payment with a saved card, and passes 3D Secure or not; whether it is paid.

        Raises SandboxRefused for a charge that the bank refuses.
        """
        fields = {"payment_method": card}
        return self._in_browser("payment_intents", client_secret, publishable_key, fields, passes)

    def _in_browser(
        self, kind: str, client_secret: str, publishable_key: str, fields: Mapping[str, str], passes: bool
    ) -> bool:
        intent = client_secret.partition("_secret_")[0]
        who = {"key": publishable_key, "client_secret": client_secret, "use_stripe_sdk": "true"}
        made = self.ask("POST", f"/v1/{kind}/{intent}/confirm", urlencode({**who, **fields}).encode(), {})
        if made["status"] == "requires_action":
            outcome = "complete" if passes else "fail"
            made = self.switch("POST", f"/3ds/{intent}", {"client_secret": client_secret, "outcome": outcome})
        return str(made["status"]) == "succeeded"
