"""Giving credit back to the card: row, commit, call, apply (stripe.md 5.3), like an attempt to charge.

The money leaves the credit balance when the row is written, so that no invoice can use it meanwhile: until
the other side answers it is on its way (account refunds_payable). Every posting has a key of its own, so each
is made once. Nothing is refunded twice because a refund carries our id: whoever comes back after a crash
looks for it first, and the key `refund:<id>` covers the moments in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.operations import Side, post
from callbill.domain.ledger.queries import free_key
from callbill.domain.payments import _notices, _warnings
from callbill.domain.payments._alerts import alert, lasts, settle_after_answer, settle_matter
from callbill.domain.payments._asking import CannotAsk, asking
from callbill.domain.payments._metadata import environment, metadata
from callbill.domain.payments._refundable import charge_to_refund, left_in_balance, why_not
from callbill.domain.payments._refused import CannotRefund, PaymentInProgress
from callbill.domain.payments._silence import Answer
from callbill.domain.payments.gateway import (
    ChargedBack,
    Declined,
    NotAccepted,
    OurMistake,
    OutcomeUnknown,
    RefundStatus,
    RefundView,
    TryLater,
    gateway,
)
from callbill.domain.payments.models import LIVE_REFUNDS, PaymentAttempt, Refund
from callbill.lib import formats
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.money import Money

_STATE = Refund.State
LEASE = timedelta(minutes=15)
_TRIES = 3
_SOON = timedelta(minutes=2)
# How long until the sweeper asks again about a refund that is on its way.
_ASK_AGAIN = timedelta(hours=6)


@in_transaction
def prepare_refund(
    *, note_id: UUID, requested_by: UUID, now: datetime, wanted: Money | None = None
) -> Refund:
    """The refund as a row, its amount taken out of the credit balance. Nothing is asked of anybody yet.

    It is over what is `wanted`, or over all that can go back. Raises PaymentInProgress (a refund of the note
    is under way), CannotRefund.
    """
    note = lock_note(note_id)
    attempt, amount = charge_to_refund(note)
    if attempt is None:
        raise CannotRefund(why_not(note))
    if wanted is not None:
        if wanted.currency != amount.currency or not 0 < wanted.minor <= amount.minor:
            raise CannotRefund(
                f"At most {formats.money(amount)} of credit note {note.number} can go back to the card now."
            )
        amount = wanted
    return begin_refund(note, attempt, amount, requested_by=requested_by, now=now)


def lock_note(note_id: UUID) -> CreditNote:
    """The credit note, its payer and its invoice locked. Raises PaymentInProgress while one is under way."""
    payer_id, invoice_id = CreditNote.objects.values_list("invoice__payer_id", "invoice_id").get(id=note_id)
    # The payer first, as billing does: its next invoice would use the same balance.
    BillableEntity.objects.select_for_update(no_key=True).get(id=payer_id)
    Invoice.objects.select_for_update().get(id=invoice_id)
    note = CreditNote.objects.select_related("invoice").get(id=note_id)
    if Refund.objects.filter(credit_note=note, state__in=LIVE_REFUNDS).exists():
        raise PaymentInProgress(f"A refund of credit note {note.number} is under way.")
    return note


def begin_refund(
    note: CreditNote,
    attempt: PaymentAttempt,
    amount: Money,
    *,
    requested_by: UUID,
    now: datetime,
    reference: str | None = None,
) -> Refund:
    """The row, and its amount on its way; `reference` if it was made at the other side already."""
    refund = Refund.objects.create(
        credit_note=note,
        attempt=attempt,
        amount_minor=amount.minor,
        currency=amount.currency,
        reference=reference,
        environment="" if reference else environment(),
        requested_by_id=requested_by,
        created_at=now,
        lease_until=now + LEASE,
    )
    _move(refund, "refund", Account.CUSTOMER_BALANCE, Account.REFUNDS_PAYABLE, now)
    return refund


@outside_transaction
def drive_refund(*, refund_id: UUID, now: datetime, resumed: bool = False) -> Answer:
    """Take the refund as far as it goes; whatever happens, its row says how it stands.

    `resumed` says that an earlier worker may have got further than the row shows. Returns what answer Stripe
    gave, if any. Raises OurMistake after writing it down.
    """
    try:
        _ask_and_apply(refund_id, resumed, now)
    except NotAccepted as error:
        alert(key="gateway-key", kind="gateway_key", message=str(error), now=now)
        raise
    except CannotAsk as error:
        # It may have been made and Stripe does not tell: its money stays on its way, and staff must look.
        _look_again(refund_id, str(error), now)
        _tell_staff(refund_id, error, now)
        raise
    except ChargedBack as error:
        # Disputed meanwhile, and we were not told yet: nobody's mistake (docs.stripe.com/disputes).
        _fail(refund_id, str(error), now)
    except OurMistake as error:
        _fail(refund_id, str(error), now)
        _tell_staff(refund_id, error, now)
        raise
    except (OutcomeUnknown, TryLater) as error:
        _look_again(refund_id, str(error), now)
        _tell_if_it_lasts(refund_id, error, now)
        return Answer.of(error)
    settle_after_answer(key=f"refund:{refund_id}", now=now)
    return Answer.GIVEN


def _ask_and_apply(refund_id: UUID, resumed: bool, now: datetime) -> None:
    for number in range(_TRIES):
        refund = Refund.objects.select_related("attempt__intent").get(id=refund_id)
        if refund.state not in LIVE_REFUNDS:
            return
        view = _asked(refund, resumed or number > 0)
        if apply_refund(refund_id=refund_id, view=view, known=refund.state, now=now):
            return
    raise _overtaken(view)


@outside_transaction
def follow_refund(*, refund_id: UUID, reference: str, now: datetime) -> None:
    """Ask for a refund and let everything here follow it. Raises GatewayError's kinds."""
    for _ in range(_TRIES):
        known = Refund.objects.values_list("state", flat=True).get(id=refund_id)
        view = gateway().fetch_refund(reference=reference)
        if apply_refund(refund_id=refund_id, view=view, known=known, now=now):
            return
    raise _overtaken(view)


