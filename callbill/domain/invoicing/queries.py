"""Answers about invoices, scoped by who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Sum

from callbill.domain.customers.queries import NotFound, Viewer, company_for, payer_for
from callbill.domain.invoicing._ageing import BUCKETS, Ageing, AgeingLine, ageing
from callbill.domain.invoicing._backtest import Backtest, BacktestRefused, BacktestRow
from callbill.domain.invoicing._backtesting import MOST_MONTHS, backtest
from callbill.domain.invoicing._billed_days import billed_until
from callbill.domain.invoicing._books import BooksDifference, books_differences
from callbill.domain.invoicing._building import build_detail, build_summary
from callbill.domain.invoicing._credit_queries import (
    credit_balance,
    credit_note_for,
    credit_notes_of,
    creditable,
    is_void,
    lowered_by_credit_notes,
    preview_credit,
    why_not_changed,
)
from callbill.domain.invoicing._credit_views import (
    CreditableLine,
    CreditedLine,
    CreditNoteView,
    CreditPreview,
)
from callbill.domain.invoicing._detail import (
    GroupView,
    InvoiceDetail,
    InvoiceSummary,
    LineView,
    SectionView,
    TaxView,
)
from callbill.domain.invoicing._differences import Difference
from callbill.domain.invoicing._draft import MOST_BYTES, read_draft
from callbill.domain.invoicing._estimating import Estimate, estimate
from callbill.domain.invoicing._late import calendars_behind
from callbill.domain.invoicing._periods import current_period, cycle_of, next_close
from callbill.domain.invoicing._proposals import (
    STATES,
    ProposalView,
    one_proposal,
    open_proposal_for,
    outages_of,
    proposal_page,
    proposals_waiting,
)
from callbill.domain.invoicing._too_old import TooOld, too_old_to_bill
from callbill.domain.invoicing._verification import verification_findings, verification_runs
from callbill.domain.invoicing._verifying import verify_all, verify_invoice
from callbill.domain.invoicing._visible import sees_whole, visible_invoices
from callbill.domain.invoicing.models import Adjustment, BillingRun, Invoice, InvoiceLine
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money
from callbill.rules.period import Period

__all__ = [
    "BUCKETS",
    "MOST_BYTES",
    "MOST_MONTHS",
    "STATES",
    "Ageing",
    "AgeingLine",
    "Backtest",
    "BacktestRefused",
    "BacktestRow",
    "BooksDifference",
    "CreditNoteView",
    "CreditPreview",
    "CreditableLine",
    "CreditedLine",
    "Difference",
    "Estimate",
    "GroupView",
    "InvoiceDetail",
    "InvoicePage",
    "InvoiceSummary",
    "LineView",
    "NotFound",
    "ProposalView",
    "RunView",
    "SectionView",
    "TaxView",
    "TooOld",
    "Totals",
    "ageing",
    "backtest",
    "billed_until",
    "billing_run",
    "billing_runs",
    "books_differences",
    "calendars_behind",
    "credit_balance",
    "credit_note_for",
    "credit_notes_of",
    "creditable",
    "current_period_of",
    "estimate_for",
    "invoice_detail",
    "invoice_for",
    "invoices_for",
    "is_issued",
    "is_void",
    "line_for_staff",
    "lowered_by_credit_notes",
    "next_close",
    "one_proposal",
    "open_proposal_for",
    "outages_of",
    "preview_credit",
    "proposal_page",
    "proposals_waiting",
    "read_draft",
    "too_old_to_bill",
    "totals_for",
    "verification_findings",
    "verification_runs",
    "verify_all",
    "verify_invoice",
    "waiting_adjustments",
    "why_not_changed",
]

PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """One page of the list, newest first."""

    invoices: tuple[InvoiceSummary, ...]
    number: int
    pages: int
    count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What is open and what is past due, by currency."""

    open: tuple[Money, ...]
    past_due: tuple[Money, ...]


def invoices_for(
    viewer: Viewer,
    *,
    status: InvoiceStatus | None = None,
    search: str = "",
    page: int = 1,
    payer_id: UUID | None = None,
    company_id: UUID | None = None,
) -> InvoicePage:
    """The invoices a person may see, newest first; another company's sections are left out of the amounts.

    `company_id` asks for those with a section of that company, whoever pays; `payer_id` for one payer's.
    """
    invoices = visible_invoices(viewer).order_by("-issue_date", "-number")
    if status:
        invoices = invoices.filter(status=status)
    if search.strip():
        invoices = invoices.filter(number__icontains=search.strip())
    if payer_id:
        invoices = invoices.filter(payer_id=payer_id)
    if company_id:
        invoices = invoices.filter(sections__company_id=company_id)
    paginator = Paginator(invoices.prefetch_related("sections"), PAGE_SIZE)
    found = paginator.get_page(page)
    return InvoicePage(
        invoices=tuple(_summary_for(viewer, invoice) for invoice in found),
        number=found.number,
        pages=paginator.num_pages,
        count=paginator.count,
    )


