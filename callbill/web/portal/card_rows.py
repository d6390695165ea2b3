"""Cards as the Company page shows them: label, expiry, and a warning in time."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from callbill.domain.payments.queries import SavedCard

_WARN_DAYS = (30, 60)


@dataclass(frozen=True, slots=True)
class CardRow:
    """A saved card in the list, with what its expiry asks for ("Expires within 30 days", "Expired", "")."""

    card: SavedCard
    warning: str


def row_of(card: SavedCard, today: date) -> CardRow:
    """The card with its warning; it is good until the last day of its month."""
    month, year = (int(part) for part in card.expiry.split("/"))
    left = (date(year, month, monthrange(year, month)[1]) - today).days
    if left < 0:
        return CardRow(card, "Expired")
    within = next((days for days in _WARN_DAYS if left <= days), None)
    return CardRow(card, f"Expires within {within} days" if within else "")
