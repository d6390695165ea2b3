"""A refund that somebody made at the other side by hand: taken over onto a credit note, so that the books
have it.

Its money is gone already; so it is only booked if credit of the invoice covers it, and once, because its
reference is unique.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from callbill.domain.invoicing.models import CreditNote
from callbill.domain.ledger.queries import posted
from callbill.domain.payments._alerts import settle_matter
from callbill.domain.payments._refundable import left_in_balance, not_failed
from callbill.domain.payments._refunding import apply_refund, begin_refund, lock_note
from callbill.domain.payments._refused import CannotRefund
from callbill.domain.payments.gateway import NotThere, RefundStatus, RefundView, gateway
from callbill.domain.payments.models import GatewayEvent, PaymentAttempt, Refund
from callbill.lib import formats
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.money import Money

BUTTON = "Take over a refund made at Stripe"


@outside_transaction
def refund_made_elsewhere(*, reference: str) -> RefundView:
    """The refund as the other side has it. Raises CannotRefund where it has none, or one that failed."""
    try:
        view = gateway().fetch_refund(reference=reference)
    except NotThere as error:
        raise CannotRefund(
            f"Stripe has no refund {reference}. Copy its id, which begins with re_, from Stripe's Dashboard."
        ) from error
    if view.status is RefundStatus.FAILED:
        raise CannotRefund(f"Refund {reference} failed at Stripe, so nothing of it has to be taken over.")
    return view


@in_transaction
def take_over(*, note_id: UUID, view: RefundView, requested_by: UUID, now: datetime) -> Refund:
    """Book what `view` says as a refund of the credit note; its messages find it from now on.

    Raises CannotRefund with what to do first, PaymentInProgress.
    """
    note = lock_note(note_id)
    attempt = _its_attempt(note, view)
    _refuse_what_is_not_covered(note, attempt, view)
    refund = begin_refund(
        note, attempt, view.amount, requested_by=requested_by, now=now, reference=view.reference
    )
    apply_refund(refund_id=refund.id, view=view, known=refund.state, now=now)
    for event in GatewayEvent.objects.filter(object_id=view.reference):
        settle_matter(key=f"event:{event.event_id}", now=now)
    # One may be newer than what was seen.
    waiting = GatewayEvent.objects.filter(object_id=view.reference, handled_at=None)
    waiting.update(flagged_at=None, try_after=None, problem="")
    refund.refresh_from_db()
    return refund


def _its_attempt(note: CreditNote, view: RefundView) -> PaymentAttempt:
    """The attempt whose charge was refunded, if the refund is one to take over onto this note."""
    ours = Q(reference=view.reference)
    if _is_uuid(view.refund_id):
        # One of ours whose answer was lost: the sweeper goes on with it.
        ours |= Q(id=view.refund_id)
    known = Refund.objects.filter(ours).select_related("credit_note").first()
    if known is not None:
        raise CannotRefund(
            f"Refund {view.reference} is in the books already, on credit note {known.credit_note.number}."
        )
    made = PaymentAttempt.objects.filter(charge=view.charge, state=PaymentAttempt.State.SUCCEEDED.value)
    attempt = made.select_related("invoice").first() if view.charge else None
    if attempt is None:
        raise CannotRefund(f"Refund {view.reference} is of a charge that Callbill did not make.")
    if attempt.invoice_id != note.invoice_id:
        raise CannotRefund(
            f"Refund {view.reference} belongs to invoice {attempt.invoice.number}: take it over on a credit "
            "note of that invoice."
        )
    if not posted(f"payment:{view.charge}"):
        raise CannotRefund(
            f"Charge {view.charge} is not in the books, so its refund is not either: there is nothing to do."
        )
    return attempt


def _refuse_what_is_not_covered(note: CreditNote, attempt: PaymentAttempt, view: RefundView) -> None:
    """Raise CannotRefund, with what to credit first, if the invoice's credit is less than what went back."""
    invoice = note.invoice
    charge_left = attempt.amount_minor - not_failed(Refund.objects.filter(attempt=attempt))
    if view.amount.currency != note.currency or view.amount.minor > charge_left:
        raise CannotRefund(
            f"Refund {view.reference} over {formats.money(view.amount)} is more than the books have left of "
            f"charge {view.charge}. See the page Reconciliation."
        )
    missing = view.amount.minor - left_in_balance(note)
    if missing <= 0:
        return
    gone = f"{formats.money(view.amount)} went back with {view.reference}"
    credited = CreditNote.objects.filter(invoice=invoice).aggregate(all=Sum("total_minor", default=0))
    # What is still due comes first: a credit lowers that before any of it becomes balance.
    to_credit = missing + invoice.due_minor
    if to_credit <= invoice.total_minor - int(credited["all"]):
        least = formats.money(Money(to_credit, note.currency))
        raise CannotRefund(
            f"{gone}, which is more than the credit there is. Credit lines of {invoice.number} for at least "
            f"{least} first, then take it over."
        )
    lacking = formats.money(Money(missing, note.currency))
    raise CannotRefund(
        f"{gone}, but the invoice is credited and {lacking} of that credit was used by another invoice: the "
        f"customer has had {lacking} twice. Talk to them; once the credit balance has it again, take the "
        "refund over here."
    )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
