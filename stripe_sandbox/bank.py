"""/_sandbox switches for what banks do by themselves: disputes, warnings of fraud, payouts."""

from __future__ import annotations

from typing import Any

from .context import Context
from .resources import disputing, payouts
from .storage import Document


def switch(ctx: Context, parts: list[str], given: dict[str, Any]) -> Document:
    """POST /_sandbox/<parts>, with the JSON object `given`; LookupError for an address that is not here."""
    match parts:
        case ["disputes"]:
            return raise_dispute(ctx, given)
        case ["disputes", dispute_id, "close"]:
            return close_dispute(ctx, dispute_id, given)
        case ["disputes", dispute_id, "escalate"]:
            return escalate_dispute(ctx, dispute_id)
        case ["early_fraud_warnings"]:
            return warn(ctx, given)
        case ["payouts", "close"]:
            return close_payouts(ctx, given)
    raise LookupError(f"there is no POST /_sandbox/{'/'.join(parts)}")


def raise_dispute(ctx: Context, given: dict[str, Any]) -> Document:
    """POST /disputes {charge, reason?, inquiry?, amount?, due_in_days?}: the dispute."""
    _known(given, "charge", "reason", "inquiry", "amount", "due_in_days")
    charge = _charge(ctx, given)
    more: dict[str, Any] = {}
    for name, kind, words in (
        ("reason", str, "text"),
        ("inquiry", bool, "true or false"),
        ("amount", int, "a whole number of minor units"),
        ("due_in_days", int, "a whole number of days"),
    ):
        if given.get(name) is not None:
            if type(given[name]) is not kind:
                raise ValueError(f"{name} must be {words}")
            more[name] = given[name]
    if not 1 <= more.get("due_in_days", 1) <= 365:
        raise ValueError("due_in_days must be between 1 and 365")
    return disputing.raise_dispute(ctx, charge, **more)


def close_dispute(ctx: Context, dispute_id: str, given: dict[str, Any]) -> Document:
    """POST /disputes/{id}/close {outcome: won, lost or warning_closed}: the dispute."""
    _known(given, "outcome")
    return disputing.decide(ctx, _dispute(ctx, dispute_id), str(given.get("outcome")))


def escalate_dispute(ctx: Context, dispute_id: str) -> Document:
    """POST /disputes/{id}/escalate: an inquiry becomes a chargeback."""
    return disputing.escalate(ctx, _dispute(ctx, dispute_id))


def warn(ctx: Context, given: dict[str, Any]) -> Document:
    """POST /early_fraud_warnings {charge}: the warning."""
    _known(given, "charge")
    return disputing.warn(ctx, _charge(ctx, given))


def close_payouts(ctx: Context, given: dict[str, Any]) -> Document:
    """POST /payouts/close {currency?, fail?}: {"payouts": [...]}, none where nothing is available."""
    _known(given, "currency", "fail")
    currency, fail = given.get("currency"), given.get("fail", False)
    if currency is not None and not isinstance(currency, str):
        raise ValueError("currency must be text, for instance usd")
    if not isinstance(fail, bool):
        raise ValueError("fail must be true or false")
    return {"payouts": payouts.close(ctx, currency.lower() if currency else None, fail=fail)}


def _known(given: dict[str, Any], *names: str) -> None:
    if unknown := given.keys() - set(names):
        raise ValueError(f"there is no {', '.join(sorted(unknown))} here; there is {', '.join(names)}")


def _charge(ctx: Context, given: dict[str, Any]) -> Document:
    charge = ctx.store.get("charge", str(given.get("charge")))
    if charge is None:
        raise LookupError(f"there is no charge {given.get('charge')}")
    return charge


def _dispute(ctx: Context, dispute_id: str) -> Document:
    dispute = ctx.store.get("dispute", dispute_id)
    if dispute is None:
        raise LookupError(f"there is no dispute {dispute_id}")
    return dispute
