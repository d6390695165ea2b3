"""Taking a bank payment back: a bounced cheque, a returned transfer, one typed on the wrong invoice."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _bank_notices, _owing, _plan
from callbill.domain.payments._receipt_giving import taken_back
from callbill.domain.payments.models import BankPayment
from callbill.domain.payments.operations._bank import CannotRecord
from callbill.lib import formats
from callbill.lib.transactions import in_transaction
from callbill.rules import dunning
from callbill.rules.dunning import Stop, Why
from callbill.rules.lifecycle import OWED, InvoiceStatus
from callbill.rules.money import Money
from callbill.rules.period import local_day


@in_transaction
def return_bank_payment(
    *, payment_id: UUID, reason: str, returned_on: date, actor_id: UUID, now: datetime
) -> BankPayment:
    """Take a bank payment back: what it had paid is owed again, its surplus is no credit any more.

    The invoice is open or past due again, or stays written off; its receipt does not stand any more. No card
    is charged for it at once: the next try is with the payer's next billing cycle, or when somebody pays.
    The billing contacts are told, with `reason`, which is in the audit log, too. `returned_on` is the bank's
    day. The same reference can be recorded again afterwards, as a new payment.

    Raises CannotRecord, AlreadyReturned, BeingPaid (a card is being charged), CreditUsed (the surplus is not
    in the credit balance any more), ReasonMissing.
    """
    payment = BankPayment.objects.select_related("invoice").get(id=payment_id)
    if problems := _problems(payment, returned_on, now):
        raise CannotRecord(problems)
    done = invoicing.return_bank_money(
        invoice_id=payment.invoice_id,
        payment_id=payment.id,
        amount=Money(payment.amount_minor, payment.currency),
        surplus=Money(payment.surplus_minor, payment.currency),
        now=now,
    )
    invoicing.record_on_invoice(
        done.invoice,
        "return_bank_payment",
        actor_id=actor_id,
        reason=reason,
        details={
            "amount": str(Money(payment.amount_minor, payment.currency)),
            "reference": payment.reference,
            "returned_on": returned_on.isoformat(),
            "owed_again": str(done.owed_again),
            **({"from_credit_balance": str(done.from_balance)} if done.from_balance.minor else {}),
        },
        now=now,
    )
    payment.invoice = done.invoice
    payment.returned_on, payment.returned_at = returned_on, now
    payment.returned_by_id, payment.returned_because = actor_id, reason.strip()
    payment.save(update_fields=["returned_on", "returned_at", "returned_by", "returned_because"])
    receipt = None
    if done.owed_again.minor:
        receipt = taken_back(done.invoice, done.owed_again.minor, came_at=payment.recorded_at, now=now)
        _plan_again(done.invoice, now)
    _bank_notices.returned(payment, done.owed_again, receipt, now)
    return payment


def _problems(payment: BankPayment, returned_on: date, now: datetime) -> list[str]:
    """Everything that is wrong with what was typed."""
    if returned_on > local_day(now, payment.invoice.time_zone):
        return ["The day on which it was returned has not come yet."]
    if returned_on < payment.received_on:
        received = formats.day(payment.received_on)
        return [f"It was received on {received}; it cannot have been returned before."]
    return []


def _plan_again(invoice: Invoice, now: datetime) -> None:
    """The card is charged with the next billing cycle, not at once: the customer must have read of it first.

    What stands in the way of that is said as after any other try that could not be made.
    """
    if invoice.status not in OWED:
        return
    cycle = _plan.next_cycle(invoice, now)
    plan = _plan.plan_of(invoice)
    card = _plan.default_card(invoice.payer_id)
    if not dunning.can_be_charged(Money(invoice.due_minor, invoice.currency)):
        _plan.put(invoice, at=None, because=Stop.TOO_SMALL)
    elif _owing.is_stopped(invoice.payer_id):
        _plan.put(invoice, at=None, because=Stop.STOPPED)
    elif not _owing.to_charge(invoice).minor:
        _plan.put(invoice, at=None, because=Stop.ON_HOLD)
    elif plan.automatic_attempts >= dunning.MOST_AUTOMATIC_ATTEMPTS:
        _plan.put(invoice, at=None, because=Stop.TOO_MANY)
    elif card is None or card.needs_consent_since:
        # As everywhere: an open invoice waits for a card until its due date, one past due until the cycle.
        later = cycle if invoice.status == InvoiceStatus.PAST_DUE.value else None
        stop = Stop.NO_CARD if card is None else Stop.NEEDS_CONSENT
        _plan.put(invoice, at=later, why=Why.CYCLE, because=stop)
    elif _plan.must_be_replaced(invoice.id, card):
        _plan.put(invoice, at=cycle, why=Why.CYCLE, because=Stop.REPLACE_CARD)
    else:
        _plan.put(invoice, at=cycle, why=Why.RETURNED)
