"""How cards, days and what is due are written: the small words under all others."""

from __future__ import annotations

from datetime import date, datetime

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments.models import PaymentMethod
from callbill.lib import formats
from callbill.rules.money import Money

_BRANDS = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "discover": "Discover",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
}


def brand(name: str) -> str:
    """The card's brand as people write it."""
    return _BRANDS.get(name, name.replace("_", " ").capitalize() or "Card")


def card_label(card: PaymentMethod) -> str:
    """ "Visa •••• 4242"."""
    return f"{brand(card.brand)} •••• {card.last4}"


def day(moment: datetime | date, zone: str) -> str:
    """ "1 May 2026", in the customer's time zone."""
    return formats.day_in(moment, zone) if isinstance(moment, datetime) else formats.day(moment)


def due_of(invoice: Invoice) -> Money:
    """What is still to be paid."""
    return Money(invoice.due_minor, invoice.currency)
