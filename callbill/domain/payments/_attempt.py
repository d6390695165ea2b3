"""The attempt machine (stripe.md 5.3): row, commit, call, apply.

T1 is in `_preparing.py`. `drive` goes on from wherever an attempt stands, so that a new attempt and one that
was found after a crash take the same way. Nothing is charged twice because one invoice has one PaymentIntent,
which Stripe lets succeed once; keys and leases only make it quiet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _owing, _plan
from callbill.domain.payments._alerts import alert, lasts, settle_after_answer
from callbill.domain.payments._apply import ASK_SOON, apply, end, locked
from callbill.domain.payments._asking import CannotAsk, asking
from callbill.domain.payments._metadata import metadata
from callbill.domain.payments._preparing import LEASE, open_intent
from callbill.domain.payments._silence import Answer
from callbill.domain.payments._withdrawing import cancel
from callbill.domain.payments.gateway import (
    Declined,
    IntentStatus,
    IntentView,
    MovedOn,
    NotAccepted,
    OurMistake,
    OutcomeUnknown,
    RefusalCodes,
    TooSmall,
    TryLater,
    gateway,
)
from callbill.domain.payments.models import LIVE_STATES, GatewayCustomer, PaymentAttempt, PaymentIntent
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.dunning import Stop
from callbill.rules.lifecycle import OWED
from callbill.rules.money import Money

_STATE = PaymentAttempt.State


@dataclass(frozen=True, slots=True)
class _Work:
    """An attempt as it was read, with all that the calls need."""

    attempt_id: UUID
    state: str
    intent_id: UUID
    intent: str
    intent_amount: Money
    amount: Money
    customer: str
    card: str
    description: str
    statement_suffix: str
    metadata: dict[str, str]


def _read(attempt_id: UUID) -> _Work:
    attempt = PaymentAttempt.objects.select_related("intent", "invoice", "payment_method").get(id=attempt_id)
    customer = GatewayCustomer.objects.get(payer_id=attempt.invoice.payer_id)
    return _Work(
        attempt_id=attempt.id,
        state=attempt.state,
        intent_id=attempt.intent_id,
        intent=attempt.intent.reference or "",
        intent_amount=Money(attempt.intent.amount_minor, attempt.intent.currency),
        amount=Money(attempt.amount_minor, attempt.currency),
        customer=customer.reference or "",
        card=attempt.payment_method.reference,
        description=attempt.intent.description,
        statement_suffix=attempt.intent.statement_suffix,
        metadata=metadata(attempt.intent.environment, invoice=attempt.invoice_id, intent=attempt.intent_id),
    )


@outside_transaction
def drive(*, attempt_id: UUID, now: datetime, resumed: bool = False) -> Answer:
    """Take the attempt as far as it goes. Whatever happens, its row says how it stands.

    `resumed` says that an earlier worker may have got further than the row shows. Returns what answer Stripe
    gave, if any. Raises OurMistake after writing it down, because then the next attempt would most likely
    fail alike (M29).
    """
    try:
        _drive(attempt_id, now, resumed)
    except TooSmall:
        _give_up(attempt_id, _STATE.CANCELED, now, "Too small to be charged.", Stop.TOO_SMALL)
    except NotAccepted as error:
        # Nothing was executed, and nothing will be until staff mend it: the attempt waits as it is.
        alert(key="gateway-key", kind="gateway_key", message=str(error), now=now)
        raise
    except CannotAsk as error:
        # Money may have moved and Stripe does not tell: in doubt it stays, and staff must look.
        _look_again(attempt_id, now, str(error))
        _tell_staff(attempt_id, error, now)
        raise
    except OurMistake as error:
        _give_up(attempt_id, _STATE.ERROR, now, str(error), Stop.OUR_MISTAKE)
        _tell_staff(attempt_id, error, now)
        raise
    except (OutcomeUnknown, TryLater) as error:
        _look_again(attempt_id, now, str(error))
        _tell_if_it_lasts(attempt_id, error, now)
        return Answer.of(error)
    else:
        settle_after_answer(key=f"attempt:{attempt_id}", now=now)
    return Answer.GIVEN


def tell_of_failure(attempt_id: UUID, error: Exception, now: datetime) -> None:
    """Nobody foresaw why it could not be gone on with: staff are told if that lasts (M29)."""
    if lasts(PaymentAttempt.objects.get(id=attempt_id).created_at, now):
        _tell_staff(attempt_id, error, now)


def _tell_staff(attempt_id: UUID, error: Exception, now: datetime) -> None:
    number = Invoice.objects.get(payment_attempts=attempt_id).number
    message = f"Invoice {number}: {error} See the invoice's page."
    alert(key=f"attempt:{attempt_id}", kind="our_mistake", message=message, now=now)


def _drive(attempt_id: UUID, now: datetime, resumed: bool) -> None:
    work = _read(attempt_id)
    if work.state not in LIVE_STATES:
        return
    if work.state == _STATE.PREPARED:
        view = _known_intent(work, resumed, now)
        if view.status in (IntentStatus.SUCCEEDED, IntentStatus.CANCELED, IntentStatus.PROCESSING):
            apply(attempt_id=attempt_id, view=view, now=now)
            return
        if view.amount != work.amount:
            other = _other_amount(work, view, now)
            if other is None:
                return
            work, view = other
        if not _submit(work, view, now):
            return
    else:
        # Money may have moved: ask before anything else.
        view = _asked(work.intent)
        attempt = apply(attempt_id=attempt_id, view=view, now=now)
        waits = attempt.state != _STATE.SUBMITTED or view.status is IntentStatus.PROCESSING
        if attempt.state not in LIVE_STATES or (waits and not attempt.given_up_at):
            return
        if _not_wanted(attempt_id):
            _withdraw(work, now)
            return
    _confirm(work, view, now)


def _asked(reference: str) -> IntentView:
    """The payment as it is now, after money may have moved."""
    with asking("paid"):
        return gateway().fetch_intent(reference=reference)


def _known_intent(work: _Work, resumed: bool, now: datetime) -> IntentView:
    """S1 and T2: the payment at the other side, made unless it is there already."""
    if work.intent:
        return gateway().fetch_intent(reference=work.intent)
    view = None
    if resumed:
        # A key is remembered for a day only; what an earlier worker made is found by our id in it.
        view = gateway().find_intent(customer=work.customer, intent_id=str(work.intent_id))
    if view is None:
        view = gateway().create_intent(
            customer=work.customer,
            amount=work.intent_amount,
            description=work.description,
            statement_suffix=work.statement_suffix,
            metadata=work.metadata,
            key=f"pi:{work.intent_id}",
        )
    PaymentIntent.objects.filter(id=work.intent_id, reference=None).update(reference=view.reference)
    return view


def _other_amount(work: _Work, view: IntentView, now: datetime) -> tuple[_Work, IntentView] | None:
    """What is owed changed since the payment was made; the attempt is prepared, so it has nothing under way.

    None where the payment turns out to be paid, or the attempt went on without us. Each try has its key:
    under one, what was refused or went wrong once would be repeated for a day.
    """
    try:
        view = gateway().change_amount(
            reference=view.reference, amount=work.amount, key=f"amount:{work.attempt_id}:{uuid4()}"
        )
    except MovedOn:
        return _in_its_place(work, now)
    PaymentIntent.objects.filter(id=work.intent_id).update(amount_minor=work.amount.minor)
    return work, view


def _in_its_place(work: _Work, now: datetime) -> tuple[_Work, IntentView] | None:
    """The payment cannot be changed, as while a cardholder has the bank's question open: another is made.

    Only once the gateway says that the old one is canceled, so that the two can never both be paid.
    """
    view = cancel(reference=work.intent, intent_id=work.intent_id)
    if view.status in (IntentStatus.SUCCEEDED, IntentStatus.PROCESSING):
        apply(attempt_id=work.attempt_id, view=view, now=now)
        return None
    if view.status is not IntentStatus.CANCELED:
        raise OutcomeUnknown("The payment could neither be changed nor canceled; it is tried again.")
    if not _next_generation(work, now):
        return None
    anew = _read(work.attempt_id)
    return anew, _known_intent(anew, False, now)


@in_transaction
def _next_generation(work: _Work, now: datetime) -> bool:
    """The canceled payment is over, and the attempt is one of another; False if it went on without us."""
    invoice, attempt = locked(work.attempt_id)
    if attempt.state != _STATE.PREPARED or attempt.intent_id != work.intent_id:
        return False
    PaymentIntent.objects.filter(id=work.intent_id).update(state=PaymentIntent.State.CANCELED)
    attempt.intent = open_intent(invoice, work.amount, now)
    attempt.save(update_fields=["intent"])
    return True


@in_transaction
def _submit(work: _Work, view: IntentView, now: datetime) -> bool:
    """T3: from here on money may move. False if the attempt went on without us, or what is owed changed."""
    invoice, attempt = locked(work.attempt_id)
    if attempt.state != _STATE.PREPARED:
        return False
    if why := _why_not_wanted(invoice, attempt):
        end(attempt, _STATE.CANCELED, now, why)
        _plan.after_cancel(invoice, attempt, now)
        return False
    attempt.state = _STATE.SUBMITTED
    attempt.previous_charge = view.latest_charge
    attempt.submitted_at = now
    attempt.lease_until = now + LEASE
    attempt.save()
    return True


def _why_not_wanted(invoice: Invoice, attempt: PaymentAttempt) -> str:
    """Why this attempt may not charge its card any more, though it was prepared; "" if it may."""
    if attempt.given_up_at:
        return "Staff gave it up before the card was charged."
    if _owing.is_stopped(invoice.payer_id):
        return "Payments of this customer were stopped before the card was charged."
    if attempt.payment_method.needs_consent_since:
        return "The bank replaced the card before it was charged."
    if invoice.status not in OWED or _owing.to_charge(invoice).minor != attempt.amount_minor:
        return "What is owed changed before the card was charged."
    return ""


@in_transaction
def _not_wanted(attempt_id: UUID) -> bool:
    """Whether a charge that Stripe knows nothing of must not be asked for again."""
    return bool(_why_not_wanted(*locked(attempt_id)))


def _withdraw(work: _Work, now: datetime) -> None:
    """Give the payment up at Stripe, so that it can never be made; if it was made already, it is applied."""
    apply(attempt_id=work.attempt_id, view=cancel(reference=work.intent, intent_id=work.intent_id), now=now)


def _confirm(work: _Work, view: IntentView, now: datetime) -> None:
    """S2 and T4."""
    refusal: RefusalCodes | None = None
    try:
        after = gateway().confirm(reference=view.reference, card=work.card, key=f"att:{work.attempt_id}")
    except Declined as declined:
        refusal = declined.codes
        after = declined.view or _asked(view.reference)
    except OutcomeUnknown:
        # The one thing to do with no answer is to ask; if that fails too, the sweeper asks.
        after = _asked(view.reference)
        if apply(attempt_id=work.attempt_id, view=after, now=now).state == _STATE.SUBMITTED:
            raise
        return
    apply(attempt_id=work.attempt_id, view=after, now=now, refusal=refusal)


@in_transaction
def _give_up(attempt_id: UUID, state: str, now: datetime, problem: str, because: Stop) -> None:
    """Over without a charge, and not the customer's fault: the invoice stays as it is (M29)."""
    invoice, attempt = locked(attempt_id)
    if attempt.state not in LIVE_STATES:
        return
    end(attempt, state, now, problem)
    # What Stripe refused to make is not asked for again as it was: the next try makes another.
    refused = PaymentIntent.objects.filter(id=attempt.intent_id, reference=None)
    refused.update(state=PaymentIntent.State.CANCELED)
    if because is Stop.OUR_MISTAKE:
        _plan.after_our_mistake(invoice, attempt, now)
    else:
        _plan.put(invoice, at=None, because=because)


@in_transaction
def _look_again(attempt_id: UUID, now: datetime, problem: str) -> None:
    """The outcome is not known: it stays as it is, blocks the next attempt (M26), and is asked about soon."""
    _, attempt = locked(attempt_id)
    if attempt.state in LIVE_STATES:
        attempt.problem = problem
        attempt.lease_until = now + ASK_SOON
        attempt.save(update_fields=["problem", "lease_until"])


def _tell_if_it_lasts(attempt_id: UUID, error: Exception, now: datetime) -> None:
    """Staff are told of what is not known for more than an hour (M29), until it is."""
    attempt = PaymentAttempt.objects.select_related("invoice").get(id=attempt_id)
    if attempt.state in LIVE_STATES and lasts(attempt.created_at, now):
        alert(
            key=f"attempt:{attempt_id}",
            kind="payment_in_doubt",
            message=f"Invoice {attempt.invoice.number}: for more than an hour Stripe has not said what came "
            f"of a payment. It is asked again by itself; you can give it up on the invoice's page. {error}",
            now=now,
        )
