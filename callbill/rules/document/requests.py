"""What a quote is asked: a contract, a billing period, and calls or quantities. All mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from callbill.rules.counting import Calendars
from callbill.rules.document import DocumentErrors, read_terms
from callbill.rules.document._calendar import Day
from callbill.rules.document._kind import Bad, Reading, did_you_mean, listed, quoted, show, step
from callbill.rules.document._numbers import Quantity as QuantityKind
from callbill.rules.document.calls import CanonicalCall, missing_for, read_call
from callbill.rules.period import Period, period_named
from callbill.rules.prices import Quantity
from callbill.rules.terms import QuantityOverTime, Terms
from callbill.rules.unpriced import unpriced

_KEYS = ("contract", "period", "from", "until", "quantity", "calls", "quantity_history", "holidays")


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """One question, well formed. `span` is the part of `period` that is priced.

    `quantities` are by charge id, `calls` as given without repetitions; one of them is None. `history` are
    the quantities over time of fees, by name, and `calendars` the holiday calendars, by name.
    """

    terms: Terms
    period: Period
    span: Period
    quantities: Mapping[str, Quantity] | None
    calls: tuple[CanonicalCall, ...] | None
    history: Mapping[str, tuple[tuple[date, Decimal], ...]] = field(default_factory=dict)
    calendars: Calendars = field(default_factory=dict)


def read_request(data: object) -> QuoteRequest:
    """The request a JSON object makes. Raises DocumentErrors with every mistake in it.

    Mistakes in the contract have the paths they have in the contract's own file.
    """
    reading = Reading()
    if not isinstance(data, Mapping):
        reading.report("", f"is {show(data)}; a request is an object with {listed(_KEYS, 'and')}")
        raise DocumentErrors(reading.problems)
    _report_unknown(data, reading)
    terms = _contract(data, reading)
    calls = _calls(data["calls"], terms, reading) if data.get("calls") is not None else None
    history = _histories(data.get("quantity_history"), reading)
    quantities = _quantities(data.get("quantity"), terms, history, reading) if calls is None else None
    if data.get("calls") is not None and data.get("quantity") is not None:
        reading.report("quantity", 'stands beside "calls"; give the calls or the quantities, not both')
    calendars = _calendars(data.get("holidays"), reading)
    periods = _periods(data, terms, reading)
    if terms is not None and periods is not None:
        _report_missing(terms, periods[1], history, None if calls is None else calendars, reading)
    if reading.problems or terms is None or periods is None:
        raise DocumentErrors(reading.problems)
    return QuoteRequest(terms, *periods, quantities, calls, history, calendars)


def _report_unknown(data: Mapping[Any, Any], reading: Reading) -> None:
    for key in (str(key) for key in data):
        if key not in _KEYS:
            near = did_you_mean(key, _KEYS)
            hint = f"did you mean {quoted(near)}?" if near else f"the keys are {listed(_KEYS, 'and')}"
            reading.report(step("", key), f"is not a key of a request; {hint}")


def _contract(data: Mapping[str, Any], reading: Reading) -> Terms | None:
    if "contract" not in data:
        reading.report("contract", "is missing; write the contract, as its file has it")
        return None
    if not isinstance(data["contract"], Mapping):
        reading.report(
            "contract", f"is {show(data['contract'])}; it must be the contract, as its file has it"
        )
        return None
    try:
        terms = read_terms(data["contract"])
    except DocumentErrors as errors:
        reading.problems += errors.problems
        return None
    reading.problems += unpriced(terms)
    return terms


def _periods(data: Mapping[str, Any], terms: Terms | None, reading: Reading) -> tuple[Period, Period] | None:
    """The billing period and the part of it that is priced, or None after reporting what is wrong."""
    bounds: dict[str, date | None] = {}
    for key in ("from", "until"):
        day = Day().read(data[key], key, reading) if data.get(key) is not None else None
        if isinstance(day, Bad):
            return None
        bounds[key] = day
    name = data.get("period")
    rule = 'it must be the month in which the billing period starts, as in "2026-03"'
    if name is None:
        reading.report("period", 'is missing; write the month in which it starts, as in "2026-03"')
        return None
    try:
        period = period_named(str(name), *((terms.billing_day, terms.time_zone) if terms else (1, "UTC")))
        if not 1970 <= period.first_day.year <= 2999:
            raise ValueError("a year in which there are no contracts")
    except ValueError:
        reading.report("period", f"is {show(name)}; {rule}")
        return None
    first, end = bounds["from"] or period.first_day, bounds["until"] or period.end_day
    if terms is None:
        return None  # where the period begins depends on the contract
    return _narrowed(period, first, end, reading)


def _narrowed(period: Period, first: date, end: date, reading: Reading) -> tuple[Period, Period] | None:
    inside = f"the billing period is {period.first_day} until before {period.end_day}"
    if not period.first_day <= first < period.end_day:
        reading.report("from", f"is {first}, outside the period; {inside}")
        return None
    if not period.first_day < end <= period.end_day:
        reading.report("until", f"is {end}, the day after the last, and outside the period; {inside}")
        return None
    if end <= first:
        reading.report("until", f"is {end}; it is the day after the last and must lie after from, {first}")
        return None
    return period, period.part(first, end)


def _quantities(
    value: object,
    terms: Terms | None,
    history: dict[str, tuple[tuple[date, Decimal], ...]],
    reading: Reading,
) -> dict[str, Quantity]:
    """The quantities by charge. One named like a fee's quantity over time goes into `history`, constant."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        rule = 'it must be an object of charge ids, as in {"inbound": "6200"}'
        reading.report("quantity", f"is {show(value)}; {rule}")
        return {}
    units = {charge.id: charge.unit for charge in terms.usage} if terms else None
    over_time = _over_time(terms) if terms else {}
    quantities: dict[str, Quantity] = {}
    for name in value:
        path = step("quantity", str(name))
        number = QuantityKind().read(value[name], path, reading)
        if units is None or isinstance(number, Bad):
            continue
        if name not in units and name in over_time:
            if name in history:
                reading.report(path, 'stands beside its "quantity_history"; give one of them')
            history[name] = ((date.min, number),)
            continue
        if name not in units:
            there = f"its charges are {listed(units, 'and')}" if units else "it has none"
            reading.report(path, f"is for a usage charge that the contract does not have; {there}")
            continue
        try:
            quantities[name] = Quantity.stated(number, units[name])
        except ValueError:
            reading.report(
                path, f"is {show(value[name])}, but {quoted(name)} is priced per call; calls are whole"
            )
    return quantities


