"""What the viewer's buttons do: each is one switch of the control API."""

from __future__ import annotations

from collections.abc import Callable

from . import bank, issuer
from .control import Control

DECLINES = {
    "insufficient_funds": "Insufficient funds",
    "expired_card": "Expired card",
    "generic_decline": "Declined",
    "authentication_required": "Authentication required",
}
UPDATES = {
    "new_expiry": "New date",
    "new_number": "New number",
    "new_brand": "New brand",
    "closed": "Account closed",
}


def press(control: Control, action: str, fields: dict[str, str]) -> None:
    """Do what a button says; LookupError or ValueError, with words for people, when that cannot be."""
    if action not in _BUTTONS:
        raise LookupError(f"there is no button {action}")
    try:
        _BUTTONS[action](control, fields)
    except KeyError as missing:
        raise LookupError(f"the button {action} sent no {missing.args[0]}") from None


def _decline(control: Control, fields: dict[str, str]) -> None:
    code = fields["decline_code"]
    known = code if code in ("expired_card", "authentication_required") else "card_declined"
    outcome = {"code": known, "decline_code": code}
    issuer.change(control.context(), fields["method"], {"outcomes": [outcome]})


def _forgive(control: Control, fields: dict[str, str]) -> None:
    issuer.change(control.context(), fields["method"], {"outcomes": []})


def _update(control: Control, fields: dict[str, str]) -> None:
    issuer.update(control.context(), fields["method"], {"kind": fields["kind"]})


def _bank(control: Control, fields: dict[str, str]) -> None:
    charge, kind = fields["charge"], fields["kind"]
    if kind == "warning":
        bank.warn(control.context(), {"charge": charge})
    else:
        bank.raise_dispute(control.context(), {"charge": charge, "inquiry": kind == "inquiry"})


def _decide(control: Control, fields: dict[str, str]) -> None:
    dispute, outcome = fields["dispute"], fields["outcome"]
    if outcome == "escalated":
        bank.escalate_dispute(control.context(), dispute)
    else:
        bank.close_dispute(control.context(), dispute, {"outcome": outcome})


def _payout(control: Control, fields: dict[str, str]) -> None:
    bank.close_payouts(control.context(), {"fail": fields["way"] == "bounce"})


def _redeliver(control: Control, fields: dict[str, str]) -> None:
    control.redeliver(fields["event"])


def _clock(control: Control, fields: dict[str, str]) -> None:
    control.move_clock({"advance": fields["advance"]})


_BUTTONS: dict[str, Callable[[Control, dict[str, str]], None]] = {
    "decline": _decline,
    "forgive": _forgive,
    "update": _update,
    "bank": _bank,
    "decide": _decide,
    "payout": _payout,
    "redeliver": _redeliver,
    "clock": _clock,
}
