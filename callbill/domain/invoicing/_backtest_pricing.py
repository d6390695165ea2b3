"""Both sides of a back-test priced: closed periods under the draft, and under what is in force."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.contracts.models import ContractVersion
from callbill.domain.contracts.queries import VersionStretch
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.invoicing._inputs import inputs_of, with_dated_facts
from callbill.domain.invoicing._pricing import Inputs, ToPrice, price_sections
from callbill.domain.invoicing.models import Stretch
from callbill.domain.usage import queries as calls
from callbill.rules.counting import Calendars, Count
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import Part, Period, following, preceding
from callbill.rules.rating import set_up_fees
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated, consolidate

K = TypeVar("K", bound=Hashable)
CaseKey = tuple[UUID, date]
_SETS_A_QUERY = 1000


@dataclass(slots=True)
class Case:
    """One company in one closed period: who pays for it and for the next, what was invoiced for it."""

    company: Company
    period: Period
    versions: Sequence[ContractVersion]
    payer: BillableEntity | None
    payer_goes_on: bool
    stretches: list[Stretch] = field(default_factory=list)  # those of late calls after those of the period
    is_first: bool = False  # nothing was billed before

    @property
    def key(self) -> CaseKey:
        """What it is known by."""
        return self.company.id, self.period.first_day

    @property
    def of_period(self) -> list[Stretch]:
        """What was invoiced at the end of the period."""
        return [stretch for stretch in self.stretches if stretch.kind == "period"]

    @property
    def span(self) -> Period:
        """The days of the period that the company had a contract for."""
        span = self.period.overlap(self.versions[0].effective_from, None)
        assert span is not None, "periods before the first version are not tried"
        return span


def under_the_draft(
    cases: Sequence[Case], terms: Terms, calendars: Calendars
) -> tuple[dict[CaseKey, list[Rated]], dict[CaseKey, Count]]:
    """Every case as if the draft had always been in force, and what it counts.

    Fees in advance for the next period fall due in each period, as on its invoice, those of a company's
    first period with it; set-up fees on the first (M16).
    """
    counted = _count([(case.key, case.company.id, case.span) for case in cases], terms, calendars)
    parts = {}
    for case in cases:
        stretch = VersionStretch(case.versions[-1], terms, case.period, case.span)
        own = (Part(case.span, case.period),) if case.is_first else ()
        coming = following(case.period, terms.billing_day)
        once = set_up_fees(terms) if case.is_first else frozenset[str]()
        due = Inputs(
            case.period, (*own, *((Part.all_of(coming),) if _ahead(case, terms) else ())), None, once
        )
        inputs = with_dated_facts(due, stretch, case.company, case.payer)
        parts[case.key] = [ToPrice(terms, case.span, counted[case.key], inputs)]
    return _priced(cases, parts), counted


def in_force(cases: Sequence[Case]) -> dict[CaseKey, list[Rated]]:
    """What the versions in force would give for cases that nothing was invoiced for."""
    found: dict[tuple[CaseKey, int], tuple[VersionStretch, Inputs]] = {}
    earlier: dict[UUID, list[Stretch]] = {}
    for case in cases:
        before = earlier.setdefault(case.company.id, _billed_before(case))
        stretches = contracts.stretches_for(case.company.id, case.period)
        inputs = inputs_of(
            stretches, case.company, case.payer, earlier=before, payer_goes_on=case.payer_goes_on
        )
        for number, (stretch, own) in enumerate(zip(stretches, inputs, strict=True)):
            found[case.key, number] = stretch, own
            before.append(_as_if_billed(stretch, own))
    counted: dict[tuple[CaseKey, int], Count] = {}
    by_terms: dict[Terms, list[tuple[CaseKey, int]]] = {}
    for key, (stretch, _) in found.items():
        by_terms.setdefault(stretch.terms, []).append(key)
    for terms, keys in by_terms.items():
        calendars = contracts.calendars_for(terms, _all_days(found[key][0].span for key in keys))
        counted |= _count([(key, key[0][0], found[key][0].span) for key in keys], terms, calendars)
    parts: dict[CaseKey, list[ToPrice]] = {}
    for key, (stretch, own) in found.items():
        parts.setdefault(key[0], []).append(ToPrice(stretch.terms, stretch.span, counted[key], own))
    return _priced(cases, parts)


def calendars_of(cases: Sequence[Case], terms: Terms) -> Calendars:
    """The draft's holiday calendars over all the cases."""
    return contracts.calendars_for(terms, _all_days(case.span for case in cases))


