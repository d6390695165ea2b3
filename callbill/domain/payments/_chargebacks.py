"""Following what a cardholder's bank says against a charge: ask, then let everything here follow, in one go.

A message, the daily question and reconciliation all come here by the dispute's reference. What is applied was
asked for after what is known here was read, and is dropped if somebody else applied something meanwhile; so
order, repetition and loss of messages do no harm. Each movement of money is posted under the name that the
other side gave it, so once whatever happens.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Sum

from callbill.domain.customers.models import BillableEntity
from callbill.domain.disputes import operations as disputes
from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.ledger.queries import balance, free_key, posted
from callbill.domain.payments import _chargeback_notices, _holding, _owing, _plan
from callbill.domain.payments._receipt_giving import give_receipt, taken_back
from callbill.domain.payments.gateway import ChargebackView, TryLater, gateway
from callbill.domain.payments.models import Chargeback, FraudWarning, PaymentAttempt
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.dunning import Stop
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money

_STATE = Chargeback.State
_UNDECIDED = (_STATE.INQUIRY, _STATE.OPEN)
_TRIES = 3
Known = tuple[str, int] | None


class UnknownCharge(Exception):
    """The charge is not one of ours, or not yet."""


@outside_transaction
def follow_chargeback(*, reference: str, now: datetime) -> None:
    """Ask for a dispute and let everything here follow it. Raises UnknownCharge and GatewayError's kinds."""
    for _ in range(_TRIES):
        known = _known(Chargeback.objects.filter(reference=reference).first())
        view = gateway().fetch_chargeback(reference=reference)
        if apply_chargeback(view=view, known=known, now=now):
            return
    raise TryLater(f"Dispute {reference} is being applied by somebody else at this moment.")


def _known(row: Chargeback | None) -> Known:
    return (row.state, row.withdrawn_minor) if row else None


@in_transaction
def apply_chargeback(*, view: ChargebackView, known: Known, now: datetime) -> bool:
    """Let the dispute's row, the books, the invoice, its hold and the alert follow `view`.

    False, and nothing done, if what is known here is not `known` any more: then `view` may be old. Seeing the
    same twice changes nothing. Raises UnknownCharge.
    """
    attempt = charged_by(view.charge)
    # The payer first, as billing does: the credit balance may change.
    BillableEntity.objects.select_for_update(no_key=True).get(id=attempt.invoice.payer_id)
    invoice = Invoice.objects.select_for_update().get(id=attempt.invoice_id)
    row = Chargeback.objects.select_for_update().filter(reference=view.reference).first()
    if _known(row) != known:
        return False
    before = row.state if row else ""
    row = row or Chargeback(reference=view.reference, attempt=attempt, opened_at=view.opened_at)
    row.state = _STATE(view.status.value)
    row.reason = view.reason[:60]
    row.amount_minor, row.currency = view.amount.minor, view.amount.currency
    row.evidence_due_at = view.evidence_due_at
    row.closed_at = None if row.state in _UNDECIDED else row.closed_at or now
    if posted(f"payment:{view.charge}"):
        _post_moves(row, view, invoice, now)
    row.save()
    if not before:
        _warned_before(attempt, row, now)
    decision = _owe(row, invoice, now)
    invoice.refresh_from_db()
    _hold(row, invoice, decision, now)
    if row.state != before:
        _chargeback_notices.tell_staff(row, now)
    return True


def charged_by(charge: str) -> PaymentAttempt:
    """The attempt that made a charge. Raises UnknownCharge, also while its outcome is not known here yet."""
    made = PaymentAttempt.objects.filter(charge=charge, state=PaymentAttempt.State.SUCCEEDED.value)
    attempt = made.select_related("payment_method", "invoice").first()
    if attempt is None:
        raise UnknownCharge(f"No payment of ours is charge {charge}.")
    return attempt


def _post_moves(row: Chargeback, view: ChargebackView, invoice: Invoice, now: datetime) -> None:
    """What the bank took from our balance at the gateway, or gave back: each movement once."""
    for move in view.moves:
        taken = move.amount.minor > 0
        fresh = post(
            key=f"chargeback_moved:{move.transaction}",
            kind="chargeback_withdrawn" if taken else "chargeback_reinstated",
            at=now,
            description=f"{'Disputed' if taken else 'Given back'}: {view.charge} for {invoice.number}",
            sides=[
                Side(Account.CHARGEBACKS, invoice.payer_id, move.amount),
                Side(Account.STRIPE_CLEARING, invoice.payer_id, -move.amount),
            ],
        )
        if fresh:
            row.withdrawn_minor += move.amount.minor


