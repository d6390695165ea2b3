"""What people and banks do at the Stripe sandbox in the demo's story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from callbill.config.sandbox import SandboxClient


class Sandbox(SandboxClient):
    """The sandbox at `address`. Everything goes over HTTP; it shares no code with us."""

    def __init__(self, address: str) -> None:
        super().__init__(address, "sk_test_demo")

    def script(self, card: str, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """What the bank says to the next charges of a saved card."""
        self.switch("POST", f"/cards/{card}", {"outcomes": list(outcomes)})

    def decline_next(self, card: str, *, decline_code: str, times: int) -> None:
        """The bank declines the next charges of a saved card."""
        self.script(card, [{"code": "card_declined", "decline_code": decline_code, "times": times}])

    def replace_card(self, card: str, kind: str) -> None:
        """The bank sends its holder another card: "new_expiry", "new_number" or "new_brand"."""
        self.switch("POST", f"/cards/{card}/update", {"kind": kind})

    def dispute(self, charge: str, *, reason: str, due_in_days: int) -> None:
        """The cardholder disputes a charge; the bank wants an answer within so many days."""
        self.switch("POST", "/disputes", {"charge": charge, "reason": reason, "due_in_days": due_in_days})

    def close_dispute(self, dispute: str, outcome: str) -> None:
        """The bank decides."""
        self.switch("POST", f"/disputes/{dispute}/close", {"outcome": outcome})

    def warn(self, charge: str) -> None:
        """The card's network warns that a charge may be fraud."""
        self.switch("POST", "/early_fraud_warnings", {"charge": charge})

    def pay_out(self) -> None:
        """What is available goes to the bank account."""
        self.switch("POST", "/payouts/close", {})

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
        self._by_hand("payment_intents", fields, once=f"by hand, {card}, {says}")

    def refund_by_hand(self, charge: str) -> None:
        """Somebody gives a charge back at Stripe's own pages; twice is once."""
        self._by_hand("refunds", {"charge": charge}, once=f"by hand, {charge}")

    def tell(self, url: str | None, secret: str | None) -> None:
        """Where to deliver webhooks; None for nowhere."""
        self.switch("POST", "/webhook", {"url": url, "secret": secret})

    def wait_for_webhooks(self) -> None:
        """Until what is due was delivered, or put off because nobody took it."""
        self.wait_while_due("/webhooks")

    def _by_hand(self, kind: str, fields: Mapping[str, str], *, once: str) -> None:
        self.ask("POST", f"/v1/{kind}", urlencode(fields).encode(), {**self.login, "Idempotency-Key": once})