def _summary_for(viewer: Viewer, invoice: Invoice) -> InvoiceSummary:
    if sees_whole(viewer, invoice):
        return build_summary(invoice)
    return build_summary(invoice, [s for s in invoice.sections.all() if s.company_id in viewer.company_ids])


def invoice_for(viewer: Viewer, number: str) -> InvoiceDetail:
    """One invoice, whole or the viewer's sections of it. Raises NotFound, also for another tenant's."""
    invoice = visible_invoices(viewer).filter(number=number).first()
    if invoice is None:
        raise NotFound(f"There is no invoice {number}.")
    if sees_whole(viewer, invoice):
        return build_detail(invoice)
    return build_detail(invoice, only_companies=viewer.company_ids)


def invoice_detail(invoice_id: UUID) -> InvoiceDetail:
    """One invoice whole and unscoped, for documents and mails inside the domain."""
    return build_detail(Invoice.objects.get(id=invoice_id))


def is_issued(number: str) -> bool:
    """Whether there is an issued invoice of this number; unscoped, for commands."""
    return Invoice.objects.filter(number=number).exclude(status=InvoiceStatus.DRAFT).exists()


def totals_for(viewer: Viewer) -> Totals:
    """Sums of what the viewer's payers owe; a company's people see their sections' part."""
    sums: dict[InvoiceStatus, dict[str, int]] = {InvoiceStatus.OPEN: {}, InvoiceStatus.PAST_DUE: {}}
    owed = visible_invoices(viewer).filter(status__in=list(sums)).prefetch_related("sections")
    for invoice in owed:
        summary = _summary_for(viewer, invoice)
        by_currency = sums[summary.status]
        by_currency[summary.due.currency] = by_currency.get(summary.due.currency, 0) + summary.due.minor
    opened, past_due = (
        tuple(Money(minor, currency) for currency, minor in sorted(sums[status].items()))
        for status in (InvoiceStatus.OPEN, InvoiceStatus.PAST_DUE)
    )
    return Totals(opened, past_due)


def current_period_of(company_id: UUID, *, now: datetime) -> Period | None:
    """The billing period the company is in; None without a payer or contract."""
    payer = payer_for(company_id, now.date())
    cycle = cycle_of(payer) if payer else None
    return current_period(cycle, now) if cycle else None


def estimate_for(viewer: Viewer, company_id: UUID, *, now: datetime) -> Estimate | None:
    """What the current period would come to if it ended now. Raises NotFound; None without a contract."""
    company = company_for(viewer, company_id, day=now.date())
    period = current_period_of(company.id, now=now)
    return estimate(company.id, period, now=now) if period else None


def line_for_staff(viewer: Viewer, line_id: UUID) -> InvoiceLine:
    """A line with its section, stretch and invoice, for the calls behind it. Staff only; raises NotFound."""
    line = (
        InvoiceLine.objects.filter(id=line_id)
        .select_related("section__invoice", "section__company", "stretch")
        .first()
    )
    if line is None or not viewer.is_staff:
        raise NotFound("There is no such line.")
    return line


def billing_runs(viewer: Viewer, *, limit: int = 50) -> list[BillingRun]:
    """The latest billing runs, for staff. Raises NotFound for others."""
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
    return list(BillingRun.objects.order_by("-started_at")[:limit])


@dataclass(frozen=True, slots=True)
class RunView:
    """A billing run, a page of the invoices it issued by number, and what all of them come to by currency."""

    run: BillingRun
    page: InvoicePage
    totals: tuple[Money, ...]


def billing_run(viewer: Viewer, run_id: UUID, *, page: int = 1) -> RunView:
    """One billing run, for staff. Raises NotFound, also for others."""
    run = BillingRun.objects.filter(id=run_id).first()
    if run is None or not viewer.is_staff:
        raise NotFound("There is no such billing run.")
    issued = run.invoices.exclude(status=InvoiceStatus.DRAFT)
    paginator = Paginator(issued.order_by("number"), PAGE_SIZE)
    found = paginator.get_page(page)
    shown = InvoicePage(
        tuple(build_summary(invoice) for invoice in found),
        found.number,
        paginator.num_pages,
        paginator.count,
    )
    sums = issued.values_list("currency").annotate(Sum("total_minor")).order_by("currency")
    return RunView(run, shown, tuple(Money(int(minor), currency) for currency, minor in sums))


def waiting_adjustments(viewer: Viewer, company_id: UUID) -> list[Adjustment]:
    """Adjustments that wait for the company's next invoice, for staff. Raises NotFound for others."""
    if not viewer.is_staff:
        raise NotFound("There is no such page.")
    return list(
        Adjustment.objects.filter(company_id=company_id, line__isnull=True).select_related("created_by")
    )
