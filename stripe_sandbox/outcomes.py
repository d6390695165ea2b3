"""What happens when a card is saved or charged: first what is scripted, then expiry, then its test behaviour.

What the sandbox remembers about a payment method is its note "card": `number` (a test card's, never
a person's), `set_up`, `closed`, and `next`, the outcomes somebody scripted through /_sandbox/cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from . import cards
from .cards import Refusal
from .context import Context
from .storage import Document

APPROVED = "approved"
CHALLENGE = "challenge"


@dataclass(frozen=True)
class Undecided:
    """The bank takes `seconds` to answer, and then approves or says `refusal`."""

    seconds: float
    refusal: Refusal | None


Verdict = str | Refusal | Undecided
SECONDS = 60.0


def when_saved(ctx: Context, method: Document) -> Verdict:
    """Attaching the card or confirming a SetupIntent with it."""
    note = ctx.store.note("card", method["id"])
    if note.get("closed"):
        return cards.ACCOUNT_CLOSED
    card = cards.find(note.get("number", ""))
    if card.attach:
        return card.attach
    return CHALLENGE if card.setup_challenge else APPROVED


def when_charged(
    ctx: Context, method: Document, *, off_session: bool, authenticated: bool = False
) -> Verdict:
    """Charging the card, with the cardholder present or not, before or after they proved who they are."""
    note = ctx.store.note("card", method["id"])
    scripted = note.get("next") or []
    if scripted:
        return _scripted(ctx, method, note, off_session=off_session, authenticated=authenticated)
    if note.get("closed"):
        return cards.ACCOUNT_CLOSED
    if _expired(ctx, method["card"]):
        return cards.EXPIRED
    card = cards.find(note.get("number", ""))
    if not authenticated and _must_authenticate(card, note, off_session=off_session):
        return cards.AUTHENTICATION if off_session else CHALLENGE
    return card.charge or APPROVED


def mark_set_up(ctx: Context, method_id: str) -> None:
    """Remember that the cardholder agreed to later charges of this card."""
    note = ctx.store.note("card", method_id)
    if not note.get("set_up"):
        ctx.store.write_note("card", method_id, {**note, "set_up": True})


def outcome_from(row: dict[str, Any]) -> Refusal | None:
    """A scripted outcome as given to the control API: None for one that succeeds."""
    named = row.get("code") or row.get("decline_code")
    if row.get("outcome") == "succeed" or (row.get("outcome") == "processing" and not named):
        return None
    code = row.get("code") or "card_declined"
    decline_code = row.get("decline_code")
    for known in (
        cards.GENERIC,
        cards.INSUFFICIENT,
        cards.LOST,
        cards.STOLEN,
        cards.VELOCITY,
        cards.EXPIRED,
        cards.CVC,
        cards.PROCESSING,
        cards.NUMBER,
        cards.AUTHENTICATION,
    ):
        if (decline_code or "generic_decline", code) == (known.decline_code, known.code) or (
            decline_code is None and code == known.code != "card_declined"
        ):
            break
    else:
        known = Refusal(code, decline_code, cards.GENERIC.advice_code, "05")
    return Refusal(
        known.code,
        known.decline_code,
        row.get("advice_code", known.advice_code),
        row.get("network_decline_code", known.network_decline_code),
        row.get("message"),
    )


def _scripted(
    ctx: Context, method: Document, note: Document, *, off_session: bool, authenticated: bool
) -> Verdict:
    row = note["next"][0]
    refusal = outcome_from(row)
    if row.get("outcome") == "processing":
        ctx.store.write_note("card", method["id"], {**note, "next": note["next"][1:]})
        return Undecided(float(row.get("seconds", SECONDS)), refusal)
    if refusal and refusal.code == "authentication_required" and authenticated:
        refusal = None
    if refusal and refusal.code == "authentication_required" and not off_session:
        return CHALLENGE
    ctx.store.write_note("card", method["id"], {**note, "next": note["next"][1:]})
    return refusal or APPROVED


def _must_authenticate(card: cards.TestCard, note: Document, *, off_session: bool) -> bool:
    if card.authentication == cards.UNLESS_SET_UP:
        return not note.get("set_up")
    if card.authentication == cards.ON_SESSION:
        return not off_session
    return card.authentication == cards.ALWAYS


def _expired(ctx: Context, card: Document) -> bool:
    today = datetime.fromtimestamp(ctx.now, UTC)
    return (card["exp_year"], card["exp_month"]) < (today.year, today.month)
