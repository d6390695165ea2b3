"""A draft contract version tried on billing periods that are over, writing nothing.

Each period is priced as its invoice would have been: the same fees in advance fall due in it, set-up fees
on a company's first one, and tax is rounded over the companies of one invoice. Against it stands what was
invoiced for the period, late calls included; approved adjustments and credits stand outside on both sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from django.db.models import Min, Prefetch

from callbill.domain.contracts import queries as contracts
from callbill.domain.customers import queries as customers
from callbill.domain.customers.models import BillableEntity, Company, PayerAssignment
from callbill.domain.invoicing._backtest import (
    Backtest,
    BacktestLine,
    BacktestRefused,
    BacktestRow,
    Charged,
    LeftOut,
)
from callbill.domain.invoicing._backtest_pricing import Case, calendars_of, in_force, under_the_draft
from callbill.domain.invoicing._periods import Cycle, current_period
from callbill.domain.invoicing._pricing import LATE
from callbill.domain.invoicing.models import InvoiceLine, Stretch
from callbill.rules.counting import Count, UnknownCalendar, missing_calendars
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.lines import MINIMUM
from callbill.rules.money import Money
from callbill.rules.period import Period, following, period_containing, preceding
from callbill.rules.problem import Problem
from callbill.rules.rating import unpriced
from callbill.rules.terms import QuantityOverTime, Terms
from callbill.rules.totals import Rated

MOST_MONTHS = 36
_FIELD_OF = {"usage": "usage", "fee": "fees", "minimum": "minimum", "discount": "discounts"}
_NOT_ISSUED = (InvoiceStatus.DRAFT, InvoiceStatus.VOID)

LineKey = tuple[str, str]
Payers = Sequence[tuple[date, BillableEntity]]
"""Who pays for a company from which day on, by day."""


def backtest(*, terms: Terms, company_ids: Sequence[UUID] | None, months: int, now: datetime) -> Backtest:
    """What companies (None: all) would have paid under `terms` in each of their last `months` closed periods.

    `now` is an aware instant. Of all companies, those the draft does not fit are left out and named; of
    companies that were asked for, each must fit. A draft that pools is priced over those that are tried.
    Raises BacktestRefused with every reason. Unscoped: for staff and commands.
    """
    problems = unpriced(terms)
    if not 1 <= months <= MOST_MONTHS:
        problems.append(Problem("months", f"is {months}; it must be 1 to {MOST_MONTHS}"))
    if problems:
        raise BacktestRefused(problems)
    cases: list[Case] = []
    left_out: list[LeftOut] = []
    every = Company.objects.order_by("name", "key")
    companies = list(every if company_ids is None else every.filter(id__in=list(company_ids)))
    payers = _payers(companies)
    for company in companies:
        try:
            cases += _cases(company, terms, months, payers[company.id], now)
        except _DoesNotFit as reason:
            left_out.append(LeftOut(company.key, company.name, reason.words))
            problems.append(Problem(reason.key, f"{company.name} {reason.words}"))
    if (company_ids is not None and problems) or not cases:
        raise BacktestRefused(problems or [Problem("company", "there is no company to try the draft on")])
    calendars = calendars_of(cases, terms)
    if missing := missing_calendars(terms, calendars):
        raise BacktestRefused([Problem("usage.scope.holidays", str(UnknownCalendar(missing)))])
    _add_stored(cases)
    would_pay, counted = under_the_draft(cases, terms, calendars)
    given = in_force([case for case in cases if not case.of_period])
    rows = tuple(_row(case, counted[case.key], given.get(case.key), would_pay[case.key]) for case in cases)
    return Backtest(terms.currency, months, rows, tuple(left_out))


class _DoesNotFit(Exception):
    def __init__(self, key: str, words: str) -> None:
        self.key, self.words = key, words
        super().__init__(words)


def _payers(companies: Sequence[Company]) -> dict[UUID, list[tuple[date, BillableEntity]]]:
    """Who pays for each of the companies: one query for all."""
    payers: dict[UUID, list[tuple[date, BillableEntity]]] = {company.id: [] for company in companies}
    rows = PayerAssignment.objects.filter(company__in=companies).select_related("payer")
    for row in rows.order_by("from_date"):
        payers[row.company_id].append((row.from_date, row.payer))
    return payers


def _payer(payers: Payers, period: Period) -> BillableEntity | None:
    """Who pays for a period: whoever does on its first day, else the first to pay in it (M31)."""
    before = [payer for since, payer in payers if since <= period.first_day]
    inside = [payer for since, payer in payers if period.first_day < since < period.end_day]
    return before[-1] if before else next(iter(inside), None)


def _cases(company: Company, terms: Terms, months: int, payers: Payers, now: datetime) -> list[Case]:
    """The company's last closed periods that it had a contract in, oldest first. Raises _DoesNotFit."""
    versions = contracts.versions_for(company.id)
    if not versions:
        raise _DoesNotFit("company", "has no contract yet")
    if other := sorted({version.currency for version in versions} - {terms.currency}):
        raise _DoesNotFit("currency", f"pays in {', '.join(other)}, and the draft is in {terms.currency}")
    cycle = Cycle(versions[-1].time_zone, versions[-1].billing_day)
    if cycle.zone != terms.time_zone:
        raise _DoesNotFit("time_zone", f"is billed in {cycle.zone}, and the draft is in {terms.time_zone}")
    if cycle.billing_day != terms.billing_day:
        raise _DoesNotFit(
            "billing_day", f"has billing day {cycle.billing_day}, and the draft {terms.billing_day}"
        )
    period = current_period(cycle, now)
    cases: list[Case] = []
    for _ in range(months):
        period = preceding(period, cycle.billing_day)
        if period.end_day <= versions[0].effective_from:
            break
        payer = _payer(payers, period)
        goes_on = payer is not None and payer == _payer(payers, following(period, cycle.billing_day))
        cases.append(Case(company, period, versions, payer, goes_on))
    if not cases:
        raise _DoesNotFit("company", f"has had no whole billing period since {versions[0].effective_from}")
    _check_quantities(cases[-1], terms)
    return cases[::-1]