def _ahead(case: Case, terms: Terms) -> bool:
    """Whether fees in advance for the next period fall due: as on the invoice, if there is one."""
    if not case.of_period:
        return case.payer_goes_on
    stored = [Inputs.from_json(stretch.inputs, terms.time_zone) for stretch in case.of_period]
    return any(part.whole != case.period for inputs in stored for part in inputs.advance_for)


def _billed_before(case: Case) -> list[Stretch]:
    """What was billed of the company's time before the case, or would have been by now."""
    billed = list(
        Stretch.objects.filter(
            section__company=case.company, kind="period", end_day__lte=case.period.first_day
        )
        .exclude(section__invoice__status=InvoiceStatus.VOID)
        .order_by("first_day")
    )
    before = contracts.stretches_for(case.company.id, preceding(case.period, case.versions[-1].billing_day))
    if not before or (billed and billed[-1].end_day == case.period.first_day):
        return billed
    now = contracts.stretches_for(case.company.id, case.period)[0]
    changes = now.version.id != before[-1].version.id
    assumed = Inputs(
        before[-1].period,
        (Part(now.span, case.period),) if case.payer is not None else (),
        now.version.document if changes else None,
        frozenset(fee for stretch in before for fee in set_up_fees(stretch.terms)),
    )
    return [*billed, _as_if_billed(before[-1], assumed)]


def _as_if_billed(stretch: VersionStretch, inputs: Inputs) -> Stretch:
    """A stretch that is not written, for the period after it to look back on."""
    return Stretch(
        kind="period",
        version=stretch.version,
        terms=stretch.version.document,
        inputs=inputs.to_json(),
        first_day=stretch.span.first_day,
        end_day=stretch.span.end_day,
    )


def _all_days(spans: Iterable[Period]) -> Period:
    """One period with all the days of some, in the zone they share."""
    kept = list(spans)
    first, end = min(span.first_day for span in kept), max(span.end_day for span in kept)
    return Period(first, end, kept[0].zone)


def _count(wanted: Sequence[tuple[K, UUID, Period]], terms: Terms, calendars: Calendars) -> dict[K, Count]:
    """The calls of each company and span under the terms, many a query."""
    counted: dict[K, Count] = {}
    for begin in range(0, len(wanted), _SETS_A_QUERY):
        sets = {
            key: calls.Between(company_id, span.start, span.end)
            for key, company_id, span in wanted[begin : begin + _SETS_A_QUERY]
        }
        counted |= calls.count(sets, terms, calendars)
    return counted


def _priced(cases: Sequence[Case], parts: Mapping[CaseKey, list[ToPrice]]) -> dict[CaseKey, list[Rated]]:
    """The cases priced as on their invoices: pools and the rounding of tax over those that share one."""
    invoices: dict[object, list[Case]] = {}
    for case in cases:
        if case.of_period:
            shared: object = case.of_period[0].section.invoice_id
        else:
            shared = (case.payer.id if case.payer else case.company.id, case.period.first_day)
        invoices.setdefault(shared, []).append(case)
    final: dict[CaseKey, list[Rated]] = {}
    for together in invoices.values():
        rated = price_sections([parts[case.key] for case in together])
        settled = iter(consolidate([part for section in rated for part in section]))
        for case, section in zip(together, rated, strict=True):
            final[case.key] = [next(settled) for _ in section]
    return final
