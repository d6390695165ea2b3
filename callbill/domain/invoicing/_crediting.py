"""Credit notes: taking something off named lines of an issued invoice, with its exact tax (M4, M23).

A credit note first lowers what is still owed on its invoice; the rest is credit balance, which the next
invoice uses. A credit note is never changed; what was wrong about it is put right by the next invoice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from callbill.domain.customers.models import BillableEntity
from callbill.domain.customers.queries import seller
from callbill.domain.invoicing import _credit_notices
from callbill.domain.invoicing._audit import record_on_invoice
from callbill.domain.invoicing._being_paid import refuse_while_being_paid
from callbill.domain.invoicing._numbers import next_number
from callbill.domain.invoicing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.lib.fields import new_id
from callbill.lib.transactions import in_transaction
from callbill.rules.credits import CreditedPart, fits, part_of
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, MoveRefused, after
from callbill.rules.lines import TaxShare, from_json
from callbill.rules.money import Money
from callbill.rules.period import local_day

Amounts = Mapping[UUID, int | None]
"""By invoice line: net minor units to credit, after discounts; None for all that is left of it."""


class CreditRefused(Exception):
    """The credit cannot be given; `problems` says everything that is wrong with it, line by line."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(self.problems))


@dataclass(frozen=True, slots=True)
class LineLeft:
    """A line that can be credited: its net amount after discounts, and what was credited so far."""

    line: InvoiceLine
    net: int
    credited: int

    @property
    def left(self) -> int:
        """What is left of it, in net minor units."""
        return self.net - self.credited

    def part(self, amount: int) -> CreditedPart:
        """So much of it with its tax, from the line's stored shares."""
        taxes = from_json(self.line.derivation).taxes
        return part_of(net=self.net, taxes=taxes, credited=self.credited, amount=amount)


@dataclass(frozen=True, slots=True)
class CreditDraft:
    """A credit note before it is issued. `lowers_due` + `to_balance` is its total; minor units."""

    parts: tuple[tuple[InvoiceLine, CreditedPart], ...]
    lowers_due: int
    to_balance: int

    @property
    def subtotal(self) -> int:
        """What is credited before tax."""
        return sum(part.amount for _, part in self.parts)

    @property
    def tax(self) -> int:
        """The tax on it."""
        return sum(part.tax for _, part in self.parts)


def lines_left(invoice: Invoice) -> list[LineLeft]:
    """Every line that can be credited, in order. Discounts are in the lines that they reduce."""
    lines = (
        InvoiceLine.objects.filter(section__invoice=invoice)
        .exclude(kind="discount")
        .annotate(credited=Sum("credits__amount_minor", default=0))
        .order_by("section__position", "position")
    )
    return [LineLeft(line, line.amount_minor + line.discount_minor, line.credited) for line in lines]


def draft_credit(invoice: Invoice, amounts: Amounts | None) -> CreditDraft:
    """What crediting these amounts (None: all that is left) would be. Raises CreditRefused, MoveRefused."""
    status = InvoiceStatus(invoice.status)
    if status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        raise MoveRefused(status, InvoiceEvent.CREDIT)
    lines = lines_left(invoice)
    if amounts is None:
        amounts = {each.line.id: None for each in lines if each.left}
    problems: list[str] = []
    known = {each.line.id for each in lines}
    if any(line_id not in known for line_id in amounts):
        problems.append(f"There is a line that is not on invoice {invoice.number} or cannot be credited.")
    parts = []
    for each in lines:
        if each.line.id not in amounts:
            continue
        asked = amounts[each.line.id]
        amount = each.left if asked is None else asked
        if fits(net=each.net, credited=each.credited, amount=amount):
            parts.append((each.line, each.part(amount)))
        else:
            problems.append(_too_much(each, amount, invoice.currency))
    total = sum(part.total for _, part in parts)
    if not problems and total <= 0:
        problems.append("Say what to credit: there is nothing to give back in what was chosen.")
    if problems:
        raise CreditRefused(problems)
    # Only money pays what was brought forward, so that a void can give it back; after a payment none comes.
    brought = 0 if invoice.paid_minor else invoice.brought_minor
    lowers_due = min(total, max(invoice.due_minor - brought, 0))
    return CreditDraft(tuple(parts), lowers_due, total - lowers_due)


def _too_much(each: LineLeft, amount: int, currency: str) -> str:
    left = Money(each.left, currency)
    if each.left == 0:
        return f"“{each.line.name}”: nothing is left of it to credit."
    return f"“{each.line.name}”: {Money(amount, currency)} is not part of the {left} that are left of it."


