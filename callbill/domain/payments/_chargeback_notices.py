"""Who is told of charges disputed at the bank: staff at every turn, customers when they owe again."""

from __future__ import annotations

from datetime import datetime

from callbill.domain.invoicing.models import Invoice
from callbill.domain.notifications.operations import Message
from callbill.domain.payments._alerts import alert, settle_matter
from callbill.domain.payments._labels import card_label, day, due_of
from callbill.domain.payments._notices import invoice_path, tell_of
from callbill.domain.payments.models import Chargeback, FraudWarning
from callbill.lib import formats
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money

_STATE = Chargeback.State
# docs.stripe.com/api/disputes/object#dispute_object-reason
_REASONS = {
    "bank_cannot_process": "the bank could not process the payment",
    "credit_not_processed": "a refund they were promised did not come",
    "customer_initiated": "the cardholder asked the bank to take it back",
    "duplicate": "they paid twice for the same thing",
    "fraudulent": "the cardholder did not make the payment",
    "insufficient_funds": "there was not enough money",
    "product_not_received": "the service was not received",
    "product_unacceptable": "the service was not as agreed",
    "subscription_canceled": "the agreement had been ended",
    "unrecognized": "the cardholder does not recognize the payment",
}


def reason_in_words(reason: str) -> str:
    """What the cardholder's bank gives as the reason, after "They say that"; "" for none."""
    return _REASONS.get(reason, "")


def tell_staff(row: Chargeback, now: datetime) -> None:
    """Raise the matter of a dispute anew at every turn that asks something of staff, and settle the last."""
    settle_dispute(row.reference, now)
    if row.state in (_STATE.WON, _STATE.INQUIRY_CLOSED):
        return
    if row.state == _STATE.LOST and not row.lost_minor:
        follows = "Nothing of it is in our books as paid, so nothing is owed again; see reconciliation."
    elif row.state == _STATE.LOST and row.attempt.invoice.status == InvoiceStatus.UNCOLLECTIBLE.value:
        follows = "The invoice was written off, so it is bad debt; record what still comes."
    else:
        follows = _FOLLOWS[_STATE(row.state)]
    amount, number = formats.money(Money(row.amount_minor, row.currency)), row.attempt.invoice.number
    happened = _HAPPENED[_STATE(row.state)].format(amount=amount, number=number)
    until = f" Answer by {formats.day_in(row.evidence_due_at, 'UTC')}." if row.evidence_due_at else ""
    reason = reason_in_words(row.reason)
    because = f" They say that {reason}." if reason else " They gave no reason."
    answer = f"{because}{until}" if row.state != _STATE.LOST else ""
    alert(
        key=_key(row.reference, row.state),
        kind="chargeback",
        message=f"{happened}{answer} {follows}",
        now=now,
    )


_HAPPENED = {
    _STATE.INQUIRY: "The cardholder's bank asks about a payment of {amount} for invoice {number}.",
    _STATE.OPEN: "The cardholder's bank disputes a payment of {amount} for invoice {number} and took it.",
    _STATE.LOST: "The dispute of {amount} for invoice {number} is lost.",
}
_FOLLOWS = {
    _STATE.INQUIRY: "Answer at Stripe, or refund it, before it becomes a chargeback.",
    _STATE.OPEN: "Send evidence at Stripe, or accept it there. Do not credit or refund it meanwhile.",
    _STATE.LOST: "The amount is owed again and on hold: talk to the customer, then lift the hold to have the "
    "card charged, record a bank payment, credit it, or write it off.",
}


def tell_staff_of_warning(warning: FraudWarning, now: datetime) -> None:
    """A warning of fraud, with what is best done about it."""
    attempt = warning.attempt
    amount = formats.money(Money(attempt.amount_minor, attempt.currency))
    alert(
        key=f"fraud-warning:{warning.reference}",
        kind="fraud_warning",
        message=f"The bank warns that the payment of {amount} for invoice {attempt.invoice.number} may be "
        f"fraud ({warning.kind.replace('_', ' ') or 'no kind given'}). Credit the invoice and refund it to "
        "the card before it becomes a chargeback, or lift the hold if the customer confirms the payment.",
        now=now,
    )


def settle_dispute(reference: str, now: datetime) -> None:
    """Nothing is to be done about a dispute any more, or something else."""
    for state in _STATE.values:
        settle_matter(key=_key(reference, state), now=now)


def settle_warning(reference: str, now: datetime) -> None:
    """The warning was looked at, came true or lost its object."""
    settle_matter(key=f"fraud-warning:{reference}", now=now)


def _key(reference: str, state: str) -> str:
    return f"chargeback:{reference}:{state}"


def owed_again(row: Chargeback, invoice: Invoice, decision: str, now: datetime) -> None:
    """Mail the billing contacts: the bank took a payment back for good; what to do, what happens next."""
    amount = formats.money(Money(row.lost_minor, row.currency))
    attempt = row.attempt
    paid = day(attempt.finished_at or attempt.created_at, invoice.time_zone)
    message = Message(
        subject=f"Invoice {invoice.number} is owed again: the bank took the payment back",
        headline="A payment was taken back",
        paragraphs=(
            f"You paid invoice {invoice.number} on {paid} with your {card_label(attempt.payment_method)}. "
            f"The cardholder disputed that payment, and the card's bank has taken {amount} back for good.",
            f"What to do: {amount} is owed again. Please answer this mail, and tell us whether to "
            "charge a card or to expect a bank transfer. If there is something wrong with the invoice, tell "
            "us that too.",
            "What happens next: no card is charged for it by itself until we have spoken.",
        ),
        facts=(
            ("Invoice", invoice.number or ""),
            ("Owed again", amount),
            ("Still to be paid", formats.money(due_of(invoice))),
        ),
        action=("See the invoice", invoice_path(invoice)),
    )
    tell_of(f"charged-back:{decision}", "payment_charged_back", invoice, message, now)


def credited(row: Chargeback, surplus: Money, decision: str, now: datetime) -> None:
    """Mail the billing contacts: the bank gave back what was settled otherwise, so it is their credit."""
    invoice, amount = row.attempt.invoice, formats.money(surplus)
    message = Message(
        subject=f"You have a credit of {amount}: your bank gave a payment back to us",
        headline="A payment came back to us",
        paragraphs=(
            f"The bank of your {card_label(row.attempt.payment_method)} had taken a payment for invoice "
            f"{invoice.number} back, and has now given us {amount} of it. The invoice was settled otherwise "
            "meanwhile, so the amount is yours.",
            "What happens next: it is in your credit balance, and your next invoice uses it. There is "
            "nothing to do. If you would rather have it back, answer this mail.",
        ),
        facts=(("Invoice", invoice.number or ""), ("Credit", amount)),
        action=("See the invoice", invoice_path(invoice)),
    )
    tell_of(f"chargeback-credited:{decision}", "payment_charged_back", invoice, message, now)
