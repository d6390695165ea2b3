"""A payment that its cardholder must confirm: the signed link to it, and how it stands in words.

Whoever has the link may see this one payment and confirm it with the bank; nothing else. It has an end, and
once the payment is over it tells nothing of it any more: mails are kept and forwarded for years.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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

# The end is signed with the attempt's id, instead of a TimestampSigner, which reads the machine's clock.
_SIGNER = signing.Signer(salt="callbill.payments.confirm")
# Longer than a billing cycle, with whose mail the next link comes.
IN_A_MAIL = timedelta(days=45)
ON_A_PAGE = timedelta(days=1)
# How long after its end somebody who comes back from the bank reads what became of the payment.
_JUST_ENDED = timedelta(days=1)
_STATE = PaymentAttempt.State
_NOT_CONFIRMED = "payment_intent_authentication_failure"


class Standing(StrEnum):
    """What can be done with a link."""

    WAITS = "waits"
    PAID = "paid"
    UNDER_WAY = "under_way"
    OVER = "over"


class LinkTooOld(Exception):
    """The link was ours and its time is over; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ConfirmationFacts:
    """What is paid to whom with which card."""

    seller: str
    invoice_number: str
    amount: Money
    card: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The payment behind a link: what the page shows, and nothing else.

    The facts are there while it waits, is being made, or was paid with it just now.
    """

    standing: Standing
    headline: str
    what_happened: str
    what_to_do: str
    facts: ConfirmationFacts | None


@dataclass(frozen=True, slots=True)
class ConfirmationForm:
    """What the page needs to let the bank ask. The secret is for this one payment in this one browser."""

    client_secret: str = field(repr=False)
    card_reference: str
    publishable_key: str
    script_url: str


def confirm_path(attempt_id: UUID, *, now: datetime, lasts: timedelta) -> str:
    """The address of the page on which this attempt is confirmed, good for as long as `lasts`."""
    until = int((now + lasts).timestamp())
    return f"/pay/confirm/{_SIGNER.sign(f'{attempt_id}.{until}')}/"


def path_for_invoice(invoice: Invoice, *, now: datetime, lasts: timedelta = ON_A_PAGE) -> str:
    """Where the invoice's payment can be confirmed now; "" where none waits for its cardholder."""
    live = live_attempt(invoice.id)
    if live is None or not _owing.may_be_confirmed(invoice, live):
        return ""
    return confirm_path(live.id, now=now, lasts=lasts)


def attempt_of_link(token: str, *, now: datetime) -> PaymentAttempt | None:
    """The attempt that a link names; None for one that we did not sign. Raises LinkTooOld."""
    try:
        name, _, until = _SIGNER.unsign(token).partition(".")
        attempt_id, ends = UUID(name), datetime.fromtimestamp(int(until), UTC) if until else None
    except (signing.BadSignature, ValueError):
        return None
    rows = PaymentAttempt.objects.select_related("invoice", "payment_method", "intent")
    attempt = rows.filter(id=attempt_id).first()
    # Links had no end once, and those are still in mails.
    if attempt is not None and now >= (ends or attempt.created_at + IN_A_MAIL):
        raise LinkTooOld("Sign in, or open the newest mail.")
    return attempt


def confirmation_of(
    attempt: PaymentAttempt, *, now: datetime, last: RefusalCodes | None = None
) -> Confirmation:
    """How the payment stands; `last` is the latest refusal that the gateway tells of it."""
    just_ended = attempt.finished_at is not None and now < attempt.finished_at + _JUST_ENDED
    standing, headline, happened, to_do = _words(attempt, last, just_ended)
    shown = standing in (Standing.WAITS, Standing.UNDER_WAY) or (
        standing is Standing.PAID and attempt.state == _STATE.SUCCEEDED and just_ended
    )
    facts = ConfirmationFacts(
        seller=customers.seller().name,
        invoice_number=attempt.invoice.number or "",
        amount=Money(attempt.amount_minor, attempt.currency),
        card=card_label(attempt.payment_method),
    )
    return Confirmation(standing, headline, happened, to_do, facts if shown else None)


def _words(
    attempt: PaymentAttempt, last: RefusalCodes | None, just_ended: bool
) -> tuple[Standing, str, str, str]:
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
    if just_ended and attempt.state == _STATE.DECLINED and "authentication_required" not in _codes(attempt):
        refusal = refusal_of(attempt)
        return Standing.OVER, "Not paid", refusal.what_happened, refusal.what_to_do
    happened = "This link is not needed any more: the payment was given up, or tried with another card."
    return Standing.OVER, "This link is no longer good", happened, "See the invoice for how it stands."


def _waiting(attempt: PaymentAttempt, last: RefusalCodes | None) -> tuple[Standing, str, str, str]:
    if not _owing.may_be_confirmed(attempt.invoice, attempt):
        happened = (
            "This payment was given up and cannot be confirmed any more."
            if attempt.given_up_at
            else "This payment cannot be confirmed now: its card was removed, something about the invoice is "
            "looked into first, or another amount is owed."
        )
        return Standing.OVER, "Not now", happened, "See the invoice for how it stands."
    happened = to_do = ""
    if last is not None and _NOT_CONFIRMED in (last.code, last.decline_code):
        failed = explain(decline_code=last.decline_code, code=last.code)
        happened, to_do = failed.what_happened, failed.what_to_do
    return Standing.WAITS, "Confirm your payment", happened, to_do


def _codes(attempt: PaymentAttempt) -> tuple[str, str]:
    return attempt.code, attempt.decline_code
