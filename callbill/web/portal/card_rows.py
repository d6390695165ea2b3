"""Cards as the Company page shows them: label, expiry, and a warning in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from callbill.domain.payments.queries import SavedCard
from callbill.lib import formats

_WARN_DAYS = (30, 60)


@dataclass(frozen=True, slots=True)
class CardRow:
    """A saved card in the list, with what its expiry asks for ("Expires within 30 days", "Expired", "")."""

    card: SavedCard
    warning: str
    words: str


def row_of(card: SavedCard, today: date) -> CardRow:
    """The card with its warning; it is good until the last day of its month."""
    left = (card.good_until - today).days
    last_day = formats.day(card.good_until)
    follow = " Add your new card and make it the default." if card.is_default else ""
    if left < 0:
        return CardRow(card, "Expired", f"It was good until {last_day}.{follow}")
    within = next((days for days in _WARN_DAYS if left <= days), None)
    if within is None:
        return CardRow(card, "", "")
    return CardRow(card, f"Expires within {within} days", f"It is good until {last_day}.{follow}")
