"""A payment that its cardholder must confirm: the signed link to it, and how it stands in words.

Whoever has the link may see this one payment and confirm it with the bank; nothing else. It is good as long
as the attempt waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from django.core import signing

from callbill.domain.customers import queries as customers
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import _owing
from callbill.domain.payments._plan import live_attempt, refusal_of
from callbill.domain.payments._words import card_label
from callbill.domain.payments.gateway import RefusalCodes
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money
from callbill.rules.refusal import explain

_SIGNER = signing.Signer(salt="callbill.payments.confirm")
_STATE = PaymentAttempt.State
_NOT_CONFIRMED = "payment_intent_authentication_failure"


class Standing(StrEnum):
    """What can be done with a link."""

    WAITS = "waits"
    PAID = "paid"
    UNDER_WAY = "under_way"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The payment behind a link: what the page shows, and nothing else."""

    standing: Standing
    seller: str
    invoice_number: str
    amount: Money
    card: str
    headline: str
    what_happened: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class ConfirmationForm:
    """What the page needs to let the bank ask. The secret is for this one payment in this one browser."""

    client_secret: str = field(repr=False)
    card_reference: str
    publishable_key: str
    script_url: str


def confirm_path(attempt_id: UUID) -> str:
    """The address of the page on which this attempt is confirmed."""
    return f"/pay/confirm/{_SIGNER.sign(str(attempt_id))}/"


def path_for_invoice(invoice: Invoice) -> str:
    """Where the invoice's payment can be confirmed now; "" where none waits for its cardholder."""
    live = live_attempt(invoice.id)
    return confirm_path(live.id) if live and _owing.may_be_confirmed(invoice, live) else ""


def attempt_of_link(token: str) -> PaymentAttempt | None:
    """The attempt that a link names; None for one that we did not sign."""
    try:
        attempt_id = UUID(_SIGNER.unsign(token))
    except (signing.BadSignature, ValueError):
        return None
    return (
        PaymentAttempt.objects.select_related("invoice", "payment_method", "intent")
        .filter(id=attempt_id)
        .first()
    )


def confirmation_of(attempt: PaymentAttempt, last: RefusalCodes | None = None) -> Confirmation:
    """How the payment stands; `last` is the latest refusal that the gateway tells of it."""
    standing, headline, happened, to_do = _words(attempt, last)
    return Confirmation(
        standing=standing,
        seller=customers.seller().name,
        invoice_number=attempt.invoice.number or "",
        amount=Money(attempt.amount_minor, attempt.currency),
        card=card_label(attempt.payment_method),
        headline=headline,
        what_happened=happened,
        what_to_do=to_do,
    )


def _words(attempt: PaymentAttempt, last: RefusalCodes | None) -> tuple[Standing, str, str, str]:
    invoice = attempt.invoice
    status = InvoiceStatus(invoice.status)
    if attempt.state == _STATE.SUCCEEDED:
        return Standing.PAID, "Paid", "The payment was made. Thank you.", "There is nothing left to do."
    if status is InvoiceStatus.PAID:
        return Standing.PAID, "Paid already", "This invoice is settled.", "There is nothing left to do."
    if status is InvoiceStatus.VOID or invoice.due_minor == 0:
        return Standing.OVER, "Nothing to pay", "Nothing is to be paid on this invoice any more.", ""
    if attempt.state == _STATE.ACTION_REQUIRED:
        return _waiting(attempt, last)
    if attempt.state in LIVE_STATES:
        happened = "The payment is being made, and we wait for the bank's answer."
        return Standing.UNDER_WAY, "Being paid", happened, "Look again in a few minutes; do not pay twice."
    refusal = refusal_of(attempt)
    if attempt.state == _STATE.DECLINED and "authentication_required" not in _codes(attempt):
        return Standing.OVER, "Not paid", refusal.what_happened, refusal.what_to_do
    happened = "This link is not needed any more: the payment was given up, or tried with another card."
    return Standing.OVER, "This link is no longer good", happened, "See the invoice for how it stands."


def _waiting(attempt: PaymentAttempt, last: RefusalCodes | None) -> tuple[Standing, str, str, str]:
    if not _owing.may_be_confirmed(attempt.invoice, attempt):
        happened = "This payment cannot be confirmed at the moment: its card was removed, or it is on hold."
        return Standing.OVER, "Not now", happened, "See the invoice for how it stands."
    happened = to_do = ""
    if last is not None and _NOT_CONFIRMED in (last.code, last.decline_code):
        failed = explain(decline_code=last.decline_code, code=last.code)
        happened, to_do = failed.what_happened, failed.what_to_do
    return Standing.WAITS, "Confirm your payment", happened, to_do


def _codes(attempt: PaymentAttempt) -> tuple[str, str]:
    return attempt.code, attempt.decline_code
