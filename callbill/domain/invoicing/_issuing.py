"""Issuing: one payer's next period becomes one invoice, whole or not at all (M19, M24, M31).

Everything happens in one transaction under the payer's row lock: settling calls, pricing, number, lines,
ledger, the message. So it is safe to run twice, at once in two processes, and after a kill at any point.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from callbill.domain.contracts.operations import mark_billed
from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import seller as current_seller
from callbill.domain.invoicing import _notices
from callbill.domain.invoicing._carrying import carry_forward, to_bring_forward
from callbill.domain.invoicing._gathering import SectionDraft, gather
from callbill.domain.invoicing._numbers import next_number
from callbill.domain.invoicing._periods import (
    Cycle,
    companies_in,
    cycle_of,
    next_period,
    period_after,
    voided_periods,
)
from callbill.domain.invoicing._pricing import LATE, as_stored
from callbill.domain.invoicing.models import BillingRun, Invoice, InvoiceLine, InvoiceSection, Stretch
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.ledger.queries import balance
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, after
from callbill.rules.lines import RatedLine, to_json
from callbill.rules.money import Money
from callbill.rules.period import Period, local_day
from callbill.rules.totals import Rated, consolidate


@in_transaction
def issue_next(*, payer_id: UUID, now: datetime, run: BillingRun | None = None) -> Invoice | None:
    """Issue the payer's oldest period that has ended and has no invoice, or a voided one. None: none is due.

    `now` is an aware instant. Periods in which no contract holds are passed over.
    """
    # No key: whoever holds a small invoice that is brought forward may post for the payer meanwhile.
    payer = BillableEntity.objects.select_for_update(no_key=True).get(id=payer_id)
    cycle = cycle_of(payer)
    if cycle is None:
        return None
    for period in voided_periods(payer):
        if invoice := issue_period(payer=payer, cycle=cycle, period=period, now=now, run=run):
            return invoice
    coming = next_period(payer, cycle)
    while coming and coming.end <= now:
        if invoice := issue_period(payer=payer, cycle=cycle, period=coming, now=now, run=run):
            return invoice
        coming = period_after(coming, cycle)
    return None


def issue_period(
    *, payer: BillableEntity, cycle: Cycle, period: Period, now: datetime, run: BillingRun | None = None
) -> Invoice | None:
    """Issue the payer's invoice for one period that has none; None where no contract holds in it.

    The payer's row must be locked. An invoice for a period whose invoice was voided names that one.
    """
    drafts = _gather_sections(payer, period, period_after(period, cycle))
    return _write(payer, period, drafts, now, run) if drafts else None


def _gather_sections(payer: BillableEntity, period: Period, coming: Period) -> list[SectionDraft]:
    goes_on = {company.id for company in companies_in(payer, coming)}
    return gather(payer, companies_in(payer, period), period, goes_on=goes_on)


def _write(
    payer: BillableEntity, period: Period, drafts: list[SectionDraft], now: datetime, run: BillingRun | None
) -> Invoice:
    rated = iter(consolidate([part for draft in drafts for part in draft.rated]))
    sections = [(draft, [next(rated) for _ in draft.rated]) for draft in drafts]
    seller = current_seller()
    issue_date = local_day(now, period.zone)
    terms_days = max(s.version.terms.payment_terms_days for draft in drafts for s in draft.stretches)
    invoice = Invoice.objects.create(
        payer=payer,
        status=InvoiceStatus.DRAFT,
        currency=payer.currency,
        first_day=period.first_day,
        end_day=period.end_day,
        time_zone=period.zone,
        subtotal_minor=sum(part.subtotal for _, parts in sections for part in parts),
        tax_minor=sum(part.tax for _, parts in sections for part in parts),
        total_minor=sum(part.total for _, parts in sections for part in parts),
        payer_snapshot={
            "name": payer.name,
            "kind": payer.kind,
            "legal_name": payer.legal_name,
            "address": payer.address,
            "tax_id": payer.tax_id,
        },
        seller_snapshot={
            name: getattr(seller, name)
            for name in ("name", "legal_name", "address", "email", "phone", "tax_id")
        },
        run=run if run is not None and run.pk else None,
        replaces=_voided(payer, period),
        issued_at=now,
        issue_date=issue_date,
        due_date=issue_date + timedelta(days=terms_days),
    )
    for position, (draft, parts) in enumerate(sections, start=1):
        _write_section(invoice, position, draft, parts)
    invoice.number = next_number(series="invoice", prefix=seller.number_prefix)
    _post(invoice, now)
    small = to_bring_forward(invoice)
    invoice.brought_minor = sum(each.due_minor for each in small)
    _open(invoice, now)
    invoice.save()
    carry_forward(small, invoice, now)
    mark_billed(
        version_ids={stretch.version.version.id for draft in drafts for stretch in draft.stretches}, now=now
    )
    _notices.tell_issued(invoice_id=invoice.id, now=now)
    return invoice


def _voided(payer: BillableEntity, period: Period) -> Invoice | None:
    """The invoice that was voided last for the period, which the new one replaces."""
    void = Invoice.objects.filter(payer=payer, first_day=period.first_day, status=InvoiceStatus.VOID)
    return void.order_by("issued_at", "id").last()


def _write_section(invoice: Invoice, position: int, draft: SectionDraft, parts: list[Rated]) -> None:
    section = InvoiceSection.objects.create(
        invoice=invoice,
        position=position,
        company=draft.company,
        company_name=draft.company.name,
        subtotal_minor=sum(part.subtotal for part in parts),
        tax_minor=sum(part.tax for part in parts),
    )
    stretches = {}
    for stretch in draft.stretches:
        stretches[str(stretch.id)] = Stretch.objects.create(
            id=stretch.id,
            section=section,
            version=stretch.version.version,
            kind=stretch.kind,
            terms=stretch.version.version.document,
            inputs=stretch.inputs,
            first_day=stretch.version.span.first_day,
            end_day=stretch.version.span.end_day,
            received=stretch.count.received,
            billable=stretch.count.billable,
            not_billable=dict(stretch.count.not_billable),
            digest=stretch.digest,
        )
    of_period = [stretch for stretch in draft.stretches if stretch.kind == "period"]
    place = 0
    for stretch, part in zip(of_period, parts, strict=True):
        for line in part.lines:
            place += 1
            _write_line(draft, section, line, stretches=stretches, own=str(stretch.id), position=place)


def _write_line(
    draft: SectionDraft,
    section: InvoiceSection,
    line: RatedLine,
    *,
    stretches: dict[str, Stretch],
    own: str,
    position: int,
) -> None:
    kind, charge = as_stored(line)
    stretch = stretches[line.charge.split(":")[1] if kind == LATE else own]
    stored = InvoiceLine.objects.create(
        section=section,
        stretch=stretch,
        position=position,
        kind=kind,
        charge=charge,
        name=line.name,
        quantity=line.quantity_text,
        unit=line.unit,
        rate=line.rate,
        amount_minor=line.amount,
        discount_minor=line.discount,
        tax_minor=line.tax,
        first_day=stretch.first_day if kind == LATE else line.period.first_day,
        end_day=stretch.end_day if kind == LATE else line.period.end_day,
        derivation=to_json(line),
        calls=line.calls,
        digest=stretch.digest if kind in ("usage", LATE) else "",
    )
    adjustment = draft.adjustments.get(line.charge)
    if adjustment is not None:
        adjustment.line = stored
        adjustment.save(update_fields=["line"])


def _post(invoice: Invoice, now: datetime) -> None:
    """Post the invoice, and use what credit the payer has for it."""
    payer_id, currency = invoice.payer_id, invoice.currency
    total = Money(invoice.total_minor, currency)
    owed_to = Account.RECEIVABLE if total.minor >= 0 else Account.CUSTOMER_BALANCE
    post(
        key=f"invoice:{invoice.id}",
        kind="invoice",
        at=now,
        description=f"Invoice {invoice.number}",
        sides=[
            Side(owed_to, payer_id, total),
            Side(Account.REVENUE, payer_id, -Money(invoice.subtotal_minor, currency)),
            Side(Account.TAX_PAYABLE, payer_id, -Money(invoice.tax_minor, currency)),
        ],
    )
    if total.minor > 0:
        held = -balance(payer_id, Account.CUSTOMER_BALANCE, currency)
        used = Money(max(min(held.minor, total.minor), 0), currency)
        invoice.balance_applied_minor = used.minor
        post(
            key=f"balance:{invoice.id}",
            kind="balance_used",
            at=now,
            description=f"Credit balance used for {invoice.number}",
            sides=[
                Side(Account.CUSTOMER_BALANCE, payer_id, used),
                Side(Account.RECEIVABLE, payer_id, -used),
            ],
        )


def _open(invoice: Invoice, now: datetime) -> None:
    """Open the invoice; one on which nothing is due is paid at once (M24)."""
    status = after(InvoiceStatus.DRAFT, InvoiceEvent.ISSUE)
    if invoice.due_minor == 0:
        status = after(status, InvoiceEvent.PAY)
        invoice.paid_at = now
    invoice.status = status