def _owe(row: Chargeback, invoice: Invoice, now: datetime) -> str:
    """What the bank has for good is owed again, never more than was paid; what it gave back is not.

    Returns the name of the bank's decision if more is owed by it, or "".
    """
    others = Chargeback.objects.filter(attempt=row.attempt).exclude(id=row.id)
    lost_else = int(others.aggregate(all=Sum(F("lost_minor") - F("surplus_minor"), default=0))["all"])
    for_good = row.withdrawn_minor if row.state == _STATE.LOST else 0
    change = min(for_good, row.attempt.amount_minor - lost_else) - row.lost_minor + row.surplus_minor
    if change > 0:
        change -= _take_credit_back(row, change, now)
    decision = _fresh("charged_back" if change > 0 else "charge_back_undone", row)
    if change > 0:
        invoicing.charge_back(invoice_id=invoice.id, amount_minor=change, reference=decision, now=now)
        came_at = row.attempt.finished_at or row.attempt.created_at
        taken_back(invoice, change, came_at=came_at, now=now)
        row.lost_minor += change
    elif change < 0:
        back = invoicing.undo_charge_back(
            invoice_id=invoice.id, amount_minor=-change, reference=decision, now=now
        )
        row.lost_minor -= back
        invoice.refresh_from_db()
        if invoice.status == InvoiceStatus.PAID.value:
            give_receipt(invoice, None, now)
        if surplus := -change - back:
            _credit(row, surplus, now)
            _chargeback_notices.credited(row, Money(surplus, row.currency), decision, now)
    row.save(update_fields=["lost_minor", "surplus_minor"])
    return decision if change > 0 else ""


def _take_credit_back(row: Chargeback, change: int, now: datetime) -> int:
    """The bank took again what had become credit: out of the balance, as far as it is still there."""
    held = -balance(row.attempt.invoice.payer_id, Account.CUSTOMER_BALANCE, row.currency).minor
    taken = max(min(change, row.surplus_minor, held), 0)
    if taken:
        _credit(row, -taken, now)
    return taken


def _credit(row: Chargeback, minor: int, now: datetime) -> None:
    """Into the credit balance what the bank gave back for nothing owed, or (negative) out of it."""
    invoice, amount = row.attempt.invoice, Money(minor, row.currency)
    post(
        key=free_key(f"chargeback_surplus:{row.reference}"),
        kind="chargeback_surplus",
        at=now,
        description=f"Given back by the cardholder's bank for {invoice.number}, which was settled otherwise",
        sides=[
            Side(Account.CHARGEBACKS, invoice.payer_id, amount),
            Side(Account.CUSTOMER_BALANCE, invoice.payer_id, -amount),
        ],
    )
    row.surplus_minor += minor


def _fresh(fact: str, row: Chargeback) -> str:
    """A name for the bank's decision that no posting has yet: the second time its mind changed is another."""
    return free_key(f"{fact}:{row.reference}").removeprefix(f"{fact}:")


def _hold(row: Chargeback, invoice: Invoice, decision: str, now: datetime) -> None:
    """Hold while the bank decides and after it decided against us; let go when it is over."""
    is_owed_again = row.lost_minor > row.surplus_minor and invoice.status == InvoiceStatus.PAST_DUE.value
    if row.state in _UNDECIDED:
        _place(row, invoice, now)
    elif not is_owed_again:
        lift_for(Hold.Kind.CHARGEBACK, row.reference, f"The bank has decided: {row.get_state_display()}", now)
        _holding.wake(invoice, now)
    elif decision:
        _place(row, invoice, now)
        if not _owing.to_charge(invoice).minor and _plan.live_attempt(invoice.id) is None:
            _plan.put(invoice, at=None, because=Stop.ON_HOLD)
        _chargeback_notices.owed_again(row, invoice, decision, now)


def _place(row: Chargeback, invoice: Invoice, now: datetime) -> None:
    disputes.place_hold(
        invoice_id=invoice.id,
        kind=Hold.Kind.CHARGEBACK.value,
        cause=row.reference,
        amount=Money(row.amount_minor, row.currency),
        reason=f"They say that {_chargeback_notices.reason_in_words(row.reason)}.",
        actor_id=None,
        now=now,
    )


def lift_for(kind: Hold.Kind, cause: str, because: str, now: datetime) -> None:
    """Lift the open hold of a cause, by itself; nothing if there is none."""
    for hold in Hold.objects.filter(kind=kind.value, cause=cause, lifted_at=None):
        disputes.lift_hold(hold_id=hold.id, reason=because, actor_id=None, now=now)


def _warned_before(attempt: PaymentAttempt, row: Chargeback, now: datetime) -> None:
    """What the bank had warned of has happened: the dispute's own hold takes the warning's place."""
    for warning in FraudWarning.objects.filter(attempt=attempt):
        lift_for(Hold.Kind.FRAUD_WARNING, warning.reference, f"It became dispute {row.reference}", now)
        _chargeback_notices.settle_warning(warning.reference, now)
