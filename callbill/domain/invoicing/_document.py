"""An invoice as a document: every word and figure of the PDF, made from `InvoiceDetail`.

The document is kept as it is given out, so it says nothing that changes later: no status, no payments
(a receipt adds its payment), no card by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from callbill.domain.invoicing._detail import GroupView, InvoiceDetail, LineView, SectionView, TaxView
from callbill.lib import pdf
from callbill.lib.formats import day, figure, money, rate
from callbill.rules.dunning import can_be_charged
from callbill.rules.money import Money

ROOT = Path(__file__).resolve().parent / "documents"
TEMPLATE = "document.typ"
_LONG = 800  # characters of a line's notes from which its row may break over two pages
_UNITS = {"call": ("call", "calls"), "minute": ("minute", "minutes"), "month": ("month", "months")}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a receipt adds: its number, when and how much was paid, and how ("Visa •••• 4242").

    `payments` names each one with its amount where there are several, or money came by bank.
    """

    number: str
    paid_on: date
    amount: Money
    paid_with: str
    reference: str
    payments: tuple[tuple[str, Money], ...] = ()
    credits: tuple[tuple[str, Money], ...] = ()  # credit notes that lowered what was to be paid


def invoice_pdf(detail: InvoiceDetail) -> bytes:
    """The invoice's PDF; for a viewer who sees only some sections, a document of those sections.

    The same detail gives the same bytes. Raises PdfFailed.
    """
    return pdf.render(TEMPLATE, invoice_data(detail), root=ROOT, timestamp=detail.issued_at)


def receipt_pdf(detail: InvoiceDetail, confirmation: Confirmation, *, paid_at: datetime) -> bytes:
    """The receipt's PDF: the invoice's lines and the payment. Raises PdfFailed."""
    return pdf.render(TEMPLATE, receipt_data(detail, confirmation), root=ROOT, timestamp=paid_at)


def invoice_data(detail: InvoiceDetail) -> dict[str, Any]:
    """The words of the invoice."""
    summary = detail.summary
    title = "Part of an invoice" if summary.partial else "Invoice"
    return {
        **letterhead(detail, title=title, number=summary.number),
        "date": date_parts(summary.issue_date),
        "facts": _facts(detail),
        "highlight": _part_highlight(detail) if summary.partial else _due_highlight(detail),
        "totals_title": "Total of this part" if summary.partial else "Total",
        "totals": [*_sums(detail), *([] if summary.partial else _settlement(detail))],
        "closing": [questions(detail)],
    }


def receipt_data(detail: InvoiceDetail, confirmation: Confirmation) -> dict[str, Any]:
    """The words of the receipt: the invoice's, and the payment confirmation."""
    paid = money(confirmation.amount, with_code=True)
    how = f"with {confirmation.paid_with}" if confirmation.paid_with else ""
    payment = [
        ["Receipt number", confirmation.number],
        ["Paid on", day(confirmation.paid_on)],
        ["Amount paid", paid],
        *([["Paid with", confirmation.paid_with]] if confirmation.paid_with else []),
        *([["Payment reference", confirmation.reference]] if confirmation.reference else []),
    ]
    when = f"Paid on {day(confirmation.paid_on)} {how}".strip() + "."
    return {
        **letterhead(detail, title="Receipt", number=confirmation.number),
        "date": date_parts(confirmation.paid_on),
        "facts": [*payment, *_facts(detail)],
        "highlight": {"label": "Payment confirmed", "value": paid, "text": when},
        "totals_title": "Total and payment",
        "totals": [
            *_sums(detail),
            *_brought_forward(detail),
            *_balance_used(detail),
            *(row(f"Credit note {number}", money(-amount)) for number, amount in confirmation.credits),
            *(row(what, money(amount)) for what, amount in confirmation.payments),
            row("Paid", paid, strong=True),
        ],
        "closing": [questions(detail)],
    }


def letterhead(detail: InvoiceDetail, *, title: str, number: str) -> dict[str, Any]:
    """What every document has: who writes to whom, the invoice's lines, the foot of the page."""
    seller = detail.seller
    name = seller.get("name") or seller.get("legal_name", "")
    return {
        "title": title,
        "document_title": f"{title} {number}, {name}",
        "brand": name,
        "seller": {
            "name": seller.get("legal_name") or name,
            "lines": [
                *seller.get("address", "").splitlines(),
                seller.get("email", ""),
                seller.get("phone", ""),
                _tax_id(seller.get("tax_id", "")),
            ],
        },
        "payer": {
            "name": detail.payer_legal_name or detail.summary.payer_name,
            "lines": [*detail.payer_address.splitlines(), _tax_id(detail.payer_tax_id)],
        },
        "sections": [_section(section, detail) for section in detail.sections],
        "footer": f"{title} {number} · {name} · Days and times are those of {detail.time_zone}.",
    }


def _facts(detail: InvoiceDetail) -> list[list[str]]:
    summary = detail.summary
    return [
        ["Invoice number", summary.number],
        *([["Replaces", f"Invoice {detail.replaces}, which was withdrawn"]] if detail.replaces else []),
        ["Issue date", day(summary.issue_date)],
        ["Due date", day(summary.due_date)],
        ["Period", summary.period_label],
        ["Time zone", detail.time_zone],
        ["Billable entity", f"{summary.payer_name} ({summary.payer_kind})"],
    ]


