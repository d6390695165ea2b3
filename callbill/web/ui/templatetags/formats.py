"""Money, figures, days and moments in templates: `lib.formats` as filters, and what only pages need."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime
from django import template

from callbill.lib import formats
from callbill.rules.money import Money
from callbill.rules.period import time_zone

register = template.Library()
_UNITS = {"call": "calls", "minute": "minutes", "month": "months"}


@register.filter
def money(amount: Money | None, style: str = "") -> str:
    """An amount: "$1,234.50"; with style "code" also its ISO code: "$5.00 USD". Nothing for None."""
    return "" if amount is None else formats.money(amount, with_code=style == "code")


@register.filter
def rate(figures: str, currency: str) -> str:
    """A rate given as plain decimal text, with all its decimals: "$0.0085"."""
    return formats.rate(figures, currency)


@register.filter
def figure(value: int | str | None) -> str:
    """A count or plain decimal text with thousands marked: "51,708". Nothing for None."""
    return "" if value is None or value == "" else formats.figure(value)


@register.filter
def units(quantity: str, unit: str) -> str:
    """How much of what: "721 calls", "1 month", "7,791.8 minutes"; nothing for what is not counted."""
    if unit not in _UNITS:
        return ""
    return f"{formats.figure(quantity)} {unit if Decimal(quantity) == 1 else _UNITS[unit]}"


@register.filter
def day(value: date | None) -> str:
    """A day: "1 February 2021"."""
    return "" if value is None else formats.day(value)


@register.filter
def short_day(value: date | None) -> str:
    """A day in a table: "1 Feb 2021"."""
    return "" if value is None else str(format_date(value, "d MMM yyyy", locale=formats.LOCALE))


@register.filter
def moment(value: datetime | None, zone: str = "UTC") -> str:
    """An instant on the wall of `zone`, the zone named: "1 Feb 2021, 09:00 EST"."""
    if value is None:
        return ""
    local = value.astimezone(time_zone(zone))
    name = local.tzname() or zone  # "EST", "CEST"; Babel knows such names for America only
    text = format_datetime(local, "d MMM yyyy, HH:mm", tzinfo=local.tzinfo, locale=formats.LOCALE)
    return f"{text} {'UTC' + name if name[0] in '+-' else name}"


@register.filter
def day_in(value: datetime | None, zone: str = "UTC") -> str:
    """The local day of an instant in `zone`: "1 February 2021"."""
    return "" if value is None else formats.day_in(value, zone)
