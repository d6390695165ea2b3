"""A draft contract version tried on billing periods that are over, writing nothing.

Each period is priced as its invoice would have been: the same fees in advance fall due in it, set-up fees
on a company's first one, and tax is rounded over the companies of one invoice. Against it stands what was
invoiced for the period, late calls included; approved adjustments and credits stand outside on both sides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import Prefetch

from callbill.domain.contracts import queries as contracts
from callbill.domain.contracts.models import ContractVersion
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.customers.queries import payer_for
from callbill.domain.invoicing._backtest import (
    Backtest,
    BacktestLine,
    BacktestRefused,
    BacktestRow,
    Charged,
    LeftOut,
)
from callbill.domain.invoicing._periods import Cycle, current_period
from callbill.domain.invoicing._pricing import LATE, Inputs, price
from callbill.domain.invoicing.models import InvoiceLine, Stretch
from callbill.domain.usage import queries as calls
from callbill.rules.counting import Count
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.lines import MINIMUM
from callbill.rules.money import Money
from callbill.rules.period import Part, Period, following, period_containing, preceding
from callbill.rules.problem import Problem
from callbill.rules.rating import set_up_fees, unpriced
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated, consolidate

K = TypeVar("K", bound=Hashable)
MOST_MONTHS = 36
_SETS_A_QUERY = 1000
_FIELD_OF = {"usage": "usage", "fee": "fees", "minimum": "minimum", "discount": "discounts"}
_NOT_ISSUED = (InvoiceStatus.DRAFT, InvoiceStatus.VOID)

CaseKey = tuple[UUID, date]
LineKey = tuple[str, str]


@dataclass(slots=True)
class _Case:
    """One company in one closed period."""

    company: Company
    period: Period
    versions: Sequence[ContractVersion]
    stretches: list[Stretch] = field(default_factory=list)  # invoiced for the period, late ones after

    @property
    def key(self) -> CaseKey:
        return self.company.id, self.period.first_day

    @property
    def of_period(self) -> list[Stretch]:
        return [stretch for stretch in self.stretches if stretch.kind == "period"]

    @property
    def span(self) -> Period:
        """The days of the period that the company had a contract for."""
        span = self.period.overlap(self.versions[0].effective_from, None)
        assert span is not None, "periods before the first version are not tried"
        return span


def backtest(*, terms: Terms, company_ids: Sequence[UUID] | None, months: int, now: datetime) -> Backtest:
    """What companies (None: all) would have paid under `terms` in each of their last `months` closed periods.

    `now` is an aware instant. Of all companies, those the draft does not fit are left out and named; of
    companies that were asked for, each must fit. Raises BacktestRefused with every reason. Unscoped: for
    staff and commands.
    """
    problems = unpriced(terms)
    if not 1 <= months <= MOST_MONTHS:
        problems.append(Problem("months", f"is {months}; it must be 1 to {MOST_MONTHS}"))
    if problems:
        raise BacktestRefused(problems)
    cases: list[_Case] = []
    left_out: list[LeftOut] = []
    companies = Company.objects.order_by("name", "key")
    for company in companies if company_ids is None else companies.filter(id__in=list(company_ids)):
        try:
            cases += _cases(company, terms, months, now)
        except _DoesNotFit as reason:
            left_out.append(LeftOut(company.key, company.name, reason.words))
            problems.append(Problem(reason.key, f"{company.name} {reason.words}"))
    if (company_ids is not None and problems) or not cases:
        raise BacktestRefused(problems or [Problem("company", "there is no company to try the draft on")])
    _add_stored(cases)
    counted = _count([(case.key, case.company.id, case.span) for case in cases], terms)
    would_pay = _consolidated(cases, {case.key: [_tried(case, terms, counted[case.key])] for case in cases})
    in_force = _in_force([case for case in cases if not case.of_period])
    rows = tuple(_row(case, counted[case.key], in_force.get(case.key), would_pay[case.key]) for case in cases)
    return Backtest(terms.currency, months, rows, tuple(left_out))


class _DoesNotFit(Exception):
    def __init__(self, key: str, words: str) -> None:
        self.key, self.words = key, words
        super().__init__(words)


def _cases(company: Company, terms: Terms, months: int, now: datetime) -> list[_Case]:
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
    cases: list[_Case] = []
    for _ in range(months):
        period = preceding(period, cycle.billing_day)
        if period.end_day <= versions[0].effective_from:
            break
        cases.append(_Case(company, period, versions))
    if not cases:
        raise _DoesNotFit("company", f"has had no whole billing period since {versions[0].effective_from}")
    return cases[::-1]


def _add_stored(cases: Sequence[_Case]) -> None:
    """Give each case what was invoiced for its period: one query for all."""
    by_key = {case.key: case for case in cases}
    billing_day = {case.company.id: case.versions[-1].billing_day for case in cases}
    found = (
        Stretch.objects.filter(
            section__company_id__in=list(billing_day),
            first_day__gte=min(case.period.first_day for case in cases),
            end_day__lte=max(case.period.end_day for case in cases),
        )
        .exclude(section__invoice__status__in=_NOT_ISSUED)
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


def _count(wanted: Sequence[tuple[K, UUID, Period]], terms: Terms) -> dict[K, Count]:
    """The calls of each company and span under the terms, many a query."""
    counted: dict[K, Count] = {}
    for begin in range(0, len(wanted), _SETS_A_QUERY):
        sets = {
            key: calls.Between(company_id, span.start, span.end)
            for key, company_id, span in wanted[begin : begin + _SETS_A_QUERY]
        }
        counted |= calls.count(sets, terms)
    return counted


def _tried(case: _Case, terms: Terms, count: Count) -> Rated:
    """The case under the draft, with the fees in advance that fall due in its period."""
    if case.of_period:
        stored = [Inputs.from_json(stretch.inputs, terms.time_zone) for stretch in case.of_period]
        due = [part for inputs in stored for part in inputs.advance_for]
        is_first = any(part.whole == case.period for part in due)
        ahead = _joined([part for part in due if part.whole != case.period])
    else:
        is_first, ahead = _is_first(case), _ahead(case)
    own = (Part(case.span, case.period),) if is_first else ()
    once = set_up_fees(terms) if is_first else frozenset[str]()
    return price(terms, case.span, count, Inputs(case.period, own + ahead, None, once))


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts of one period as one part of it; a draft holds in all of them."""
    if not parts:
        return ()
    whole = parts[0].whole
    first, end = min(part.span.first_day for part in parts), max(part.span.end_day for part in parts)
    return (Part(whole.part(first, end), whole),)


