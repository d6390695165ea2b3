"""T4 of the attempt machine: what the other side says becomes true here, in one transaction.

Answer, webhook, sweeper and staff all come here with the payment as it was just fetched. It is monotonic:
money that was taken beats everything, an attempt that is over stays over, and seeing the same twice changes
nothing (stripe.md 5.3).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _notices, _owing, _plan
from callbill.domain.payments._alerts import settle_matter
from callbill.domain.payments._receipt_giving import give_receipt
from callbill.domain.payments._stopping import stop_collection
from callbill.domain.payments.gateway import IntentStatus, IntentView, RefusalCodes
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt, PaymentIntent, PaymentMethod
from callbill.lib.transactions import in_transaction
from callbill.rules.dunning import Stop, Why
from callbill.rules.lifecycle import InvoiceStatus, MoveRefused

_STATE = PaymentAttempt.State
# How long until the sweeper asks again about a payment that others must move on.
_ASK_AGAIN = timedelta(hours=1)
# And about one that should be over: given up, or without an answer.
ASK_SOON = timedelta(minutes=2)


@in_transaction
def apply(
    *, attempt_id: UUID, view: IntentView, now: datetime, refusal: RefusalCodes | None = None
) -> PaymentAttempt:
    """Let the attempt, its invoice, the books, the plan, the receipt and the outbox follow `view`.

    `refusal` is the answer to this attempt's own confirm; without it a decline is believed only if the
    payment has a charge that was not there before the attempt.
    """
    invoice, attempt = locked(attempt_id)
    if attempt.state == _STATE.SUCCEEDED or _is_of_another_payment(attempt, view):
        return attempt
    if view.status is IntentStatus.SUCCEEDED:
        confirmed = _confirmed_before(attempt)
        if confirmed is not None:
            _succeeded(invoice, confirmed, view, now)
        _succeeded(invoice, attempt, view, now)
    elif attempt.state in LIVE_STATES:
        _moved(invoice, attempt, view, refusal or _evidence(attempt, view), now)
    return attempt


def _is_of_another_payment(attempt: PaymentAttempt, view: IntentView) -> bool:
    """Whether the answer is about the payment that this attempt had before it was made anew.

    Whoever asked then has slept since. Money that was taken is never put aside.
    """
    now_of = attempt.intent.reference
    return view.status is not IntentStatus.SUCCEEDED and now_of is not None and view.reference != now_of


def locked(attempt_id: UUID) -> tuple[Invoice, PaymentAttempt]:
    """The attempt and its invoice, both locked, the invoice first (as everybody does)."""
    invoice = Invoice.objects.select_for_update(of=("self",)).get(payment_attempts=attempt_id)
    attempt = (
        PaymentAttempt.objects.select_for_update(of=("self",))
        .select_related("payment_method", "intent")
        .get(id=attempt_id)
    )
    return invoice, attempt


def end(attempt: PaymentAttempt, state: str, now: datetime, problem: str = "") -> None:
    """The attempt is over, and so is what staff were told of its being in doubt."""
    if attempt.problem:
        settle_matter(key=f"attempt:{attempt.id}", now=now)
    attempt.state = state
    attempt.finished_at = now
    attempt.lease_until = None
    attempt.problem = problem
    attempt.save()


def _confirmed_before(attempt: PaymentAttempt) -> PaymentAttempt | None:
    """The earlier attempt whose cardholder confirmed it while another card took its place, or None.

    An attempt that was not submitted has charged nothing: the money came in with the card before it.
    """
    if attempt.state != _STATE.PREPARED:
        return None
    earlier = PaymentAttempt.objects.filter(intent_id=attempt.intent_id, state=_STATE.DECLINED)
    wanted = Q(code="authentication_required") | Q(decline_code="authentication_required")
    found = earlier.filter(wanted).select_related("payment_method", "intent")
    return found.order_by("-created_at", "-id").first()


def _evidence(attempt: PaymentAttempt, view: IntentView) -> RefusalCodes | None:
    """The refusal of this attempt's charge, if the payment shows one that is newer than the attempt."""
    if attempt.state == _STATE.PREPARED or not view.latest_charge:
        return None
    if view.latest_charge in (attempt.previous_charge, attempt.charge):
        return None
    return view.refusal if _is_about(attempt, view.refused_card) else None


def _is_about(attempt: PaymentAttempt, card: str) -> bool:
    """False where the gateway tells of another card: one whose cardholder has the payment open, too."""
    return card in ("", attempt.payment_method.reference)


def _moved(
    invoice: Invoice,
    attempt: PaymentAttempt,
    view: IntentView,
    refusal: RefusalCodes | None,
    now: datetime,
) -> None:
    # What is under way was begun by this attempt's confirm, or by an earlier card's holder in a browser.
    own = attempt.state != _STATE.PREPARED and view.card == attempt.payment_method.reference
    if view.status is IntentStatus.CANCELED:
        waited = attempt.state == _STATE.ACTION_REQUIRED
        PaymentIntent.objects.filter(id=attempt.intent_id).update(state=PaymentIntent.State.CANCELED)
        end(attempt, _STATE.CANCELED, now, "The payment was canceled at Stripe; nothing was charged.")
        _plan.after_cancel(invoice, attempt, now, waited=waited)
    elif view.status is IntentStatus.PROCESSING:
        _wait(attempt, _STATE.PROCESSING if own else attempt.state, now)
    elif view.status is IntentStatus.ACTION_REQUIRED and own:
        _must_be_confirmed(invoice, attempt, view, RefusalCodes("authentication_required"), now)
    elif refusal is not None and _wants_the_cardholder(attempt, refusal):
        _must_be_confirmed(invoice, attempt, view, refusal, now)
    elif refusal is not None:
        waited = attempt.state == _STATE.ACTION_REQUIRED
        _note(attempt, view, refusal)
        end(attempt, _STATE.DECLINED, now)
        _past_due(invoice, attempt, now, counted=waited)
    elif attempt.state == _STATE.ACTION_REQUIRED:
        _wait(attempt, _STATE.ACTION_REQUIRED, now)
    elif attempt.state == _STATE.PROCESSING:
        # Over, and what is told is of another card: asked for again under its key, its own answer comes.
        attempt.state = _STATE.SUBMITTED
        attempt.lease_until = now
        attempt.save()