def _overtaken(view: RefundView) -> TryLater:
    return TryLater(f"Refund {view.reference} is being applied by somebody else at this moment.")


def tell_of_failure(refund_id: UUID, error: Exception, now: datetime) -> None:
    """Nobody foresaw why it could not be gone on with: staff are told if that lasts (M29)."""
    if lasts(Refund.objects.get(id=refund_id).created_at, now):
        _tell_staff(refund_id, error, now)


def _tell_staff(refund_id: UUID, error: Exception, now: datetime) -> None:
    note = Refund.objects.select_related("credit_note__invoice").get(id=refund_id).credit_note
    message = f"Refund of credit note {note.number}: {error} See the page of invoice {note.invoice.number}."
    alert(key=f"refund:{refund_id}", kind="our_mistake", message=message, now=now)


def _asked(refund: Refund, resumed: bool) -> RefundView:
    found = _made_before(refund, resumed)
    if found is not None:
        return found
    try:
        return gateway().refund(
            charge=refund.attempt.charge or "",
            amount=Money(refund.amount_minor, refund.currency),
            metadata=metadata(refund.environment, refund=refund.id, credit_note=refund.credit_note_id),
            key=f"refund:{refund.id}",
        )
    except Declined as error:
        raise OurMistake(str(error)) from error


def _made_before(refund: Refund, resumed: bool) -> RefundView | None:
    """The refund as it is at the other side, if this or an earlier worker made it."""
    with asking("refunded"):
        if refund.reference:
            return gateway().fetch_refund(reference=refund.reference)
        if resumed:
            # A key is remembered for a day only; what an earlier worker made is found by our id in it.
            intent = refund.attempt.intent.reference or ""
            return gateway().find_refund(intent=intent, refund_id=str(refund.id))
    return None


@in_transaction
def apply_refund(*, refund_id: UUID, view: RefundView, known: str, now: datetime) -> bool:
    """Let the refund, the books and the outbox follow `view`; seeing the same twice changes nothing.

    False, and nothing done, if the refund's state is not the `known` one any more, which was read before
    `view` was asked for: then `view` may be older than what was applied meanwhile.
    """
    refund = _locked(refund_id)
    if refund.state != known:
        return False
    if refund.problem:
        settle_matter(key=f"refund:{refund.id}", now=now)
    refund.reference = view.reference
    if view.status is RefundStatus.FAILED:
        _failed(refund, view.problem or "The refund did not arrive.", now)
    elif refund.state in LIVE_REFUNDS:
        if view.status is RefundStatus.SUCCEEDED:
            _made(refund, now)
        else:
            refund.state, refund.lease_until = _STATE.PENDING, now + _ASK_AGAIN
    elif refund.state == _STATE.FAILED and view.status is RefundStatus.SUCCEEDED:
        _made_after_all(refund, now)
    refund.save()
    if refund.state == _STATE.SUCCEEDED:
        _warnings.after_refund(attempt=refund.attempt, now=now)
    return True


def _made(refund: Refund, now: datetime) -> None:
    """The money has left: out of the books, and the customer is told."""
    refund.state, refund.finished_at, refund.lease_until = _STATE.SUCCEEDED, now, None
    refund.problem = ""
    fact = _move(refund, "refund_made", Account.REFUNDS_PAYABLE, Account.STRIPE_CLEARING, now)
    _notices.refunded(refund, fact, now)