def _due_highlight(detail: InvoiceDetail) -> dict[str, str]:
    due = _due(detail)
    if due.minor and not can_be_charged(due):
        words = "Too small to be charged to a card. It is brought forward to your next invoice."
    elif due.minor:
        words = f"Due {day(detail.summary.due_date)}. It will be charged to the default card on file."
    elif detail.to_balance.minor:
        words = f"Nothing to pay. {money(detail.to_balance)} was added to your credit balance."
    else:
        words = "Nothing to pay."
    return {"label": "Amount due", "value": money(due, with_code=True), "text": words}


def _part_highlight(detail: InvoiceDetail) -> dict[str, str]:
    companies = ", ".join(section.company_name for section in detail.sections)
    return {
        "label": f"For {companies}",
        "value": money(detail.summary.total, with_code=True),
        "text": f"A part of invoice {detail.summary.number}, which {detail.summary.payer_name} pays.",
    }


def _section(section: SectionView, detail: InvoiceDetail) -> dict[str, Any]:
    groups = [_group(group, detail.summary.period_label) for group in section.groups]
    sums = []
    if detail.consolidated:  # one company's sums are those of the invoice, further down
        sums = [
            row(f"{section.company_name}, before tax", money(section.subtotal)),
            row(f"Total for {section.company_name}", money(section.total), strong=True),
        ]
    return {
        "title": section.company_name if detail.consolidated else "Lines",
        "groups": [*groups, _tax_group(section)],
        "sums": sums,
        "calls": _calls(section),
    }


def _group(group: GroupView, period_label: str) -> dict[str, Any]:
    return {
        "title": group.title,
        "total": money(group.total) if len(group.lines) > 1 else "",
        "lines": [_line(line, period_label) for line in group.lines],
    }


def _tax_group(section: SectionView) -> dict[str, Any]:
    taxes = [(tax_name(tax), [tax.reason] if tax.reason else [], tax.amount) for tax in section.taxes]
    taxes = taxes or [("No tax", list(section.tax_notes), section.tax)]
    lines = [
        {"name": name, "notes": notes, "long": False, "quantity": "", "rate": "", "amount": money(amount)}
        for name, notes, amount in taxes
    ]
    return {"title": "Tax", "total": money(section.tax) if len(lines) > 1 else "", "lines": lines}


def _line(line: LineView, period_label: str) -> dict[str, Any]:
    notes = [
        line.period_label if line.period_label != period_label else "",
        line.note,
        "; ".join(line.how),
    ]
    return {
        "name": line.name,
        "notes": [note for note in notes if note],
        "long": sum(map(len, [line.name, *notes])) > _LONG,
        "quantity": _quantity(line),
        "rate": rate(line.rate, line.amount.currency) if line.rate else "",
        "amount": money(line.amount),
    }


def _quantity(line: LineView) -> str:
    if not line.rate or not line.quantity:
        return ""
    one, several = _UNITS.get(line.unit, ("", ""))
    return f"{figure(line.quantity)} {one if line.quantity == '1' else several}".strip()


def _calls(section: SectionView) -> str:
    if not section.calls_received:
        return ""
    said = [f"{figure(section.calls_received)} calls received, {figure(section.calls_billable)} billed"]
    said += [f"{figure(count)} not billed: {reason}" for reason, count in section.not_billable]
    return "; ".join(said) + "."


def _sums(detail: InvoiceDetail) -> list[dict[str, Any]]:
    companies: Sequence[SectionView] = detail.sections if len(detail.sections) > 1 else ()
    taxes = [row(tax_name(tax), money(tax.amount)) for tax in detail.taxes] or [row("Tax", money(detail.tax))]
    return [
        *(row(f"{part.company_name}, before tax", money(part.subtotal)) for part in companies),
        row("Subtotal", money(detail.subtotal)),
        *taxes,
        row("Total", money(detail.summary.total, with_code=True), strong=True),
    ]


def _balance_used(detail: InvoiceDetail) -> list[dict[str, Any]]:
    if not detail.balance_applied.minor:
        return []
    return [row("Paid from your credit balance", money(-detail.balance_applied))]


def _brought_forward(detail: InvoiceDetail) -> list[dict[str, Any]]:
    return [row(f"Brought forward from {number}", money(amount)) for number, amount in detail.brought]


def _settlement(detail: InvoiceDetail) -> list[dict[str, Any]]:
    rows = [*_brought_forward(detail), *_balance_used(detail)]
    if detail.to_balance.minor:
        rows.append(row("Added to your credit balance", money(detail.to_balance)))
    return [*rows, row("Amount due", money(_due(detail), with_code=True), strong=True)]


def _due(detail: InvoiceDetail) -> Money:
    """What was to be paid when the invoice was issued."""
    brought = Money.total((amount for _, amount in detail.brought), detail.summary.total.currency)
    owed = detail.summary.total + brought - detail.balance_applied
    return owed if owed.minor > 0 else Money.zero(owed.currency)


def questions(detail: InvoiceDetail) -> str:
    """Whom to ask, and what to say then."""
    seller = detail.seller
    ways = " or ".join(way for way in (seller.get("email", ""), seller.get("phone", "")) if way)
    contact = ways or f"your {seller.get('name', '')} contact"
    return f"Questions? Contact {contact} with the invoice number, {detail.summary.number}."


def tax_name(tax: TaxView) -> str:
    """ "Sales tax 8.875 %"."""
    return f"{tax.name} {figure(tax.percent)} %" + (", not charged" if tax.reason else "")


def _tax_id(number: str) -> str:
    return f"Tax id {number}" if number else ""


def row(label: str, value: str, *, strong: bool = False) -> dict[str, Any]:
    """A row of sums."""
    return {"label": label, "value": value, "strong": strong}


def date_parts(value: date) -> list[int]:
    """A day as Typst takes it: year, month, day."""
    return [value.year, value.month, value.day]