def _check_quantities(oldest: Case, terms: Terms) -> None:
    """Fees over a dated quantity need its history from the first day on. Raises _DoesNotFit."""
    for index, fee in enumerate(terms.fees):
        if not isinstance(fee.quantity, QuantityOverTime):
            continue
        key, first = fee.quantity.of, oldest.span.first_day
        histories = customers.quantity_histories(oldest.company.id, [key], before=oldest.period.end_day)
        if not any(since <= first for since, _ in histories.get(key, ())):
            path = f"fee[{index}].quantity"
            raise _DoesNotFit(path, f"has no history of {key} that says what held on {first}")


def _add_stored(cases: Sequence[Case]) -> None:
    """Give each case what was invoiced for its period, and say which was the company's first."""
    by_key = {case.key: case for case in cases}
    billing_day = {case.company.id: case.versions[-1].billing_day for case in cases}
    issued = Stretch.objects.filter(section__company_id__in=list(billing_day)).exclude(
        section__invoice__status__in=_NOT_ISSUED
    )
    firsts = issued.filter(kind="period").values_list("section__company_id").annotate(Min("first_day"))
    first_billed = dict(firsts.order_by())
    found = (
        issued.filter(
            first_day__gte=min(case.period.first_day for case in cases),
            end_day__lte=max(case.period.end_day for case in cases),
        )
        .select_related("section__invoice")
        .defer("terms", "section__invoice__payer_snapshot", "section__invoice__seller_snapshot")
        .prefetch_related(Prefetch("lines", InvoiceLine.objects.defer("derivation")))
        .order_by("-kind", "first_day", "id")  # "period" before "late"
    )
    for stretch in found:
        company_id, zone = stretch.section.company_id, stretch.section.invoice.time_zone
        period = period_containing(stretch.first_day, billing_day[company_id], zone)
        if case := by_key.get((company_id, period.first_day)):
            case.stretches.append(stretch)
    for case in cases:
        begins = first_billed.get(case.company.id) or case.versions[0].effective_from
        case.is_first = case.period.first_day <= begins < case.period.end_day


class _Side:
    """Adds up the lines of one side of a row."""

    def __init__(self) -> None:
        self.sums: dict[str, int] = defaultdict(int)
        self.lines: dict[LineKey, tuple[str, int]] = {}

    def add(self, kind: str, charge: str, name: str, amount: int, tax: int) -> None:
        """One line; those of the same charge are taken together."""
        self.sums[_FIELD_OF[kind]] += amount
        self.sums["tax"] += tax
        known_as, so_far = self.lines.get((kind, charge), (name, 0))
        self.lines[kind, charge] = (known_as, so_far + amount)

    @classmethod
    def of_rated(cls, rated: Sequence[Rated]) -> _Side:
        """Priced lines."""
        side = cls()
        for line in (line for part in rated for line in part.lines):
            side.add(line.kind, line.charge, line.name, line.amount, line.tax)
        return side

    @classmethod
    def of_stored(cls, lines: Iterable[InvoiceLine]) -> _Side:
        """Issued lines; late calls count to their charge, adjustments do not count."""
        side = cls()
        for line in lines:
            kind = line.kind
            if kind == LATE:
                kind = "minimum" if line.charge == MINIMUM else "usage"
            if kind in _FIELD_OF:
                side.add(kind, line.charge, line.name, line.amount_minor, line.tax_minor)
        return side


def _row(case: Case, count: Count, given: Sequence[Rated] | None, would_pay: Sequence[Rated]) -> BacktestRow:
    currency = would_pay[0].currency
    stored = (line for stretch in case.stretches for line in stretch.lines.all())
    paid = _Side.of_stored(stored) if given is None else _Side.of_rated(given)
    draft = _Side.of_rated(would_pay)
    lines = []
    for kind, charge in dict.fromkeys([*draft.lines, *paid.lines]):
        before, after = paid.lines.get((kind, charge)), draft.lines.get((kind, charge))
        name, _ = after or before or ("", 0)
        lines.append(
            BacktestLine(
                kind,
                charge,
                name,
                Money(before[1], currency) if before else None,
                Money(after[1], currency) if after else None,
            )
        )
    numbers = dict.fromkeys(str(stretch.section.invoice.number) for stretch in case.stretches)
    return BacktestRow(
        company_id=case.company.id,
        company_key=case.company.key,
        company_name=case.company.name,
        period=case.period,
        currency=currency,
        invoices=tuple(numbers),
        paid=Charged(**paid.sums),
        would_pay=Charged(**draft.sums),
        received=count.received,
        billable=count.billable,
        lines=tuple(lines),
    )