def _is_first(case: _Case) -> bool:
    """Whether the company's contract begins in a period that was not invoiced."""
    return case.period.first_day <= case.versions[0].effective_from < case.period.end_day


def _ahead(case: _Case) -> tuple[Part, ...]:
    """The next period, whose fees in advance fall due if the same payer still pays (M16, M31)."""
    coming = following(case.period, case.versions[-1].billing_day)
    payer, next_payer = _payer(case), payer_for(case.company.id, coming.first_day)
    return (Part.all_of(coming),) if payer is not None and payer == next_payer else ()


def _payer(case: _Case) -> BillableEntity | None:
    return payer_for(case.company.id, case.period.first_day) or payer_for(
        case.company.id, case.period.last_day
    )


def _in_force(cases: Sequence[_Case]) -> dict[CaseKey, list[Rated]]:
    """What the versions in force would give for cases that nothing was invoiced for."""
    stretches = {case.key: contracts.stretches_for(case.company.id, case.period) for case in cases}
    wanted: dict[Terms, list[tuple[tuple[CaseKey, int], UUID, Period]]] = {}
    for (company_id, first_day), found in stretches.items():
        for number, stretch in enumerate(found):
            key = ((company_id, first_day), number)
            wanted.setdefault(stretch.terms, []).append((key, company_id, stretch.span))
    counted: dict[tuple[CaseKey, int], Count] = {}
    for terms, sets in wanted.items():
        counted |= _count(sets, terms)
    rated: dict[CaseKey, list[Rated]] = {}
    for case in cases:
        found = stretches[case.key]
        first, last = found[0], found[-1]
        for number, stretch in enumerate(found):
            is_first = stretch is first and _is_first(case)
            own = (Part(stretch.span, case.period),) if is_first else ()
            ahead = _ahead(case) if stretch is last else ()
            coming = contracts.stretches_for(case.company.id, ahead[0].whole) if ahead else []
            other = coming[0].version if coming and coming[0].version != stretch.version else None
            inputs = Inputs(
                case.period,
                own + ahead,
                other.document if other else None,
                set_up_fees(stretch.terms) if is_first else frozenset(),
            )
            count = counted[case.key, number]
            rated.setdefault(case.key, []).append(price(stretch.terms, stretch.span, count, inputs))
    return _consolidated(cases, rated)


def _consolidated(cases: Sequence[_Case], rated: Mapping[CaseKey, list[Rated]]) -> dict[CaseKey, list[Rated]]:
    """The cases' prices with tax rounded over those that share an invoice (M4)."""
    invoices: dict[object, list[_Case]] = {}
    for case in cases:
        if case.of_period:
            shared: object = case.of_period[0].section.invoice_id
        else:
            payer = _payer(case)
            shared = (payer.id if payer else case.company.id, case.period.first_day)
        invoices.setdefault(shared, []).append(case)
    final: dict[CaseKey, list[Rated]] = {}
    for together in invoices.values():
        settled = iter(consolidate([part for case in together for part in rated[case.key]]))
        for case in together:
            final[case.key] = [next(settled) for _ in rated[case.key]]
    return final


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


def _row(
    case: _Case, count: Count, in_force: Sequence[Rated] | None, would_pay: Sequence[Rated]
) -> BacktestRow:
    currency = would_pay[0].currency
    stored = (line for stretch in case.stretches for line in stretch.lines.all())
    paid = _Side.of_stored(stored) if in_force is None else _Side.of_rated(in_force)
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