def _made_after_all(refund: Refund, now: datetime) -> None:
    """It failed here, so its amount became balance again; but the other side has made it.

    Taken out of the balance again if it is still there; else the customer has had it twice.
    """
    note = refund.credit_note
    missing = refund.amount_minor - left_in_balance(note)
    if missing <= 0:
        _move(refund, "refund", Account.CUSTOMER_BALANCE, Account.REFUNDS_PAYABLE, now)
        _made(refund, now)
        for key in (f"refund-failed:{refund.id}", f"refund-late:{refund.id}", f"refund:{refund.id}"):
            settle_matter(key=key, now=now)
        return
    amount, left, twice = (
        formats.money(Money(minor, refund.currency))
        for minor in (refund.amount_minor, refund.amount_minor - missing, missing)
    )
    alert(
        key=f"refund-late:{refund.id}",
        kind="refund_late",
        message=f"Stripe made the refund of {amount} for credit note {note.number} after all, which had "
        f"failed here. Only {left} of it is left in the credit balance; the customer has had {twice} twice. "
        f"Talk to them. Credit lines of invoice {note.invoice.number} for {twice} if they may keep it: once "
        "the balance covers the refund, reconciliation books it by itself.",
        now=now,
    )


@in_transaction
def _fail(refund_id: UUID, problem: str, now: datetime) -> None:
    refund = _locked(refund_id)
    if refund.state in LIVE_REFUNDS:
        _failed(refund, problem, now)
        refund.save()


def _failed(refund: Refund, problem: str, now: datetime) -> None:
    """It came to nothing, before it arrived or after: the money is in the credit balance again."""
    if refund.state == _STATE.FAILED.value:
        return
    arrived = refund.state == _STATE.SUCCEEDED.value
    source = Account.STRIPE_CLEARING if arrived else Account.REFUNDS_PAYABLE
    refund.state, refund.finished_at, refund.lease_until = _STATE.FAILED, now, None
    refund.problem = problem
    fact = _move(refund, "refund_failed", source, Account.CUSTOMER_BALANCE, now)
    if arrived:
        _notices.refund_returned(refund, fact, now)
    amount = formats.money(Money(refund.amount_minor, refund.currency))
    alert(
        key=f"refund-failed:{refund.id}",
        kind="refund_failed",
        message=f"The refund of {amount} for credit note {refund.credit_note.number} failed: {problem} "
        "The amount is in the customer's credit balance again.",
        now=now,
    )


@in_transaction
def _look_again(refund_id: UUID, problem: str, now: datetime) -> None:
    refund = _locked(refund_id)
    if refund.state in LIVE_REFUNDS:
        refund.problem, refund.lease_until = problem, now + _SOON
        refund.save()


def _tell_if_it_lasts(refund_id: UUID, error: Exception, now: datetime) -> None:
    """As of payments: staff are told of what is not known for more than an hour (M29), until it is."""
    refund = Refund.objects.select_related("credit_note__invoice").get(id=refund_id)
    note = refund.credit_note
    if refund.state in LIVE_REFUNDS and lasts(refund.created_at, now):
        alert(
            key=f"refund:{refund_id}",
            kind="refund_in_doubt",
            message=f"Refund of credit note {note.number}, invoice {note.invoice.number}: for more than an "
            f"hour Stripe has not said what came of it. It is asked again by itself. {error}",
            now=now,
        )


def _locked(refund_id: UUID) -> Refund:
    """The refund locked, and its payer before it, because the credit balance may change."""
    payer_id = Refund.objects.values_list("credit_note__invoice__payer_id", flat=True).get(id=refund_id)
    BillableEntity.objects.select_for_update(no_key=True).get(id=payer_id)
    rows = Refund.objects.select_for_update(of=("self",))
    return rows.select_related("credit_note__invoice", "attempt__payment_method").get(id=refund_id)


def _move(refund: Refund, fact: str, debit: Account, credit: Account, now: datetime) -> str:
    """Post it; the row's state, which is locked, says that it is due once. Returns the fact's own name.

    The same fact can come again: made, sent back by the bank, and made after all.
    """
    key = free_key(f"{fact}:{refund.id}")
    payer_id = refund.credit_note.invoice.payer_id
    amount = Money(refund.amount_minor, refund.currency)
    post(
        key=key,
        kind=fact,
        at=now,
        description=f"Refund of credit note {refund.credit_note.number}",
        sides=[Side(debit, payer_id, amount), Side(credit, payer_id, -amount)],
    )
    return key.removeprefix(f"{fact}:")
