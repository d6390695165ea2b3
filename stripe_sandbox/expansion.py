"""`expand[]`: ids become the objects they name, up to four levels deep; and the difference of two states."""

from __future__ import annotations

from typing import Any

from .errors import mistake
from .storage import Document, Store

EXPANDABLE = {
    "": {"default_payment_method"},  # in the hash invoice_settings
    "customer": {"default_source", "test_clock"},
    "payment_method": {"customer"},
    "setup_intent": {"customer", "payment_method", "latest_attempt", "mandate", "single_use_mandate"},
    "setup_attempt": {"customer", "payment_method", "setup_intent"},
    "payment_intent": {"customer", "payment_method", "latest_charge", "review", "application"},
    "charge": {
        "customer",
        "payment_intent",
        "balance_transaction",
        "failure_balance_transaction",
        "review",
        "refunds",
    },
    "refund": {"charge", "payment_intent", "balance_transaction", "failure_balance_transaction"},
    "balance_transaction": {"source"},
    "dispute": {"charge", "payment_intent"},
    "mandate": {"payment_method"},
    "payout": {"balance_transaction", "failure_balance_transaction"},
    "radar.early_fraud_warning": {"charge", "payment_intent"},
}
DEEPEST = 4


def expand(store: Store, obj: Document, paths: list[str], now: int = 0) -> Document:
    """`obj` with every path in `paths` expanded, as things are at `now`; 400 for a path that cannot be."""
    for path in paths:
        parts = path.split(".")
        depth = len(parts) - (parts[0] == "data")
        if depth > DEEPEST:
            raise mistake(
                f"You cannot expand more than {DEEPEST} levels of a property. Property: {path}",
                param="expand",
            )
        _expand(store, obj, parts, path, now)
    return obj


def _expand(store: Store, obj: Any, parts: list[str], path: str, now: int) -> None:
    name, rest = parts[0], parts[1:]
    if obj.get("object") == "list":
        if name != "data" or not rest:
            raise _refuse(path, name)
        for item in obj["data"]:
            _expand(store, item, rest, path, now)
        return
    value = obj.get(name)
    if name in EXPANDABLE.get(obj.get("object", ""), set()):
        if isinstance(value, str):
            obj[name] = value = aged(store.get_any(value), now)
        elif name == "refunds":
            obj[name] = value = _refunds(store, obj)
    elif not (rest and isinstance(value, dict)):
        raise _refuse(path, name)
    if rest and isinstance(value, dict):
        _expand(store, value, rest, path, now)


def aged(obj: Document | None, now: int) -> Document | None:
    """A balance transaction becomes available by itself; everything else stays as it was kept."""
    if obj and obj.get("object") == "balance_transaction" and obj["available_on"] <= now:
        obj["status"] = "available"
    return obj


def _refunds(store: Store, charge: Document) -> Document:
    data = store.select("refund", [("charge = ?", charge["id"])], limit=10)
    return {"object": "list", "data": data, "has_more": False, "url": f"/v1/charges/{charge['id']}/refunds"}


def _refuse(path: str, name: str) -> Exception:
    return mistake(
        f"This property cannot be expanded ({name}). You may want to try expanding its parent. "
        f"Property: {path}",
        param="expand",
    )


def difference(was: Document, now: Document) -> Document:
    """The old values of what changed, as `data.previous_attributes` of an `*.updated` event."""
    changed: Document = {}
    for name in was.keys() | now.keys():
        old, new = was.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed[name] = difference(old, new)
        else:
            changed[name] = old
    return changed
