"""Payments that a person asks for: staff retry, the customer pays now (M28)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callbill.domain.customers.queries import NotFound, Viewer, require_administrator, visible_payers
from callbill.domain.invoicing import operations as invoicing
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _plan
from callbill.domain.payments._attempt import drive
from callbill.domain.payments._preparing import prepare
from callbill.domain.payments._refused import PaymentRefused, TriedMeanwhile
from callbill.domain.payments._views import AttemptView, attempt_view
from callbill.domain.payments.gateway import OurMistake
from callbill.domain.payments.models import PaymentAttempt
from callbill.lib.transactions import in_transaction, outside_transaction
from callbill.rules.lifecycle import OWED, InvoiceStatus

logger = logging.getLogger(__name__)
_STOPPED = (
    "Not tried, because the payment before it could not be made; the fault is ours. "
    "Try again in a few minutes."
)


@outside_transaction
def retry_now(
    *, invoice_id: UUID, actor_id: UUID, reason: str, now: datetime, seen: int | None = None
) -> AttemptView:
    """Staff charge the default card now; who, when and why are in the audit log. Returns how it went.

    Does not use up an automatic attempt. `seen` as for `pay_now`: a second click is refused. Raises
    PaymentRefused's kinds with words to show (a payment in progress, no card, a card that must be replaced,
    nothing due), ReasonMissing, NotFound.
    """
    invoice = _asked_for(invoice_id, actor_id, reason, now)
    trigger = PaymentAttempt.Trigger.STAFF.value
    attempt = _prepare_for(actor_id, trigger, invoice.id, seen, now)
    return _try(attempt.id, now, staff=True)


@in_transaction
def _asked_for(invoice_id: UUID, actor_id: UUID, reason: str, now: datetime) -> Invoice:
    """Write down that staff asked, before anything else, so that a refused retry is in the log too."""
    invoice = Invoice.objects.exclude(status=InvoiceStatus.DRAFT.value).filter(id=invoice_id).first()
    if invoice is None:
        raise NotFound("There is no such invoice.")
    invoicing.record_on_invoice(invoice, "retry_payment", actor_id=actor_id, reason=reason, now=now)
    return invoice


@outside_transaction
def pay_now(*, viewer: Viewer, number: str, now: datetime, seen: int | None = None) -> AttemptView:
    """A billing administrator of the payer charges the default card now. Returns how it went.

    `seen` is how many attempts there were when the button was drawn (None: not known): a second click is
    refused instead of charging again after a decline. Raises NotFound (also for another tenant's invoice),
    NotAllowed, PaymentRefused's kinds.
    """
    invoice = _to_pay(viewer, number)
    trigger = PaymentAttempt.Trigger.CUSTOMER.value
    attempt = _prepare_for(viewer.user_id, trigger, invoice.id, seen, now)
    return _try(attempt.id, now, staff=False)


@dataclass(frozen=True, slots=True)
class PayResult:
    """How paying one of several invoices went: an attempt, or why none was made."""

    number: str
    attempt: AttemptView | None
    refused: str


@outside_transaction
def pay_invoices(
    *, viewer: Viewer, numbers: Sequence[str], now: datetime, seen: Mapping[str, int] | None = None
) -> list[PayResult]:
    """A billing administrator pays several invoices, one after another, each with its own payment (M26).

    One refusal does not stop the rest; our own mistake does (M29). `seen` as for `pay_now`, by number.
    Raises NotFound and NotAllowed before anything is charged.
    """
    wanted = [_to_pay(viewer, number) for number in dict.fromkeys(numbers)]
    trigger = PaymentAttempt.Trigger.CUSTOMER.value
    results: list[PayResult] = []
    stopped = False
    for invoice in wanted:
        number = invoice.number or ""
        if stopped:
            results.append(PayResult(number, None, _STOPPED))
            continue
        try:
            attempt = _prepare_for(viewer.user_id, trigger, invoice.id, (seen or {}).get(number), now)
        except PaymentRefused as refused:
            results.append(PayResult(number, None, str(refused)))
        else:
            stopped = not _drive(attempt.id, now)
            results.append(PayResult(number, _shown(attempt.id, staff=False), ""))
    return results


def _to_pay(viewer: Viewer, number: str) -> Invoice:
    """The invoice, if the viewer may pay it. Raises NotFound, NotAllowed."""
    invoice = (
        Invoice.objects.exclude(status=InvoiceStatus.DRAFT.value)
        .filter(number=number, payer__in=visible_payers(viewer))
        .select_related("payer__company", "payer__organization")
        .first()
    )
    if invoice is None:
        raise NotFound("There is no such invoice.")
    require_administrator(viewer, invoice.payer)
    return invoice


@in_transaction
def _prepare_for(
    person_id: UUID, trigger: str, invoice_id: UUID, seen: int | None, now: datetime
) -> PaymentAttempt:
    """T1, unless it was tried since the person looked."""
    invoice = Invoice.objects.select_for_update().get(id=invoice_id)
    tried = PaymentAttempt.objects.filter(invoice=invoice).count()
    over = _plan.live_attempt(invoice.id) is None and invoice.status in OWED
    if over and seen is not None and seen != tried:
        raise TriedMeanwhile(
            f"Invoice {invoice.number} was tried just now, so it is not tried again. See how that went first."
        )
    return prepare(
        invoice_id=invoice.id,
        trigger=trigger,
        now=now,
        requested_by=person_id,
    )


def _try(attempt_id: UUID, now: datetime, *, staff: bool) -> AttemptView:
    _drive(attempt_id, now)
    return _shown(attempt_id, staff=staff)


def _drive(attempt_id: UUID, now: datetime) -> bool:
    """Take it as far as it goes; False after a mistake of ours."""
    try:
        drive(attempt_id=attempt_id, now=now)
    except OurMistake:
        # Written down and told to staff already; whoever asked sees it in the attempt's words.
        logger.warning("attempt %s was not made", attempt_id)
        return False
    return True


def _shown(attempt_id: UUID, *, staff: bool) -> AttemptView:
    attempt = PaymentAttempt.objects.select_related("payment_method", "invoice").get(id=attempt_id)
    return attempt_view(attempt, staff=staff)
