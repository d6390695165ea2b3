"""Reading the dated facts of a customers file: holiday calendars, quantities, tax statuses, tax ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from callbill.domain.contracts._loading_tables import Tables, is_day
from callbill.domain.customers.queries import country_problem, tax_id_problem

_TAX_KINDS = ("exempt", "reverse_charge")
_DECIMALS = 12
_DIGITS_BEFORE = 12


@dataclass(frozen=True, slots=True)
class CalendarSpec:
    """A holiday calendar with all its days."""

    key: str
    name: str
    days: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class QuantitySpec:
    """From `from_date` on the company has `value` of `of`."""

    of: str
    from_date: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class TaxStatusSpec:
    """An exemption or a reverse charge, from its first day to its last (None: no end)."""

    kind: str
    certificate: str
    reason: str
    from_date: date
    until_date: date | None


def calendars(tables: Tables, entries: Any) -> list[CalendarSpec]:
    """The `[[calendar]]` tables."""
    found = []
    for path, entry in tables.tables("calendar", entries):
        tables.keys(path, entry, ("key", "name", "days"))
        days = entry.get("days")
        if not isinstance(days, list) or not all(is_day(day) for day in days):
            tables.problem(f"{path}.days", "must be a list of dates without quotes: [2026-01-01, 2026-07-04]")
            days = []
        for day in _repeated(days):
            tables.problem(f"{path}.days", f"{day} is there twice")
        key = tables.key(path, entry)
        name = tables.text(path, entry, "name", required=True)
        found.append(CalendarSpec(key, name, tuple(sorted(days))))
    for key in _repeated([calendar.key for calendar in found if calendar.key]):
        tables.problem("calendar", f"the key {key!r} is there twice; every calendar has its own")
    return found


def quantities(tables: Tables, party: str, entries: Any) -> tuple[QuantitySpec, ...]:
    """The `[[company.quantity]]` tables of one company."""
    found = []
    for path, entry in tables.tables(f"{party}.quantity", entries):
        tables.keys(path, entry, ("of", "from", "value"))
        of = tables.key(path, entry, "of")
        day = tables.day(path, entry, "from", required=True)
        value = _quantity(tables, path, entry)
        if of and day is not None and value is not None:
            found.append(QuantitySpec(of, day, value))
    for of, day in _repeated([(each.of, each.from_date) for each in found]):
        tables.problem(f"{party}.quantity", f"{of} has two values from {day}; each day has one")
    return tuple(sorted(found, key=lambda each: (each.of, each.from_date)))


def tax_statuses(tables: Tables, party: str, entries: Any, *, tax_id: str) -> tuple[TaxStatusSpec, ...]:
    """The `[[….tax_status]]` tables of one payer, by date (M5)."""
    found = []
    for path, entry in tables.tables(f"{party}.tax_status", entries):
        tables.keys(path, entry, ("kind", "certificate", "reason", "from", "until"))
        kind = tables.text(path, entry, "kind", required=True)
        if kind and kind not in _TAX_KINDS:
            tables.problem(f"{path}.kind", f"{kind!r} is not a tax status; write {' or '.join(_TAX_KINDS)}")
        certificate = tables.text(path, entry, "certificate", required=kind == "exempt")
        if kind == "reverse_charge" and not tax_id:
            tables.problem(
                f"{party}.tax_id",
                "is missing: a payer that accounts for the tax itself does so under its tax id",
            )
        first = tables.day(path, entry, "from", required=True)
        last = tables.day(path, entry, "until")
        if first is not None and last is not None and last < first:
            tables.problem(f"{path}.until", f"{last} is before its first day, {first}")
        reason = tables.text(path, entry, "reason")
        for key, text, most in (("certificate", certificate, 100), ("reason", reason, 200)):
            if len(text) > most:
                tables.problem(f"{path}.{key}", f"may have {most} characters; it has {len(text)}")
        if first is not None and kind in _TAX_KINDS:
            found.append(TaxStatusSpec(kind, certificate, reason, first, last))
    return tuple(sorted(found, key=lambda each: each.from_date))


def tax_id_of(tables: Tables, path: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """A party's tax id and country; the id is checked if the country is said."""
    tax_id, country = tables.text(path, entry, "tax_id"), tables.text(path, entry, "country")
    if not country:
        return tax_id, ""
    wrong = country_problem(country)
    if wrong:
        tables.problem(f"{path}.country", wrong)
    elif tax_id and (wrong := tax_id_problem(tax_id, country)):
        tables.problem(f"{path}.tax_id", wrong)
    return tax_id, country


def _quantity(tables: Tables, path: str, entry: Mapping[str, Any]) -> Decimal | None:
    """A whole number, or a decimal as text."""
    given = entry.get("value")
    if given is None:
        tables.problem(f"{path}.value", "is missing")
        return None
    try:
        value = Decimal(given) if type(given) in (int, str) else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite():
        tables.problem(f"{path}.value", 'must be a whole number, or a decimal in quotes such as "2.5"')
        return None
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "the value is finite"
    if value < 0:
        tables.problem(f"{path}.value", f"must not be negative; it is {given}")
    elif -exponent > _DECIMALS or value.adjusted() >= _DIGITS_BEFORE:
        tables.problem(
            f"{path}.value", f"may have {_DIGITS_BEFORE} digits before the point and {_DECIMALS} decimals"
        )
    else:
        return value
    return None


def _repeated(values: Sequence[Any]) -> list[Any]:
    return sorted({value for value in values if values.count(value) > 1})
