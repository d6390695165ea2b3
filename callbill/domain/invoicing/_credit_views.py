"""Credit notes as they are shown, for those who may see them; and what staff can still credit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from callbill.domain.invoicing._building import plain_rate
from callbill.domain.invoicing._crediting import Amounts, draft_credit, lines_left
from callbill.domain.invoicing._detail import TaxView
from callbill.domain.invoicing.models import CreditNote, CreditNoteLine, Invoice
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money
from callbill.rules.period import Period


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """What a credit note takes off one line."""

    name: str
    company_name: str
    period_label: str
    amount: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class CreditNoteView:
    """A credit note; for a viewer who sees only some sections (M32), of their lines alone.

    `lowered_due` is what it took off what was to be paid, `to_balance` what became credit balance; both are
    the whole note's and nothing for a part of it.
    """

    id: UUID
    number: str
    invoice_number: str
    reason: str
    issue_date: date
    issued_at: datetime
    lines: tuple[CreditedLine, ...]
    taxes: tuple[TaxView, ...]
    subtotal: Money
    tax: Money
    total: Money
    lowered_due: Money
    to_balance: Money
    partial: bool
    withdraws: bool  # it is the paper of a void: the invoice is withdrawn with it


@dataclass(frozen=True, slots=True)
class CreditableLine:
    """A line in the form for crediting: its net amount after discounts, and what is left of that."""

    id: UUID
    name: str
    company_name: str
    net: Money
    credited: Money
    left: Money


@dataclass(frozen=True, slots=True)
class CreditPreview:
    """What a credit note would be, before it is issued."""

    lines: tuple[CreditedLine, ...]
    subtotal: Money
    tax: Money
    total: Money
    lowers_due: Money
    to_balance: Money


def credit_note_view(note: CreditNote, *, only_companies: Collection[UUID] | None = None) -> CreditNoteView:
    """The note, or the lines of some companies' sections in it."""
    rows = list(
        note.lines.select_related("line__section").order_by("line__section__position", "line__position")
    )
    shown = [r for r in rows if only_companies is None or r.line.section.company_id in only_companies]
    partial = len(shown) < len(rows)
    zone, currency = note.invoice.time_zone, note.currency
    subtotal = Money(sum(row.amount_minor for row in shown), currency)
    tax = Money(sum(row.tax_minor for row in shown), currency)
    nothing = Money.zero(currency)
    return CreditNoteView(
        id=note.id,
        number=note.number,
        invoice_number=note.invoice.number or "",
        reason=note.reason,
        issue_date=note.issue_date,
        issued_at=note.issued_at,
        lines=tuple(
            CreditedLine(
                row.line.name,
                row.line.section.company_name,
                Period(row.line.first_day, row.line.end_day, zone).label,
                Money(row.amount_minor, currency),
                Money(row.tax_minor, currency),
            )
            for row in shown
        ),
        taxes=_taxes(shown, currency),
        subtotal=subtotal,
        tax=tax,
        total=subtotal + tax,
        lowered_due=nothing if partial else Money(note.lowered_due_minor, currency),
        to_balance=nothing if partial else Money(note.to_balance_minor, currency),
        partial=partial,
        withdraws=note.invoice.status == InvoiceStatus.VOID and note.invoice.closed_at == note.issued_at,
    )


def _taxes(rows: list[CreditNoteLine], currency: str) -> tuple[TaxView, ...]:
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        for share in row.taxes:
            key = (share["name"], plain_rate(Decimal(share["percent"])))
            sums[key] = sums.get(key, 0) + share["minor"]
    return tuple(TaxView(name, percent, Money(minor, currency)) for (name, percent), minor in sums.items())


def creditable_lines(invoice: Invoice) -> tuple[CreditableLine, ...]:
    """The invoice's lines of which something is left to credit."""
    currency = invoice.currency
    names = {section.id: section.company_name for section in invoice.sections.all()}
    return tuple(
        CreditableLine(
            each.line.id,
            each.line.name,
            names[each.line.section_id],
            Money(each.net, currency),
            Money(each.credited, currency),
            Money(each.left, currency),
        )
        for each in lines_left(invoice)
        if each.left
    )


def credit_preview(invoice: Invoice, amounts: Amounts | None) -> CreditPreview:
    """What crediting these amounts would be. Raises CreditRefused, MoveRefused."""
    draft = draft_credit(invoice, amounts)
    zone, currency = invoice.time_zone, invoice.currency
    names = {section.id: section.company_name for section in invoice.sections.all()}
    return CreditPreview(
        lines=tuple(
            CreditedLine(
                line.name,
                names[line.section_id],
                Period(line.first_day, line.end_day, zone).label,
                Money(part.amount, currency),
                Money(part.tax, currency),
            )
            for line, part in draft.parts
        ),
        subtotal=Money(draft.subtotal, currency),
        tax=Money(draft.tax, currency),
        total=Money(draft.subtotal + draft.tax, currency),
        lowers_due=Money(draft.lowers_due, currency),
        to_balance=Money(draft.to_balance, currency),
    )
