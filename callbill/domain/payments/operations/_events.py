"""The gateway's messages: stored once when they come, applied later by asking the gateway itself.

An event is only a hint that something changed. So order, repetition and loss do no harm: what is applied is
always the object as it is now.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils.module_loading import import_string

from callbill.domain.ledger.queries import posted
from callbill.domain.payments._alerts import alert, settle
from callbill.domain.payments._apply import apply
from callbill.domain.payments._chargebacks import UnknownCharge, follow_chargeback
from callbill.domain.payments._metadata import is_elsewhere
from callbill.domain.payments._refunding import follow_refund
from callbill.domain.payments._saving import follow_card, keep_card
from callbill.domain.payments._silence import Answer, Answers
from callbill.domain.payments._taking_over import BUTTON
from callbill.domain.payments._warnings import follow_warning
from callbill.domain.payments.gateway import (
    ChargeView,
    GatewayError,
    IntentView,
    NotAccepted,
    RefundView,
    gateway,
)
from callbill.domain.payments.models import (
    LIVE_STATES,
    CardSetup,
    GatewayCustomer,
    GatewayEvent,
    PaymentAttempt,
    PaymentIntent,
    PaymentMethod,
    Refund,
)
from callbill.lib import formats
from callbill.lib.transactions import outside_transaction

logger = logging.getLogger(__name__)
_Handler = Callable[[str, datetime], None]
_HOLD = timedelta(minutes=5)
_MOST_TRIES = 10  # the last comes about a day after the first
_LONGEST_WAIT = timedelta(hours=6)


class _Unknown(Exception):
    """The object is not one of ours, or not yet."""


class _NothingToDo(Exception):
    """The message is settled as it is."""


class _NotOurs(_NothingToDo):
    """The object is certainly not ours: another program uses the same account."""


def receive_event(*, payload: bytes, signature: str, now: datetime) -> bool:
    """Store an event whose signature is right; of its body only the ids are kept. False if it was there.

    Raises BadSignature, also for one that is too old.
    """
    event = gateway().verify_event(payload=payload, signature=signature, now=now)
    row = GatewayEvent(event_id=event.event_id, kind=event.kind, object_id=event.object_id, received_at=now)
    GatewayEvent.objects.bulk_create([row], ignore_conflicts=True)
    return GatewayEvent.objects.filter(id=row.id).exists()


@outside_transaction
def handle_events(*, now: datetime, limit: int = 500, answers: Answers | None = None) -> int:
    """Apply the events that wait. Returns how many were settled.

    One whose object nobody knows is kept and tried again, ever more rarely, and at last given to staff. When
    no answer comes several times in a row, the rest waits for the next run, untouched; `answers` may count
    for other work of the same minute, too.
    """
    settled = 0
    answered = False
    answers = answers or Answers()
    waiting = GatewayEvent.objects.filter(handled_at=None, flagged_at=None).filter(
        Q(try_after=None) | Q(try_after__lte=now)
    )
    for event in list(waiting.order_by("received_at")[:limit]):
        if answers.over:
            break
        held = waiting.filter(id=event.id).update(try_after=now + _HOLD)
        if not held:
            continue
        answer = Answer.GIVEN
        try:
            _apply_event(event, now)
        except NotAccepted as error:
            alert(key="gateway-key", kind="gateway_key", message=str(error), now=now)
            answered = False
            break
        except _NothingToDo as error:
            GatewayEvent.objects.filter(id=event.id).update(handled_at=now, problem=str(error))
            settled += 1
        except (_Unknown, GatewayError) as error:
            answer = Answer.of(error)
            _later(event, str(error), now)
        except Exception as error:
            logger.exception("event %s", event.event_id)
            _later(event, f"{type(error).__name__}: {error}", now)
        else:
            GatewayEvent.objects.filter(id=event.id).update(handled_at=now, problem="")
            settled += 1
            answered = answered or leads_to_something(event.kind)
        if leads_to_something(event.kind):  # else nothing was asked
            answers.count(event.object_id, answer)
    if answered:
        settle(kind="gateway_key", now=now)  # our key works
    return settled


def _apply_event(event: GatewayEvent, now: datetime) -> None:
    handler = _HANDLERS.get(event.kind)
    if handler is not None:
        handler(event.object_id, now)
    # Reconciliation stands above payments, so the settings name what it does about an event.
    books: _Handler | None = import_string(settings.BOOKED_EVENTS).get(event.kind)
    if books is not None:
        books(event.object_id, now)


def leads_to_something(kind: str) -> bool:
    """Whether a message of this kind makes us do anything."""
    return kind in _HANDLERS or kind in import_string(settings.BOOKED_EVENTS)


@outside_transaction
def look_at(*, kind: str, reference: str, now: datetime) -> bool:
    """Do what a message of this kind about this object would do. False if it is not one of ours.

    Raises GatewayError.
    """
    try:
        _apply_event(GatewayEvent(kind=kind, object_id=reference), now)
    except (_Unknown, _NothingToDo):
        return False
    return True


def _later(event: GatewayEvent, problem: str, now: datetime) -> None:
    tries = event.tries + 1
    wait = min(timedelta(seconds=30 * 4 ** min(tries - 1, 8)), _LONGEST_WAIT)
    given_up = tries >= _MOST_TRIES
    GatewayEvent.objects.filter(id=event.id).update(
        tries=tries,
        try_after=now + wait,
        problem=problem[:1000],
        flagged_at=now if given_up else None,
    )
    if given_up:
        alert(
            key=f"event:{event.event_id}",
            kind="event_not_applied",
            message=f"{event.kind} about {event.object_id} could not be applied: {problem[:300]}",
            now=now,
        )


def _payment_moved(reference: str, now: datetime) -> None:
    view = gateway().fetch_intent(reference=reference)
    attempt_id = _attempt_for(view)
    if attempt_id is None and (not view.intent_id or is_elsewhere(view.environment)):
        raise _NotOurs(f"Payment {reference} was not made by us.")
    if attempt_id is None:
        raise _Unknown(f"No attempt belongs to payment {reference}.")
    apply(attempt_id=attempt_id, view=view, now=now)


def _attempt_for(view: IntentView) -> UUID | None:
    """The live attempt of the payment, else its latest; found by our id while its reference is not saved."""
    intent = PaymentIntent.objects.filter(reference=view.reference).first()
    if intent is None and _uuid(view.intent_id):
        unsaved = PaymentIntent.objects.filter(id=view.intent_id, reference=None)
        unsaved.update(reference=view.reference)
        intent = PaymentIntent.objects.filter(reference=view.reference).first()
    if intent is None:
        return None
    attempts = PaymentAttempt.objects.filter(intent=intent)
    found = attempts.filter(state__in=LIVE_STATES).first() or attempts.order_by("-created_at", "-id").first()
    return found.id if found else None


def _refund_moved(reference: str, now: datetime) -> None:
    refund = Refund.objects.filter(reference=reference).first()
    if refund is None:
        refund = _refund_of(gateway().fetch_refund(reference=reference))
    follow_refund(refund_id=refund.id, reference=reference, now=now)


def _refund_of(view: RefundView) -> Refund:
    """The refund whose answer has not come yet. Raises _NothingToDo, or _Unknown if there is none."""
    # Its answer may have come while the question was on its way.
    known = Q(reference=view.reference)
    if refund_id := _uuid(view.refund_id):
        known |= Q(id=refund_id, reference=None)
    refund = Refund.objects.filter(known).first()
    if refund is None:
        charge = _must_be_ours(view.charge)
        if _never_in_books(view.charge, charge):
            raise _NothingToDo(f"Charge {view.charge} is not in the books, so its refund is not either.")
        raise _Unknown(
            f"No refund of ours is {view.reference}; the books do not know of it.{_what_to_do(view)}"
        )
    return refund


def _what_to_do(view: RefundView) -> str:
    """How staff take a refund over that somebody made by hand, as words to add; "" if we know no charge."""
    attempt = PaymentAttempt.objects.filter(charge=view.charge).select_related("invoice").first()
    if attempt is None:
        return ""
    return (
        f" Credit lines of invoice {attempt.invoice.number} for {formats.money(view.amount)}, then choose "
        f"“{BUTTON}” at the credit note."
    )


def _chargeback_moved(reference: str, now: datetime) -> None:
    try:
        follow_chargeback(reference=reference, now=now)
    except UnknownCharge as error:
        _must_be_ours(gateway().fetch_chargeback(reference=reference).charge)
        raise _Unknown(str(error)) from error


def _warned_of_fraud(reference: str, now: datetime) -> None:
    try:
        follow_warning(reference=reference, now=now)
    except UnknownCharge as error:
        _must_be_ours(gateway().fetch_fraud_warning(reference=reference).charge)
        raise _Unknown(str(error)) from error


def _never_in_books(charge: str, view: ChargeView | None) -> bool:
    """Whether a charge of a customer of ours is not in the books for good, so that refunding it settles it.

    Either the invoice did not ask for it any more when it came, or nobody here made it. One whose attempt is
    in doubt may come into the books yet.
    """
    if view is None or posted(f"payment:{charge}"):
        return False
    attempts = PaymentAttempt.objects.filter(charge=charge)
    if attempts.exists():
        return attempts.filter(state=PaymentAttempt.State.SUCCEEDED.value).exists()
    known = Q(reference=view.intent) if view.intent else Q(pk__in=[])
    if _uuid(view.intent_id):
        known |= Q(id=view.intent_id)
    return not PaymentIntent.objects.filter(known).exists()


def _must_be_ours(charge: str) -> ChargeView | None:
    """The charge, if one is given. Raises _NotOurs if neither it nor its customer names one of ours."""
    if not charge:
        return None
    view = gateway().fetch_charge(reference=charge)
    names_ours = view.intent_id and not is_elsewhere(view.environment)
    if not names_ours and not _is_customer(view.customer):
        raise _NotOurs(f"Charge {charge} was not made by us.")
    return view


def _is_customer(reference: str) -> bool:
    return bool(reference) and GatewayCustomer.objects.filter(reference=reference).exists()


def _card_form_succeeded(reference: str, now: datetime) -> None:
    view = gateway().card_setup_result(reference=reference)
    setup = CardSetup.objects.filter(reference=reference).first()
    if setup is None and _uuid(view.setup_id):
        CardSetup.objects.filter(id=view.setup_id, reference=None).update(reference=reference)
        setup = CardSetup.objects.filter(reference=reference).first()
    if setup is None and (not view.setup_id or is_elsewhere(view.environment)):
        raise _NotOurs(f"Card form {reference} is not ours.")
    if setup is None:
        raise _Unknown(f"No card form belongs to {reference}.")
    keep_card(setup=setup, view=view, now=now)


def _card_changed(reference: str, now: datetime) -> None:
    card = PaymentMethod.objects.filter(reference=reference).first()
    if card is None and not _is_customer(gateway().card(reference=reference).customer):
        raise _NotOurs(f"Card {reference} is none of our customers'.")
    if card is None:
        raise _Unknown(f"No saved card is {reference}.")
    follow_card(card=card, view=gateway().card(reference=reference), now=now)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# Every other kind needs nothing done.
_HANDLERS: dict[str, Callable[[str, datetime], None]] = {
    "payment_intent.succeeded": _payment_moved,
    "payment_intent.payment_failed": _payment_moved,
    "payment_intent.processing": _payment_moved,
    "payment_intent.requires_action": _payment_moved,
    "payment_intent.canceled": _payment_moved,
    "refund.created": _refund_moved,
    "refund.updated": _refund_moved,
    "refund.failed": _refund_moved,
    "charge.dispute.created": _chargeback_moved,
    "charge.dispute.updated": _chargeback_moved,
    "charge.dispute.funds_withdrawn": _chargeback_moved,
    "charge.dispute.funds_reinstated": _chargeback_moved,
    "charge.dispute.closed": _chargeback_moved,
    "radar.early_fraud_warning.created": _warned_of_fraud,
    "radar.early_fraud_warning.updated": _warned_of_fraud,
    "setup_intent.succeeded": _card_form_succeeded,
    "payment_method.automatically_updated": _card_changed,
    "payment_method.updated": _card_changed,
    "payment_method.detached": _card_changed,
}
