"""Identifiers that look like Stripe's: a prefix and random letters and digits."""

from __future__ import annotations

import secrets
import time
from functools import lru_cache

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS = bytes(_ALPHABET[byte % 62] for byte in range(256))

PREFIX = {
    "customer": "cus_",
    "payment_method": "pm_",
    "setup_intent": "seti_",
    "setup_attempt": "setatt_",
    "payment_intent": "pi_",
    "charge": "ch_",
    "refund": "re_",
    "event": "evt_",
    "webhook_endpoint": "we_",
    "balance_transaction": "txn_",
    "dispute": "du_",
    "mandate": "mandate_",
    "payout": "po_",
    "radar.early_fraud_warning": "issfr_",
}


def random_text(length: int) -> str:
    """`length` random letters and digits from the operating system's generator."""
    return secrets.token_bytes(length).translate(_LETTERS).decode()


def new_id(kind: str) -> str:
    """A fresh identifier for an object of `kind` ("customer", "charge", ...).

    As at Stripe it begins with the second it was made in: what is made together stands together in an index.
    """
    return PREFIX[kind] + _second(int(time.time())) + random_text(18)


@lru_cache(maxsize=1)
def _second(moment: int) -> str:
    digits = bytearray()
    for _ in range(6):
        moment, digit = divmod(moment, 62)
        digits.append(_ALPHABET[digit])
    return digits[::-1].decode()


def client_secret(intent_id: str) -> str:
    """The secret a browser needs to act on one intent."""
    return f"{intent_id}_secret_{random_text(25)}"
