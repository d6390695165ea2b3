"""An invoice as it is shown: the one object behind page, PDF, e-mail and console.

Built by `queries` for a viewer; a company's people get their section only (M32).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from callbill.rules.lifecycle import WORDS, InvoiceStatus
from callbill.rules.money import Money


@dataclass(frozen=True, slots=True)
class LineView:
    """One line. `how` is its arithmetic in plain words, `note` why it is there (adjustments)."""

    id: UUID
    kind: str
    charge: str
    name: str
    quantity: str
    unit: str
    rate: str
    amount: Money
    discount: Money
    tax: Money
    period_label: str
    how: tuple[str, ...]
    calls: int | None
    note: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """Lines under one of the seed's headings: Usage, Fixed fees, Adjustments."""

    title: str
    lines: tuple[LineView, ...]
    total: Money


@dataclass(frozen=True, slots=True)
class TaxView:
    """What one tax rate comes to; `reason` says why nothing is charged, if so (M5)."""

    name: str
    percent: str
    amount: Money
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SectionView:
    """One company's part of the invoice (M31)."""

    id: UUID
    company_id: UUID
    company_name: str
    groups: tuple[GroupView, ...]
    taxes: tuple[TaxView, ...]
    subtotal: Money
    tax: Money
    total: Money
    calls_received: int
    calls_billable: int
    not_billable: tuple[tuple[str, int], ...]  # why, in words that follow "not billed:"
    tax_notes: tuple[str, ...] = ()  # why no tax is charged on lines (M5)


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """A row of the invoice list."""

    id: UUID
    number: str
    status: InvoiceStatus
    payer_id: UUID
    payer_name: str
    payer_kind: str
    period_label: str
    issue_date: date
    due_date: date
    total: Money
    due: Money
    partial: bool  # the amounts are those of the viewer's sections only

    @property
    def status_word(self) -> str:
        """Paid, Open, Past due, ... as people read it."""
        return WORDS[self.status]


@dataclass(frozen=True, slots=True)
class InvoiceDetail:
    """A whole invoice, or the viewer's sections of it."""

    summary: InvoiceSummary
    payer_address: str
    payer_tax_id: str
    seller: dict[str, str]
    first_day: date
    end_day: date
    time_zone: str
    issued_at: datetime
    sections: tuple[SectionView, ...]
    taxes: tuple[TaxView, ...]
    subtotal: Money
    tax: Money
    balance_applied: Money
    paid: Money
    charged_back: Money  # payments that the cardholder's bank took back for good
    to_balance: Money  # what a negative total leaves as credit (M24)
    paid_at: datetime | None
    past_due_at: datetime | None
    payer_legal_name: str = ""
    brought: tuple[tuple[str, Money], ...] = ()  # from earlier invoices, by number, too small for a card
    carried: Money | None = None  # what was carried forward to `carried_to`; negative, as it takes off
    carried_to: str = ""  # the number of the later invoice
    replaces: str = ""  # the number of the voided invoice whose place it takes
    replaced_by: str = ""  # of a voided invoice: the number of the one in its place

    @property
    def tax_notes(self) -> tuple[str, ...]:
        """Why no tax is charged on lines of the invoice, each reason once (M5)."""
        return tuple(dict.fromkeys(note for section in self.sections for note in section.tax_notes))

    @property
    def consolidated(self) -> bool:
        """True when the invoice covers several companies."""
        return len(self.sections) > 1 or self.summary.payer_kind == "organization"
