"""Money that came without a card, recorded by staff: all of what is due, a part of it, or more."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _bank_notices, _plan
from callbill.domain.payments._receipt_giving import give_receipt
from callbill.domain.payments.models import BankPayment
from callbill.lib.transactions import in_transaction
from callbill.rules import dunning
from callbill.rules.dunning import Stop
from callbill.rules.lifecycle import OWED, InvoiceStatus
from callbill.rules.money import Money
from callbill.rules.period import local_day

_LONGEST_REFERENCE = 60


class CannotRecord(Exception):
    """What was typed about the money cannot be; `problems` says everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problems))


@in_transaction
def record_bank_payment(
    *,
    invoice_id: UUID,
    method: str,
    amount: Money,
    reference: str,
    received_on: date,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> BankPayment:
    """Record a bank transfer or cheque for an invoice; the rest, if any, is charged as planned.

    `method` is a BankPayment.Method; `reference` the bank's or the cheque's number. More than is due: the
    surplus is credit balance. Of an invoice that was written off it is the recovery. The billing contacts are
    told, and an invoice that is paid by it has its receipt. Who, when and why are in the audit log. A wrong
    entry is taken back by `return_bank_payment`; then the same reference can be recorded again.

    Raises CannotRecord, AlreadyRecorded (the same reference for the same invoice), BeingPaid (a card is being
    charged), MoveRefused (draft, void), ReasonMissing.
    """
    reference = " ".join(reference.split())
    invoice = Invoice.objects.get(id=invoice_id)
    today = local_day(now, invoice.time_zone)
    problems = _problems(invoice, method, amount, reference)
    if received_on > today:
        problems.append("The day on which it was received has not come yet.")
    if problems:
        raise CannotRecord(problems)
    banked = invoicing.record_bank_money(
        invoice_id=invoice_id,
        amount=amount,
        reference=reference,
        now=now,
        returned_before=_returned_before(invoice, reference),
    )
    payment = BankPayment.objects.create(
        invoice=banked.invoice,
        method=method,
        amount_minor=amount.minor,
        currency=amount.currency,
        surplus_minor=banked.surplus.minor,
        reference=reference,
        received_on=received_on,
        recorded_at=now,
        recorded_by_id=actor_id,
    )
    _look_at_the_plan_again(banked.invoice)
    settled = banked.paid.minor > 0 and banked.invoice.status == InvoiceStatus.PAID.value
    receipt = give_receipt(banked.invoice, None, now) if settled else None
    _bank_notices.bank_payment(payment, receipt, now)
    invoicing.record_on_invoice(
        banked.invoice,
        "record_bank_payment",
        actor_id=actor_id,
        reason=reason,
        details={
            "amount": str(amount),
            "method": method,
            "reference": reference,
            "received_on": received_on.isoformat(),
            **({"to_credit_balance": str(banked.surplus)} if banked.surplus.minor else {}),
        },
        now=now,
    )
    return payment


def _problems(invoice: Invoice, method: str, amount: Money, reference: str) -> list[str]:
    """Everything that is wrong with what was typed."""
    problems = []
    if method not in BankPayment.Method.values:
        problems.append(f"“{method}” is not a way of paying: choose bank transfer or cheque.")
    if amount.currency != invoice.currency:
        problems.append(f"The invoice is in {invoice.currency}, the money in {amount.currency}.")
    if amount.minor <= 0:
        problems.append("The amount must be above zero.")
    if not reference or len(reference) > _LONGEST_REFERENCE:
        problems.append("The reference must have 1 to 60 characters.")
    return problems


def _returned_before(invoice: Invoice, reference: str) -> int:
    """How often money with this reference was taken back: a cheque that bounced is presented again."""
    returned = BankPayment.objects.filter(invoice=invoice, returned_at__isnull=False)
    references = returned.values_list("reference", flat=True)
    return sum(each.casefold() == reference.casefold() for each in references)


def _look_at_the_plan_again(invoice: Invoice) -> None:
    """Nothing due: nothing planned. A rest too small for a card is not charged; any other is, as planned."""
    if invoice.due_minor == 0:
        _plan.put(invoice, at=None)
    elif invoice.status in OWED and not dunning.can_be_charged(Money(invoice.due_minor, invoice.currency)):
        _plan.put(invoice, at=None, because=Stop.TOO_SMALL)