@in_transaction
def credit_lines(
    *,
    invoice_id: UUID,
    amounts: Amounts | None,
    reason: str,
    actor_id: UUID,
    now: datetime,
    note_id: UUID | None = None,
) -> CreditNote:
    """Issue a credit note for parts of an invoice's lines, or for all that is left of it (`amounts` None).

    With `note_id` the same request twice is one credit note. An invoice on which nothing is due afterwards is
    settled (rules.lifecycle). Raises CreditRefused with everything that is wrong, MoveRefused (draft, void),
    BeingPaid, ReasonMissing.
    """
    invoice = locked_with_payer(invoice_id)
    known = CreditNote.objects.filter(id=note_id, invoice=invoice).first() if note_id else None
    if known is not None:
        return known
    refuse_while_being_paid(invoice)
    due_before = invoice.due_minor
    note = issue_credit_note(
        invoice, draft_credit(invoice, amounts), reason=reason, actor_id=actor_id, now=now, note_id=note_id
    )
    settled = due_before > 0 and invoice.due_minor == 0
    event = InvoiceEvent.CREDIT_OFF if settled else InvoiceEvent.CREDIT
    invoice.status = after(InvoiceStatus(invoice.status), event)
    if settled:
        invoice.paid_at = now
    invoice.save(update_fields=["credited_minor", "status", "paid_at"])
    record_on_invoice(
        invoice,
        "credit_lines",
        actor_id=actor_id,
        reason=reason,
        details={"credit_note": note.number, "total": str(Money(note.total_minor, note.currency))},
        now=now,
    )
    _credit_notices.tell_credited(note=note, invoice=invoice, now=now)
    return note


def locked_with_payer(invoice_id: UUID) -> Invoice:
    """The invoice, locked, and its payer before it as in billing, because the credit balance may change."""
    payer_id = Invoice.objects.values_list("payer_id", flat=True).get(id=invoice_id)
    # No key: whoever holds the invoice may post for the payer meanwhile, or both would wait for ever.
    BillableEntity.objects.select_for_update(no_key=True).get(id=payer_id)
    return Invoice.objects.select_for_update().get(id=invoice_id)


def issue_credit_note(
    invoice: Invoice,
    draft: CreditDraft,
    *,
    reason: str,
    actor_id: UUID,
    now: datetime,
    note_id: UUID | None = None,
) -> CreditNote:
    """Write and post a credit note; the caller locked the invoice, saves it and decides its status."""
    note = CreditNote.objects.create(
        id=note_id or new_id(),
        number=next_number(series="credit_note", prefix=f"{seller().number_prefix}-CN"),
        invoice=invoice,
        reason=reason.strip(),
        currency=invoice.currency,
        subtotal_minor=draft.subtotal,
        tax_minor=draft.tax,
        total_minor=draft.subtotal + draft.tax,
        lowered_due_minor=draft.lowers_due,
        to_balance_minor=draft.to_balance,
        issued_at=now,
        issue_date=local_day(now, invoice.time_zone),
        created_by_id=actor_id,
    )
    CreditNoteLine.objects.bulk_create(
        CreditNoteLine(
            credit_note=note,
            line=line,
            amount_minor=part.amount,
            tax_minor=part.tax,
            taxes=[_tax_image(share) for share in part.taxes],
        )
        for line, part in draft.parts
    )
    written_off = invoice.status == InvoiceStatus.UNCOLLECTIBLE.value
    owed_on = Account.BAD_DEBT if written_off else Account.RECEIVABLE
    payer_id, currency = invoice.payer_id, invoice.currency
    post(
        key=f"credit_note:{note.id}",
        kind="credit_note",
        at=now,
        description=f"Credit note {note.number} for {invoice.number}",
        sides=[
            Side(Account.REVENUE, payer_id, Money(note.subtotal_minor, currency)),
            Side(Account.TAX_PAYABLE, payer_id, Money(note.tax_minor, currency)),
            Side(owed_on, payer_id, Money(-note.lowered_due_minor, currency)),
            Side(Account.CUSTOMER_BALANCE, payer_id, Money(-note.to_balance_minor, currency)),
        ],
    )
    invoice.credited_minor += note.lowered_due_minor
    return note


def _tax_image(share: TaxShare) -> dict[str, object]:
    return {"name": share.name, "percent": format(share.percent, "f"), "minor": share.amount}
