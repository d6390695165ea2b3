"""/_sandbox/cards, what a card's bank decides: the next charges, a new card, a closed account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from . import cards, outcomes
from .context import Context
from .storage import Document

_FIELDS = {"outcomes", "exp_month", "exp_year", "brand", "last4", "by_issuer"}
_OUTCOME_FIELDS = {
    "outcome",
    "code",
    "decline_code",
    "advice_code",
    "network_decline_code",
    "message",
    "seconds",
    "times",
}
KINDS = ("new_expiry", "new_number", "new_brand", "closed")
YEARS = 3


def read(ctx: Context, method_id: str) -> Document:
    """The outcomes still scripted for a saved card, and whether its account was closed."""
    note = ctx.store.note("card", _method(ctx, method_id)["id"])
    return {
        "payment_method": method_id,
        "outcomes": note.get("next", []),
        "closed": bool(note.get("closed")),
    }


def change(ctx: Context, method_id: str, given: dict[str, Any]) -> Document:
    """POST /cards/{pm}: script the next outcomes of a saved card, or change what is printed on it."""
    if unknown := given.keys() - _FIELDS:
        raise ValueError(f"a card has no {sorted(unknown)}; it has {sorted(_FIELDS)}")
    method = _method(ctx, method_id)
    printed: Document = {}
    for name in ("exp_month", "exp_year", "brand", "last4"):
        if name in given:
            kind = int if name.startswith("exp") else str
            if not isinstance(given[name], kind):
                raise ValueError(f"{name} must be {'a whole number' if kind is int else 'text'}")
            printed[name] = given[name]
    if "outcomes" in given:
        script = [row for entry in given["outcomes"] for row in _scripted(entry)]
        _note(ctx, method_id, next=script)
    told = (
        "payment_method.automatically_updated" if given.get("by_issuer", True) else "payment_method.updated"
    )
    _print(ctx, method, printed, told)
    return read(ctx, method_id)


def update(ctx: Context, method_id: str, given: dict[str, Any]) -> Document:
    """POST /cards/{pm}/update {kind}: what the card networks' updater tells; the payment method then.

    A new date is three years on; a new number also has one, as has a new brand. "closed" tells nothing: the
    next charges are declined (invalid_account), until the bank sends a new card.
    """
    if unknown := given.keys() - {"kind"}:
        raise ValueError(f"there is no {sorted(unknown)} here; there is kind")
    kind = given.get("kind")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    method = _method(ctx, method_id)
    if method["customer"] is None:
        raise ValueError(f"{method_id} is not saved with a customer: nobody keeps it up to date")
    if kind == "closed":
        _note(ctx, method_id, closed=True)
        return method
    card = method["card"]
    year = datetime.fromtimestamp(ctx.now, UTC).year
    printed: Document = {"exp_year": max(card["exp_year"], year) + YEARS}
    if kind != "new_expiry":
        printed["last4"] = f"{(int(card['last4']) + 1111) % 10000:04}"
        printed["fingerprint"] = cards.fingerprint(f"{card['fingerprint']} {printed['last4']}")
    if kind == "new_brand":
        brand = "mastercard" if card["brand"] != "mastercard" else "visa"
        networks = {"available": [brand], "preferred": None}
        printed |= {"brand": brand, "display_brand": brand, "networks": networks}
    _note(ctx, method_id, closed=False)
    return _print(ctx, method, printed, "payment_method.automatically_updated")


def _print(ctx: Context, method: Document, printed: Document, told: str) -> Document:
    was = ctx.snapshot(method)
    method["card"].update(printed)
    return method if method == was else ctx.replace(method, told, was=was)


def _note(ctx: Context, method_id: str, **change: Any) -> None:
    ctx.store.write_note("card", method_id, {**ctx.store.note("card", method_id), **change})


def _method(ctx: Context, method_id: str) -> Document:
    method = ctx.store.get("payment_method", method_id)
    if method is None:
        raise LookupError(f"there is no payment method {method_id}")
    return method


def _scripted(entry: Any) -> list[Document]:
    if not isinstance(entry, dict) or entry.keys() - _OUTCOME_FIELDS:
        raise ValueError(f"an outcome is a JSON object of {sorted(_OUTCOME_FIELDS)}, not {entry!r}")
    times = entry.get("times", 1)
    if not isinstance(times, int) or not 1 <= times <= 1000:
        raise ValueError("times must be between 1 and 1000")
    row = {name: value for name, value in entry.items() if name != "times"}
    if entry.get("outcome", "decline") not in ("succeed", "decline", "processing"):
        raise ValueError('outcome must be "succeed", "decline" or "processing"')
    if (
        not isinstance(entry.get("seconds", 0), (int, float))
        or not 0 <= entry.get("seconds", 0) <= 30 * 86400
    ):
        raise ValueError("seconds must be between 0 and 2592000, thirty days")
    outcomes.outcome_from(row)
    return [row] * times
