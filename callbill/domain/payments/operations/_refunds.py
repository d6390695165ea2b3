"""Refunds: staff give credit back to the card; what was left behind is gone on with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import CreditNote
from callbill.domain.payments._refunding import LEASE, drive_refund, prepare_refund, tell_of_failure
from callbill.domain.payments._silence import Answers
from callbill.domain.payments._taking_over import refund_made_elsewhere, take_over
from callbill.domain.payments._views import RefundFacts, refund_facts
from callbill.domain.payments.gateway import NotAccepted, OurMistake, RefundView
from callbill.domain.payments.models import LIVE_REFUNDS, Refund
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.money import Money

Clock = Callable[[], datetime]
logger = logging.getLogger(__name__)


@outside_transaction
def refund_to_card(
    *, note_id: UUID, actor_id: UUID, reason: str, now: datetime, amount: Money | None = None
) -> RefundFacts:
    """Give what is left of a credit note's balance, or `amount` of it, back to the card that paid.

    Returns how it went. Who, when and why are in the audit log. Raises CannotRefund (with words: the
    credit stays in the credit balance), PaymentInProgress, ReasonMissing, NotFound.
    """
    refund_id = _prepare_for_staff(note_id, actor_id, reason, now, amount)
    try:
        drive_refund(refund_id=refund_id, now=now)
    except OurMistake:
        # Written down and told to staff already; whoever asked sees it in the refund's words.
        logger.warning("refund %s was not made", refund_id)
    return _facts(refund_id)


@outside_transaction
def take_over_refund(
    *, note_id: UUID, reference: str, reason: str, actor_id: UUID, now: datetime
) -> RefundFacts:
    """Book a refund that somebody made at the gateway by hand as one of this credit note, once.

    Who, when and why are in the audit log. Raises CannotRefund (with words: what to credit first, or that it
    is another invoice's), PaymentInProgress, ReasonMissing, NotFound, GatewayError.
    """
    _note(note_id)
    return _facts(_take_over(note_id, refund_made_elsewhere(reference=reference), reason, actor_id, now))


@in_transaction
def _take_over(note_id: UUID, view: RefundView, reason: str, actor_id: UUID, now: datetime) -> UUID:
    refund = take_over(note_id=note_id, view=view, requested_by=actor_id, now=now)
    note = refund.credit_note
    invoicing.record_on_invoice(
        note.invoice,
        "take_over_refund",
        actor_id=actor_id,
        reason=reason,
        details={"credit_note": note.number, "amount": str(view.amount), "refund": view.reference},
        now=now,
    )
    return refund.id


def _facts(refund_id: UUID) -> RefundFacts:
    rows = Refund.objects.select_related("attempt__payment_method", "credit_note")
    return refund_facts(rows.get(id=refund_id))


def _note(note_id: UUID) -> CreditNote:
    note = CreditNote.objects.select_related("invoice").filter(id=note_id).first()
    if note is None:
        raise NotFound("There is no such credit note.")
    return note


@in_transaction
def _prepare_for_staff(
    note_id: UUID, actor_id: UUID, reason: str, now: datetime, amount: Money | None
) -> UUID:
    note = _note(note_id)
    refund = prepare_refund(note_id=note.id, requested_by=actor_id, now=now, wanted=amount)
    invoicing.record_on_invoice(
        note.invoice,
        "refund_to_card",
        actor_id=actor_id,
        reason=reason,
        details={"credit_note": note.number, "amount": str(Money(refund.amount_minor, refund.currency))},
        now=now,
    )
    return refund.id


@outside_transaction
def sweep_refunds(*, now: datetime, clock: Clock | None = None, answers: Answers | None = None) -> list[str]:
    """Go on with refunds left behind, without an answer, or on their way. Returns what went wrong.

    When no answer comes several times in a row, the rest waits for the next run; `clock` and `answers` as for
    `sweep_attempts`.
    """
    problems: list[str] = []
    answers = answers or Answers()
    left = Refund.objects.filter(state__in=LIVE_REFUNDS, lease_until__lte=now).order_by("lease_until")
    for refund_id in list(left.values_list("id", flat=True)):
        if answers.over:
            break
        at = clock() if clock else now
        still = Refund.objects.filter(id=refund_id, state__in=LIVE_REFUNDS, lease_until__lte=now)
        if not still.update(lease_until=at + LEASE):
            continue
        try:
            answers.count(refund_id, drive_refund(refund_id=refund_id, now=at, resumed=True))
        except NotAccepted as error:
            problems.append(str(error))
            break
        except OurMistake as error:  # staff were told
            problems.append(str(error))
        except Exception as error:
            logger.exception("sweeping refund %s", refund_id)
            tell_of_failure(refund_id, error, at)
            problems.append(f"refund {refund_id}: {error}")
    return problems
