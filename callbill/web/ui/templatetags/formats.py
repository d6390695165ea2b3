"""Money, days and moments as people read them (Babel); nothing is rounded here."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from django import template

from callbill.rules.money import Money, exponent
from callbill.rules.period import time_zone

register = template.Library()
_LOCALE = "en_US"
_NO_BREAK = "\N{NO-BREAK SPACE}"


@lru_cache(maxsize=64)
def _pattern(currency: str) -> str:
    # Decimals are ISO 4217's, not CLDR's: CLDR shows some currencies (AFN, IRR) without minor units.
    places = exponent(currency)
    return "¤#,##0" + ("." + "0" * places if places else "")


@register.filter
def money(amount: Money | None, style: str = "") -> str:
    """An amount as "$1,234.50", "-$42.50", "¥1,235"; with style "code" also its ISO code: "$5.00 USD".

    Nothing for None. Currencies whose symbol is their code read "KWD 1.234".
    """
    if amount is None:
        return ""
    code = amount.currency
    text = str(format_currency(amount.major, code, _pattern(code), locale=_LOCALE, currency_digits=False))
    if code in text:
        return text.replace(code, code + _NO_BREAK).replace(_NO_BREAK * 2, _NO_BREAK)
    return f"{text}{_NO_BREAK}{code}" if style == "code" else text


@register.filter
def rate(figure: str, currency: str) -> str:
    """A rate given as plain decimal text with every decimal it has, at least the currency's: "$0.0085"."""
    value = Decimal(figure)
    places = max(exponent(currency), -int(value.normalize().as_tuple().exponent))
    pattern = "¤#,##0" + ("." + "0" * places if places else "")
    text = str(format_currency(value, currency, pattern, locale=_LOCALE, currency_digits=False))
    return text.replace(currency, currency + _NO_BREAK)


@register.filter
def figure(value: int | str | None) -> str:
    """A count or plain decimal text with thousands marked: "51,708", "7,791.8"."""
    if value is None or value == "":
        return ""
    return str(format_decimal(Decimal(value), locale=_LOCALE, decimal_quantization=False))


_UNITS = {"call": "calls", "minute": "minutes", "month": "months"}


@register.filter
def units(quantity: str, unit: str) -> str:
    """How much of what: "721 calls", "1 month", "7,791.8 minutes"; nothing for what is not counted."""
    if unit not in _UNITS:
        return ""
    return f"{figure(quantity)} {unit if Decimal(quantity) == 1 else _UNITS[unit]}"


@register.filter
def day(value: date | None) -> str:
    """A day: "1 February 2021"."""
    return "" if value is None else str(format_date(value, "d MMMM yyyy", locale=_LOCALE))


@register.filter
def short_day(value: date | None) -> str:
    """A day in a table: "1 Feb 2021"."""
    return "" if value is None else str(format_date(value, "d MMM yyyy", locale=_LOCALE))


@register.filter
def moment(value: datetime | None, zone: str = "UTC") -> str:
    """An instant on the wall of `zone`, the zone named: "1 Feb 2021, 09:00 EST"."""
    if value is None:
        return ""
    local = value.astimezone(time_zone(zone))
    name = local.tzname() or zone  # "EST", "CEST"; Babel knows such names for America only
    text = format_datetime(local, "d MMM yyyy, HH:mm", tzinfo=local.tzinfo, locale=_LOCALE)
    return f"{text} {'UTC' + name if name[0] in '+-' else name}"


@register.filter
def day_in(value: datetime | None, zone: str = "UTC") -> str:
    """The local day of an instant in `zone`: "1 February 2021"."""
    return "" if value is None else day(value.astimezone(time_zone(zone)).date())
