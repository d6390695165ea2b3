"""What people and banks do at the Stripe sandbox: fill in its card form, and turn its switches."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

_SECONDS = 30
# Any test key opens the sandbox.
_LOGIN = {"Authorization": "Basic " + base64.b64encode(b"sk_test_demo:").decode()}


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
        self._ask(f"/v1/setup_intents/{intent}/confirm", urlencode(fields).encode(), {})

    def script(self, card: str, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """What the bank says to the next charges of a saved card."""
        self._switch(f"/cards/{card}", {"outcomes": list(outcomes)})

    def decline_next(self, card: str, *, decline_code: str, times: int) -> None:
        """The bank declines the next charges of a saved card."""
        self.script(card, [{"code": "card_declined", "decline_code": decline_code, "times": times}])

    def replace_card(self, card: str, kind: str) -> None:
        """The bank sends its holder another card: "new_expiry", "new_number" or "new_brand"."""
        self._switch(f"/cards/{card}/update", {"kind": kind})

    def dispute(self, charge: str, *, reason: str, due_in_days: int) -> None:
        """The cardholder disputes a charge; the bank wants an answer within so many days."""
        self._switch("/disputes", {"charge": charge, "reason": reason, "due_in_days": due_in_days})

    def close_dispute(self, dispute: str, outcome: str) -> None:
        """The bank decides."""
        self._switch(f"/disputes/{dispute}/close", {"outcome": outcome})

    def warn(self, charge: str) -> None:
        """The card's network warns that a charge may be fraud."""
        self._switch("/early_fraud_warnings", {"charge": charge})

    def pay_out(self) -> None:
        """What is available goes to the bank account."""
        self._switch("/payouts/close", {})

    def find(self, path: str, **query: str) -> Any:
        """What Stripe's API answers to GET /v1/`path`."""
        question = f"?{urlencode(query)}" if query else ""
        return self._ask(f"/v1/{path}{question}", None, _LOGIN)

    def charge_by_hand(self, *, card: str, amount: int, currency: str, says: str) -> None:
        """Somebody charges a saved card at Stripe's own pages; twice is once."""
        fields = {
            "amount": str(amount),
            "currency": currency,
            "customer": self.find(f"payment_methods/{card}")["customer"],
            "payment_method": card,
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "description": says,
            "confirm": "true",
            "off_session": "true",
        }
        once = {"Idempotency-Key": f"by hand, {card}, {says}"}
        self._ask("/v1/payment_intents", urlencode(fields).encode(), {**_LOGIN, **once})

    def refund_by_hand(self, charge: str) -> None:
        """Somebody gives a charge back at Stripe's own pages; twice is once."""
        once = {"Idempotency-Key": f"by hand, {charge}"}
        self._ask("/v1/refunds", urlencode({"charge": charge}).encode(), {**_LOGIN, **once})

    def set_clock(self, moment: datetime) -> None:
        """Let the sandbox's time go on from `moment`, so that charges carry it."""
        self._switch("/clock", {"now": moment.isoformat()})

    def tell(self, url: str | None, secret: str | None) -> None:
        """Where to deliver webhooks; None for nowhere."""
        self._switch("/webhook", {"url": url, "secret": secret})

    def wait_for_webhooks(self) -> None:
        """Until what is due was delivered, or put off because nobody took it."""
        end = time.monotonic() + _SECONDS
        while self._ask("/_sandbox/webhooks", None, {})["due"] and time.monotonic() < end:
            time.sleep(0.02)

    def _switch(self, path: str, body: Mapping[str, Any]) -> None:
        self._ask(f"/_sandbox{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _ask(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        request = Request(self.address + path, body, dict(headers))  # noqa: S310 our own http address
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read())
        except HTTPError as refusal:
            raise SandboxRefused(f"{path}: {refusal.read().decode(errors='replace')}") from None
