"""Holiday calendars: which there are, which days they have, and whose contracts name them (M14)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from callbill.domain.contracts.models import ContractVersion, Holiday, HolidayCalendar
from callbill.domain.customers.models import Company
from callbill.rules.counting import Calendars
from callbill.rules.period import Period
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar as a page shows it."""

    key: str
    name: str
    days: tuple[date, ...]


def names_in(terms: Terms) -> tuple[str, ...]:
    """The calendars that the terms name, in order, each once."""
    names = (charge.scope.holidays for charge in terms.usage)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def calendars_for(terms: Terms, span: Period) -> Calendars:
    """The days of the calendars that the terms name, as far as calls of the span can fall on them.

    That includes a day before it: where clocks repeat the hour before midnight, that hour is billed in the
    new day and has the old date on the wall. A calendar that does not exist is not there.
    """
    names = names_in(terms)
    if not names:
        return {}
    found: dict[str, set[date]] = {
        key: set() for key in HolidayCalendar.objects.filter(key__in=names).values_list("key", flat=True)
    }
    days = Holiday.objects.filter(
        calendar__key__in=names, day__gte=span.first_day - timedelta(days=1), day__lte=span.end_day
    )
    for key, day in days.values_list("calendar__key", "day"):
        found[key].add(day)
    return {key: frozenset(found[key]) for key in names if key in found}


def unknown_calendars(terms: Terms) -> list[Problem]:
    """A problem for every charge that names a calendar nobody keeps."""
    kept = sorted(HolidayCalendar.objects.values_list("key", flat=True))
    return [
        Problem(
            f"usage[{index}].scope.holidays",
            f"there is no holiday calendar {charge.scope.holidays!r}; "
            f"staff keep {', '.join(kept) or 'none'}: add it to the customers file as [[calendar]]",
        )
        for index, charge in enumerate(terms.usage)
        if charge.scope.holidays is not None and charge.scope.holidays not in kept
    ]


def views(names: Iterable[str]) -> Mapping[str, CalendarView]:
    """Calendars by their keys, each with all its days."""
    rows = HolidayCalendar.objects.filter(key__in=list(names)).prefetch_related("holidays")
    return {
        row.key: CalendarView(row.key, row.name, tuple(holiday.day for holiday in row.holidays.all()))
        for row in rows
    }


def naming(key: str) -> list[UUID]:
    """The companies with a contract of which a version names the calendar."""
    usage = [{"scope": {"holidays": key}}]
    named = ContractVersion.objects.filter(document__contains={"usage": usage})
    contracts = set(named.values_list("contract__company_id", "contract__organization_id"))
    own = {company for company, _ in contracts if company is not None}
    organizations = {organization for _, organization in contracts if organization is not None}
    shared = Company.objects.filter(organization_id__in=organizations).values_list("id", flat=True)
    return [*own, *(company for company in shared if company not in own)]
