"""What somebody agrees to when saving a card, or for one that replaced it.

Texts are never changed, only followed by a new version.

Says what a mandate for later charges must say: permission, when, how often, how the amount comes about
(docs.stripe.com/payments/save-and-reuse).
"""

from __future__ import annotations

CURRENT = "2026-11-past-due"
CURRENT_AGAIN = "2026-11-again"  # for a card that the issuer put in the place of another

_TEXTS = {
    "2026-11": (
        "By saving this card you allow {seller} to charge it, without asking you each time, for every "
        "invoice issued to {payer}: once when it is issued, usually monthly, for its total as your contract "
        "and your calls make it, and again if that charge fails. You can remove the card or choose another "
        "default card at any time."
    ),
    "2026-11-past-due": (
        "By saving this card you allow {seller} to charge it, without asking you each time, for every "
        "invoice issued to {payer}: for those that are past due, at once if this page lists them, else when "
        "you or somebody for {payer} asks for it; once when an invoice is issued, usually monthly, for its "
        "total as your contract and your calls make it; and again if a charge fails. You can remove the card "
        "or choose another default card at any time."
    ),
    "2026-11-again": (
        "By agreeing you allow {seller} to charge this card, which your bank put in the place of another, "
        "without asking you each time, for every invoice issued to {payer}: now for those that waited for "
        "your agreement, then once when an invoice is issued, usually monthly, for its total as your "
        "contract and your calls make it, and again if that charge fails. You can remove the card or choose "
        "another default card at any time."
    ),
}


def text(version: str, *, seller: str, payer: str) -> str:
    """The words of a version as they were shown. Raises KeyError for a version that never was."""
    return _TEXTS[version].format(seller=seller, payer=payer)
