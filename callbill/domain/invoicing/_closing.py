"""Ending an invoice otherwise than by payment: void it (and bill again), or write it off.

Nothing is taken back; each is answered by postings of its own (M25). The paper of a void is a credit note for
all that was left of the invoice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing import _credit_notices
from callbill.domain.invoicing._audit import record_on_invoice
from callbill.domain.invoicing._being_paid import refuse_while_being_paid
from callbill.domain.invoicing._carrying import cannot_give_back, give_back
from callbill.domain.invoicing._crediting import (
    draft_credit,
    issue_credit_note,
    lines_left,
    locked_with_payer,
)
from callbill.domain.invoicing._issuing import issue_period
from callbill.domain.invoicing._periods import cycle_of
from callbill.domain.invoicing._proposing import withdraw_proposals
from callbill.domain.invoicing.models import Adjustment, CreditNote, CreditProposal, Invoice, Stretch
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.ledger.queries import free_key
from callbill.domain.usage import operations as usage
from callbill.lib import formats
from callbill.lib.transactions import in_transaction
from callbill.rules.lifecycle import InvoiceEvent, InvoiceStatus, after
from callbill.rules.money import Money
from callbill.rules.period import Period


class VoidRefused(Exception):
    """The invoice cannot be voided; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Voided:
    """What voiding left: the credit note that answers the invoice, and what replaces it, if anything."""

    invoice: Invoice
    credit_note: CreditNote
    replacement: Invoice | None
    calls_released: int


@in_transaction
def void_invoice(
    *, invoice_id: UUID, reason: str, actor_id: UUID, now: datetime, bill_again: bool = False
) -> Voided:
    """Withdraw an unpaid invoice that is wrong: its calls and adjustments wait for an invoice again.

    A credit note takes back all that is left of it; the credit balance it had used is balance again.
    The period is billed by the next run, or here and now with `bill_again`; the new invoice names this one.
    Raises MoveRefused, VoidRefused (something was paid or credited, later invoices build on it), BeingPaid,
    ReasonMissing.
    """
    invoice = locked_with_payer(invoice_id)
    refuse_while_being_paid(invoice)
    refuse_void(invoice)
    note = issue_credit_note(invoice, draft_credit(invoice, None), reason=reason, actor_id=actor_id, now=now)
    invoice.status = after(InvoiceStatus(invoice.status), InvoiceEvent.VOID)
    invoice.closed_at = now
    given_back = give_back(invoice)
    invoice.save(update_fields=["credited_minor", "status", "closed_at"])
    withdraw_proposals(invoice, now=now)
    stretches = Stretch.objects.filter(section__invoice=invoice).values_list("id", flat=True)
    released = usage.release(settlement_ids=list(stretches))
    Adjustment.objects.filter(line__section__invoice=invoice).update(line=None)
    replacement = _bill_again(invoice, now) if bill_again else None
    details: dict[str, object] = {"credit_note": note.number, "calls_released": released}
    if given_back:
        details["given_back_to"] = [each.number or "" for each in given_back]
    if replacement:
        details["billed_again_as"] = replacement.number or ""
    record_on_invoice(invoice, "void_invoice", actor_id=actor_id, reason=reason, details=details, now=now)
    _credit_notices.tell_voided(note=note, invoice=invoice, replacement=replacement, now=now)
    return Voided(invoice, note, replacement, released)


def refuse_void(invoice: Invoice) -> None:
    """Raise MoveRefused or VoidRefused with the reason why the invoice cannot be voided, if there is one."""
    after(InvoiceStatus(invoice.status), InvoiceEvent.VOID)
    if invoice.paid_minor:
        paid = Money(invoice.paid_minor, invoice.currency)
        raise VoidRefused(f"{paid} of {invoice.number} was paid. Credit its lines instead.")
    if CreditProposal.objects.filter(invoice=invoice, state=CreditProposal.State.APPROVED).exists():
        raise VoidRefused(f"A proposed credit for {invoice.number} was approved. Credit its lines instead.")
    if invoice.brought_minor and not any(each.left for each in lines_left(invoice)):
        brought = formats.money(Money(invoice.brought_minor, invoice.currency))
        raise VoidRefused(f"All of its lines were credited; the {brought} on it were brought forward.")
    if stuck := cannot_give_back(invoice):
        raise VoidRefused(f"What it brought forward from {stuck} was written off there. Credit its lines.")
    own = set(map(str, Stretch.objects.filter(section__invoice=invoice).values_list("id", flat=True)))
    companies = invoice.sections.values_list("company_id", flat=True)
    later = Stretch.objects.filter(section__company_id__in=list(companies)).exclude(
        section__invoice__status=InvoiceStatus.VOID
    )
    for stretch in later.exclude(section__invoice=invoice).select_related("section__invoice"):
        if own & set(stretch.inputs.get("of", ())):
            raise VoidRefused(
                f"Late calls of its period are on invoice {stretch.section.invoice.number}, priced as the "
                f"difference to {invoice.number}. Void that one first, or credit lines instead."
            )
        if (stretch.inputs.get("given_back") or {}).get("stretch") in own:
            raise VoidRefused(
                f"Fees that it billed in advance were given back on invoice "
                f"{stretch.section.invoice.number}. Void that one first, or credit lines instead."
            )


def _bill_again(invoice: Invoice, now: datetime) -> Invoice | None:
    payer = BillableEntity.objects.get(id=invoice.payer_id)
    cycle = cycle_of(payer)
    period = Period(invoice.first_day, invoice.end_day, invoice.time_zone)
    return issue_period(payer=payer, cycle=cycle, period=period, now=now) if cycle else None


@in_transaction
def write_off(*, invoice_id: UUID, reason: str, actor_id: UUID, now: datetime) -> Invoice:
    """Give up collecting an invoice: what is due becomes bad debt, and no card is charged for it any more.

    Raises MoveRefused, BeingPaid, ReasonMissing.
    """
    invoice = locked_with_payer(invoice_id)
    refuse_while_being_paid(invoice)
    lost = Money(invoice.due_minor, invoice.currency)
    invoice.status = after(InvoiceStatus(invoice.status), InvoiceEvent.WRITE_OFF)
    invoice.closed_at = now
    invoice.save(update_fields=["status", "closed_at"])
    post(
        # Written off, recovered, and that taken back: then what is owed again may be written off, too.
        key=free_key(f"write_off:{invoice.id}"),
        kind="write_off",
        at=now,
        description=f"Written off: {invoice.number}",
        sides=[
            Side(Account.BAD_DEBT, invoice.payer_id, lost),
            Side(Account.RECEIVABLE, invoice.payer_id, -lost),
        ],
    )
    record_on_invoice(
        invoice, "write_off", actor_id=actor_id, reason=reason, details={"amount": str(lost)}, now=now
    )
    return invoice
