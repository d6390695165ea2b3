"""Terms, periods and lines the tests of rating are made of."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from callbill.rules.lines import RatedLine
from callbill.rules.period import period_named
from callbill.rules.prices import Quantity
from callbill.rules.rating import RatingRequest
from callbill.rules.terms import Fee, Terms, UsageCharge

ZONE = "America/New_York"
JANUARY = period_named("2021-01", 1, ZONE)
FEBRUARY = period_named("2021-02", 1, ZONE)

PER_CALL = UsageCharge("calls", "Answered calls", "call", Decimal("1.35"))
PER_MINUTE = UsageCharge("minutes", "Minutes", "minute", Decimal("0.95"))
PLATFORM = Fee("platform", "Platform fee", Decimal("49.00"))
SET_UP = Fee("setup", "Set-up", Decimal("250.00"), every="once")


def terms_of(*usage: UsageCharge, currency: str = "USD", **more: object) -> Terms:
    """Terms in New York with these usage charges."""
    return Terms(currency, ZONE, date(2021, 1, 1), usage=usage, **more)  # type: ignore[arg-type]


def calls(number: int) -> Quantity:
    """So many calls."""
    return Quantity(Fraction(number), number)


def january(terms: Terms, **more: object) -> RatingRequest:
    """A request for January 2021."""
    return RatingRequest(terms=terms, period=JANUARY, **more)  # type: ignore[arg-type]


def a_line(charge: str, amount: int, **more: object) -> RatedLine:
    """A usage line of one call in January for `amount` minor units."""
    fields: dict[str, object] = {
        "kind": "usage",
        "charge": charge,
        "name": charge,
        "currency": "USD",
        "quantity": Fraction(1),
        "unit": "call",
        "rate": None,
        "amount": amount,
        "period": JANUARY,
    }
    return RatedLine(**{**fields, **more})  # type: ignore[arg-type]