def _calls(value: object, terms: Terms | None, reading: Reading) -> tuple[CanonicalCall, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        reading.report("calls", f"is {show(value)}; it must be a list of calls")
        return ()
    kept: dict[tuple[str, str, str], tuple[int, CanonicalCall]] = {}
    for index, entry in enumerate(value):
        path = f"calls[{index}]"
        call = read_call(entry, path, reading)
        if call is None:
            continue
        for key, message in missing_for(call, terms) if terms else ():
            reading.report(f"{path}.{key}", message)
        first, same = kept.setdefault(call.key, (index, call))
        if same != call:
            rule = "a call bills once, so which of the two is right?"
            reading.report(
                f"{path}.id", f"is {quoted(call.id)}, which calls[{first}] has too, told differently; {rule}"
            )
    return tuple(call for _, call in kept.values())


def _over_time(terms: Terms) -> dict[str, int]:
    """The names of the quantities over time that fees take theirs from, with the first fee's place."""
    found: dict[str, int] = {}
    for index, fee in enumerate(terms.fees):
        if isinstance(fee.quantity, QuantityOverTime):
            found.setdefault(fee.quantity.of, index)
    return found


def _histories(value: object, reading: Reading) -> dict[str, tuple[tuple[date, Decimal], ...]]:
    if value is None:
        return {}
    rule = 'it must be an object of days and values, as in {"seats": {"2026-03-01": "12"}}'
    if not isinstance(value, Mapping):
        reading.report("quantity_history", f"is {show(value)}; {rule}")
        return {}
    histories: dict[str, tuple[tuple[date, Decimal], ...]] = {}
    for name in value:
        path = step("quantity_history", str(name))
        if not isinstance(value[name], Mapping) or not value[name]:
            reading.report(path, f"is {show(value[name])}; {rule}")
            continue
        entries = []
        for given in value[name]:
            day = Day().read(given, step(path, str(given)), reading)
            number = QuantityKind().read(value[name][given], step(path, str(given)), reading)
            if not isinstance(day, Bad) and not isinstance(number, Bad):
                entries.append((day, number))
        histories[str(name)] = tuple(sorted(entries))
    return histories


def _calendars(value: object, reading: Reading) -> dict[str, frozenset[date]]:
    if value is None:
        return {}
    rule = 'it must be an object of calendars, as in {"us-federal": ["2026-07-03"]}'
    if not isinstance(value, Mapping):
        reading.report("holidays", f"is {show(value)}; {rule}")
        return {}
    calendars: dict[str, frozenset[date]] = {}
    for name, days in value.items():
        path = step("holidays", str(name))
        if isinstance(days, str | Mapping) or not isinstance(days, Sequence):
            reading.report(path, f"is {show(days)}; {rule}")
            continue
        read = [Day().read(day, f"{path}[{index}]", reading) for index, day in enumerate(days)]
        calendars[str(name)] = frozenset(day for day in read if not isinstance(day, Bad))
    return calendars


def _report_missing(
    terms: Terms,
    span: Period,
    history: Mapping[str, tuple[tuple[date, Decimal], ...]],
    calendars: Calendars | None,
    reading: Reading,
) -> None:
    """What the terms take from elsewhere and the request does not give. Calendars only to count calls."""
    for name, index in _over_time(terms).items():
        entries = history.get(name)
        path = f"fee[{index}].quantity.of"
        if entries is None:
            hint = f'give it in "quantity", as in {{{quoted(name)}: "12"}}, or in "quantity_history"'
            reading.report(path, f"is {quoted(name)}, of which the request says nothing; {hint}")
        elif entries and entries[0][0] > span.first_day:
            hint = f"say also what held on {span.first_day}"
            reading.report(path, f"is {quoted(name)}, whose history begins on {entries[0][0]}; {hint}")
    for index, charge in enumerate(terms.usage):
        name = charge.scope.holidays or ""
        if name and calendars is not None and name not in calendars:
            hint = f'give its days in "holidays", as in {{{quoted(name)}: ["2026-07-03"]}}'
            path = f"usage[{index}].scope.holidays"
            reading.report(path, f"is {quoted(name)}, a calendar the request does not have; {hint}")
