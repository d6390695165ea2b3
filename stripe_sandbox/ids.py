"""Identifiers that look like Stripe's: a prefix and random letters and digits."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

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
    return "".join([_ALPHABET[byte % 62] for byte in secrets.token_bytes(length)])


def new_id(kind: str) -> str:
    """A fresh identifier for an object of `kind` ("customer", "charge", ...)."""
    return PREFIX[kind] + random_text(24)


def client_secret(intent_id: str) -> str:
    """The secret a browser needs to act on one intent."""
    return f"{intent_id}_secret_{random_text(25)}"
