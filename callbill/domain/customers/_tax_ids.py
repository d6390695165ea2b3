"""Whether a tax id can be one of its country, by form and check digit (M5); nobody is asked over the net."""

from __future__ import annotations

from functools import lru_cache

from babel import Locale
from stdnum import exceptions, get_cc_module

_KINDS = ("vat", "tin", "stnr", "idnr", "pan")
_NOT_COUNTRIES = frozenset({"EU", "EZ", "UN", "ZZ", "QO", "XA", "XB"})
_OFTEN_MEANT = {"UK": "GB", "EL": "GR"}


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    codes = (str(code) for code in Locale("en").territories)
    return frozenset(code for code in codes if len(code) == 2 and code.isalpha()) - _NOT_COUNTRIES


def country_problem(country: str) -> str | None:
    """What is wrong with a country's code, in plain words; None for an ISO 3166 alpha-2 code."""
    if country in _countries():
        return None
    meant = _OFTEN_MEANT.get(country.upper(), country.upper())
    hint = f"did you mean {meant}?" if meant in _countries() else "write two capitals, such as US or DE"
    return f"{country!r} is not an ISO 3166 country code; {hint}"


def tax_id_problem(tax_id: str, country: str) -> str | None:
    """What is wrong with a tax id of that country, in plain words; None if it may be one.

    Checked by python-stdnum as a VAT number or any other tax number of the country that it knows; a country
    of which it knows none takes any text.
    """
    modules = [module for kind in _KINDS if (module := get_cc_module(country.lower(), kind)) is not None]
    problems: list[str] = []
    for module in modules:
        try:
            module.validate(tax_id)
        except exceptions.ValidationError as error:
            problems.append(_in_words(error))
        else:
            return None
    if not problems:
        return None
    name = Locale("en").territories[country]
    return f"{tax_id!r} is not a tax id of {name}: {problems[0]}"


def _in_words(error: exceptions.ValidationError) -> str:
    if isinstance(error, exceptions.InvalidChecksum):
        return "its check digit does not fit, so a character is mistyped"
    if isinstance(error, exceptions.InvalidLength):
        return "it has too few or too many characters"
    if isinstance(error, exceptions.InvalidComponent):
        return "a part of it, such as its region or date, does not exist"
    return "it has characters where they do not belong"