def _wants_the_cardholder(attempt: PaymentAttempt, refusal: RefusalCodes) -> bool:
    """Also when a confirmation failed: the cardholder may try again as long as the attempt waits."""
    codes = (refusal.code, refusal.decline_code)
    if attempt.state == _STATE.ACTION_REQUIRED and "payment_intent_authentication_failure" in codes:
        return True
    return "authentication_required" in codes


def _wait(attempt: PaymentAttempt, state: str, now: datetime) -> None:
    attempt.state = state
    attempt.lease_until = now + (ASK_SOON if attempt.given_up_at else _ASK_AGAIN)
    attempt.save()


def _must_be_confirmed(
    invoice: Invoice, attempt: PaymentAttempt, view: IntentView, refusal: RefusalCodes, now: datetime
) -> None:
    """The bank wants the cardholder: kept as it is, told once, until a confirmation or another card."""
    waits = attempt.state == _STATE.ACTION_REQUIRED
    if not waits:
        _note(attempt, view, refusal)
    _wait(attempt, _STATE.ACTION_REQUIRED, now)
    if not waits:
        _past_due(invoice, attempt, now)


def _note(attempt: PaymentAttempt, view: IntentView, refusal: RefusalCodes) -> None:
    attempt.code = refusal.code[:60]
    attempt.decline_code = refusal.decline_code[:60]
    attempt.advice_code = refusal.advice_code[:60]
    attempt.network_decline_code = refusal.network_decline_code[:60]
    if view.latest_charge not in ("", attempt.previous_charge) and _is_about(attempt, view.refused_card):
        attempt.charge = view.latest_charge


def _past_due(invoice: Invoice, attempt: PaymentAttempt, now: datetime, *, counted: bool = False) -> None:
    if not invoice.due_minor:
        # It was settled while this attempt was in doubt: nobody need do anything about its refusal.
        _plan.put(invoice, at=None)
        return
    invoicing.fall_past_due(invoice_id=invoice.id, now=now)
    invoice.refresh_from_db()
    _plan.after_decline(invoice, attempt, now, counted=counted)
    _notices.failed(invoice, attempt, now)


def _succeeded(invoice: Invoice, attempt: PaymentAttempt, view: IntentView, now: datetime) -> None:
    settled = PaymentAttempt.objects.filter(charge=view.latest_charge).exclude(id=attempt.id)
    if settled.filter(state=_STATE.SUCCEEDED).exists():
        # Another attempt of the same payment brought this very charge in: this one did nothing.
        if attempt.state in LIVE_STATES:
            end(attempt, _STATE.CANCELED, now, "The invoice was paid by another attempt.")
        return
    attempt.charge = view.latest_charge
    attempt.amount_minor = view.received.minor
    paid_by = PaymentMethod.objects.filter(payer_id=invoice.payer_id, reference=view.card).first()
    if paid_by is not None:
        # The cardholder may have confirmed with one card while this attempt was made with another.
        attempt.payment_method = paid_by
    end(attempt, _STATE.SUCCEEDED, now)
    PaymentIntent.objects.filter(id=attempt.intent_id).update(state=PaymentIntent.State.SUCCEEDED)
    try:
        with transaction.atomic():
            invoicing.record_payment(
                invoice_id=invoice.id,
                amount_minor=view.received.minor,
                reference=view.latest_charge,
                now=now,
            )
    except (invoicing.Overpaid, MoveRefused) as error:
        # Whoever paid what was not owed must not be charged again before somebody has looked at it.
        stop_collection(
            payer_id=invoice.payer_id,
            key=f"charge-not-wanted:{view.latest_charge}",
            reason=f"Charge {view.latest_charge} was made for invoice {invoice.number} and could not be "
            f"recorded: {error}. Refund it at Stripe first.",
            now=now,
        )
        invoice.refresh_from_db()
        # What is still owed is charged when the stop is lifted.
        _plan.put(invoice, at=None, because=Stop.STOPPED if invoice.due_minor else None)
        return
    invoice.refresh_from_db()
    _plan_the_rest(invoice, now)
    receipt = give_receipt(invoice, attempt, now) if invoice.status == InvoiceStatus.PAID.value else None
    _notices.paid(invoice, attempt, receipt, now)


def _plan_the_rest(invoice: Invoice, now: datetime) -> None:
    """After a payment: what is held waits until it is not (M30); anything else due is charged next."""
    if not invoice.due_minor:
        _plan.put(invoice, at=None)
    elif _owing.to_charge(invoice).minor:
        _plan.put(invoice, at=now, why=Why.THE_REST)
    else:
        _plan.put(invoice, at=None, because=Stop.ON_HOLD)
