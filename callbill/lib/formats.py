"""Money, figures and days as people read them (Babel): the same on page, PDF and e-mail.

Nothing is rounded here.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from callbill.rules.money import Money, exponent
from callbill.rules.period import time_zone

LOCALE = "en_US"
_NO_BREAK = "\N{NO-BREAK SPACE}"


@lru_cache(maxsize=256)
def _pattern(places: int) -> str:
    # Decimals are ISO 4217's, not CLDR's: CLDR shows some currencies (AFN, IRR) without minor units.
    return "¤#,##0" + ("." + "0" * places if places else "")


def money(amount: Money, *, with_code: bool = False) -> str:
    """An amount: "$1,234.50", "-$42.50", "¥1,235", "KWD 1.234"; with its ISO code "$5.00 USD"."""
    code = amount.currency
    text = _currency(amount.major, code, exponent(code))
    return f"{text}{_NO_BREAK}{code}" if with_code and code not in text else text


def rate(figures: str, currency: str) -> str:
    """A rate given as plain decimal text, with all its decimals, at least the currency's: "$0.0085"."""
    value = Decimal(figures)
    places = max(exponent(currency), -int(value.normalize().as_tuple().exponent))
    return _currency(value, currency, places)


def figure(value: int | str) -> str:
    """A count or plain decimal text with thousands marked: "51,708", "7,791.8"."""
    return str(format_decimal(Decimal(value), locale=LOCALE, decimal_quantization=False))


def day(value: date) -> str:
    """A day: "1 February 2021"."""
    return str(format_date(value, "d MMMM yyyy", locale=LOCALE))


def day_in(value: datetime, zone: str) -> str:
    """The local day of an instant in an IANA zone: "1 February 2021"."""
    return day(value.astimezone(time_zone(zone)).date())


def day_and_hour(value: datetime, zone: str) -> str:
    """An instant on the wall of an IANA zone, the zone named: "1 March 2026 at 00:00 EST"."""
    local = value.astimezone(time_zone(zone))
    name = local.tzname() or zone
    return f"{day(local.date())} at {local:%H:%M} {'UTC' + name if name[0] in '+-' else name}"


def _currency(value: Decimal, code: str, places: int) -> str:
    text = str(format_currency(value, code, _pattern(places), locale=LOCALE, currency_digits=False))
    if code not in text:
        return text
    # Currencies without a symbol of their own: "KWD 1.234".
    return text.replace(code, code + _NO_BREAK).replace(_NO_BREAK * 2, _NO_BREAK)
