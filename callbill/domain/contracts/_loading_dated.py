"""Bringing holiday calendars, quantities and tax statuses to what a customers file says.

What priced days that have been billed does not change any more: it is refused, with the day from which on a
new value can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Protocol
from uuid import UUID

from callbill.domain.contracts._calendars import naming
from callbill.domain.contracts._loading_facts import CalendarSpec, QuantitySpec, TaxStatusSpec
from callbill.domain.contracts.models import Holiday, HolidayCalendar
from callbill.domain.customers.models import BillableEntity, Company, QuantityHistory, TaxStatus
from callbill.rules.terms import QuantityOverTime, Terms

BilledUntil = Callable[[UUID], date | None]
"""The first day of a company that no invoice has billed; None if nothing of it was billed."""


class Notes(Protocol):
    """Where a load writes down what it did and what it could not do."""

    def done(self, kind: str, outcome: str) -> None:
        """Count one thing as added, changed or unchanged."""

    def problem(self, path: str, message: str) -> None:
        """Note a mistake."""


def billed_until_of(companies: Iterable[UUID], billed_until: BilledUntil) -> date | None:
    """The latest day until which one of the companies has been billed."""
    days = [day for company in companies if (day := billed_until(company)) is not None]
    return max(days, default=None)


def save_calendars(specs: Sequence[CalendarSpec], notes: Notes, billed_until: BilledUntil) -> None:
    """A calendar in the file becomes exactly the days it has there."""
    for index, spec in enumerate(specs):
        row, made = HolidayCalendar.objects.get_or_create(key=spec.key, defaults={"name": spec.name})
        there = set(row.holidays.values_list("day", flat=True))
        wanted = set(spec.days)
        billed = None if made else billed_until_of(naming(spec.key), billed_until)
        gone_by = sorted(day for day in there ^ wanted if billed is not None and day < billed)
        if gone_by:
            told = ", ".join(str(day) for day in gone_by)
            notes.problem(
                f"calendar[{index}].days",
                f"the days until {_before(billed)} have been billed by this calendar and stay as they were: "
                f"{told} cannot be added or taken out",
            )
            continue
        Holiday.objects.filter(calendar=row, day__in=there - wanted).delete()
        Holiday.objects.bulk_create(Holiday(calendar=row, day=day) for day in sorted(wanted - there))
        if row.name != spec.name:
            row.name = spec.name
            row.save(update_fields=["name"])
            there = set()
        notes.done("calendar", "added" if made else "unchanged" if there == wanted else "changed")


def save_quantities(
    path: str, company: Company, specs: Sequence[QuantitySpec], notes: Notes, billed_until: BilledUntil
) -> None:
    """Add and change the values of the file; days that it does not name are left alone."""
    billed = billed_until(company.id)
    for spec in specs:
        row = QuantityHistory.objects.filter(company=company, key=spec.of, from_date=spec.from_date).first()
        if row is not None and row.value == spec.value:
            notes.done("quantity", "unchanged")
        elif billed is not None and spec.from_date < billed:
            was = f"is {row.value.normalize():f}" if row else "was not told"
            notes.problem(
                f"{path}.quantity",
                f"{spec.of} from {spec.from_date} {was}, and the days until {_before(billed)} have been "
                f"billed: it stays; give the new value a date from {billed} on",
            )
        elif row is None:
            QuantityHistory.objects.create(
                company=company, key=spec.of, from_date=spec.from_date, value=spec.value
            )
            notes.done("quantity", "added")
        else:
            row.value = spec.value
            row.save(update_fields=["value"])
            notes.done("quantity", "changed")


def check_quantities(path: str, company: Company, versions: Sequence[Terms], notes: Notes) -> None:
    """Every quantity that a fee counts is known from the day on which a version first names it."""
    named: dict[str, tuple[date, str]] = {}
    for terms in versions:
        for fee in terms.fees:
            if isinstance(fee.quantity, QuantityOverTime):
                named.setdefault(fee.quantity.of, (terms.effective_from, fee.id))
    for key, (day, fee_id) in named.items():
        first = QuantityHistory.objects.filter(company=company, key=key).order_by("from_date").first()
        if first is None or first.from_date > day:
            known = f"is told from {first.from_date} on" if first else "is not told"
            notes.problem(
                f"{path}.quantity",
                f"the fee {fee_id} counts {key}, and how many {company.name} has {known}: add "
                f'[[company.quantity]] with of = "{key}", from = {day} or earlier (value = 0 if none)',
            )


def save_tax_statuses(
    path: str,
    payer: BillableEntity,
    specs: Sequence[TaxStatusSpec],
    notes: Notes,
    billed_until: BilledUntil,
) -> None:
    """Add and change the statuses of the file; no two of a payer's may hold on one day."""
    billed = billed_until_of(payer.assignments.values_list("company_id", flat=True), billed_until)
    for spec in specs:
        row = TaxStatus.objects.filter(payer=payer, from_date=spec.from_date).first()
        said = {"kind": spec.kind, "certificate": spec.certificate, "reason": spec.reason}
        if row is not None and all(getattr(row, name) == value for name, value in said.items()):
            if row.until_date == spec.until_date:
                notes.done("tax status", "unchanged")
                continue
            first_changed = min(day for day in (row.until_date, spec.until_date) if day is not None) + _DAY
        else:
            first_changed = spec.from_date
        if billed is not None and first_changed < billed:
            notes.problem(
                f"{path}.tax_status",
                f"the status from {spec.from_date} would change days that have been billed, "
                f"until {_before(billed)}: it stays; end it on {_before(billed)} or later, "
                "and begin another after it",
            )
            continue
        _, made = TaxStatus.objects.update_or_create(
            payer=payer, from_date=spec.from_date, defaults={**said, "until_date": spec.until_date}
        )
        notes.done("tax status", "added" if made else "changed")
    held = list(payer.tax_statuses.order_by("from_date"))
    for one, following in pairwise(held):
        if one.until_date is None or one.until_date >= following.from_date:
            notes.problem(
                f"{path}.tax_status",
                f"two tax statuses of {payer.name} hold on {following.from_date}; "
                f"end the one from {one.from_date} before it",
            )


_DAY = timedelta(days=1)


def _before(day: date | None) -> date:
    assert day is not None, "something has been billed"
    return day - _DAY
