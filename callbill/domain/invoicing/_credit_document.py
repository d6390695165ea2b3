"""A credit note as a document, in the look of the invoice; made on first asking, then kept."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any
from uuid import UUID

from callbill.domain.invoicing._building import build_detail
from callbill.domain.invoicing._credit_views import CreditedLine, CreditNoteView, credit_note_view
from callbill.domain.invoicing._detail import InvoiceDetail
from callbill.domain.invoicing._document import (
    ROOT,
    TEMPLATE,
    date_parts,
    letterhead,
    questions,
    row,
    tax_name,
)
from callbill.domain.invoicing.models import CreditNote
from callbill.domain.notifications.operations import Attachment
from callbill.lib import pdf
from callbill.lib.formats import day, money
from callbill.lib.transactions import outside_transaction


@outside_transaction
def credit_note_pdf(note_id: UUID) -> bytes:
    """The credit note's PDF, the same bytes every time. Raises PdfFailed, CreditNote.DoesNotExist.

    Of two processes that ask first at the same time, both give out what was stored first.
    """
    note = CreditNote.objects.select_related("invoice").get(id=note_id)
    if note.pdf is not None:
        return bytes(note.pdf)
    data = credit_note_data(credit_note_view(note), build_detail(note.invoice))
    made = pdf.render(TEMPLATE, data, root=ROOT, timestamp=note.issued_at)
    CreditNote.objects.filter(id=note_id, sha256="").update(pdf=made, sha256=sha256(made).hexdigest())
    kept = CreditNote.objects.values_list("pdf", flat=True).get(id=note_id)
    assert kept is not None, "it was stored a moment ago"
    return bytes(kept)


def credit_note_attachment(*, note_id: UUID, now: datetime) -> Attachment:
    """The credit note as a mail's attachment ("credit_note:<id>" in the outbox); unscoped.

    The document is dated by the credit note; `now` is not printed.
    """
    number = CreditNote.objects.values_list("number", flat=True).get(id=note_id)
    return Attachment(f"credit-note-{number}.pdf", credit_note_pdf(note_id))


def credit_note_data(note: CreditNoteView, detail: InvoiceDetail) -> dict[str, Any]:
    """The words of the credit note; `detail` is its invoice, whole."""
    total = money(note.total, with_code=True)
    return {
        **letterhead(detail, title="Credit note", number=note.number),
        "date": date_parts(note.issue_date),
        "facts": [
            ["Credit note number", note.number],
            ["Issue date", day(note.issue_date)],
            ["For invoice", f"{note.invoice_number} of {day(detail.summary.issue_date)}"],
            ["Period", detail.summary.period_label],
            ["Time zone", detail.time_zone],
            ["Billable entity", f"{detail.summary.payer_name} ({detail.summary.payer_kind})"],
            ["Reason", note.reason],
        ],
        "highlight": {"label": "Credited", "value": total, "text": _what_became_of_it(note)},
        "sections": [
            _section(name, list(lines), detail)
            for name, lines in groupby(note.lines, key=lambda line: line.company_name)
        ],
        "totals_title": "Total credited",
        "totals": [
            row("Subtotal", money(note.subtotal)),
            *([row(tax_name(tax), money(tax.amount)) for tax in note.taxes] or [row("Tax", money(note.tax))]),
            row("Total credited", total, strong=True),
            *(
                [row("Taken off what was to be paid", money(note.lowered_due))]
                if note.lowered_due.minor
                else []
            ),
            *([row("Added to your credit balance", money(note.to_balance))] if note.to_balance.minor else []),
        ],
        "closing": [questions(detail)],
    }


def _section(name: str, lines: list[CreditedLine], detail: InvoiceDetail) -> dict[str, Any]:
    return {
        "title": name if detail.consolidated else "Credited lines",
        "groups": [
            {
                "title": "Before tax, after discounts",
                "total": "",
                "lines": [
                    {
                        "name": line.name,
                        "notes": [
                            line.period_label,
                            *([f"Tax on it: {money(line.tax)}"] if line.tax.minor else []),
                        ],
                        "long": False,
                        "quantity": "",
                        "rate": "",
                        "amount": money(line.amount),
                    }
                    for line in lines
                ],
            }
        ],
        "sums": [],
        "calls": "",
    }


def _what_became_of_it(note: CreditNoteView) -> str:
    """What the note did when it was issued; nothing that can change later."""
    if note.withdraws:
        return f"Invoice {note.invoice_number} is withdrawn; there is nothing to pay on it."
    words = []
    if note.lowered_due.minor:
        words.append(f"{money(note.lowered_due)} was taken off what was to be paid.")
    if note.to_balance.minor:
        words.append(f"{money(note.to_balance)} was added to your credit balance.")
    return " ".join(words)
