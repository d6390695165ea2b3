"""Cards, attempts and receipts as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from callbill.domain.payments._plan import refusal_of
from callbill.domain.payments._words import ATTEMPT_STATE, ATTEMPT_TRIGGER, brand, card_label
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt, PaymentMethod, Receipt, Refund
from callbill.lib import formats
from callbill.rules.money import Money

_STATE = PaymentAttempt.State
_REFUSED = (_STATE.DECLINED, _STATE.ACTION_REQUIRED)
_REFUND = {
    Refund.State.PREPARED: "It is being sent to the bank.",
    Refund.State.PENDING: "It was sent to the bank and is on its way.",
    Refund.State.SUCCEEDED: "The bank usually shows it within 5 to 10 days.",
    Refund.State.FAILED: "It could not be made; the amount is in the credit balance again.",
}
_NOT_MADE = {
    _STATE.ERROR: "The payment could not be made; nothing was charged. The fault is ours.",
    _STATE.CANCELED: "This payment was not made; nothing was charged.",
}


@dataclass(frozen=True, slots=True)
class SavedCard:
    """A payment method on the Company page."""

    id: UUID
    label: str  # "Visa •••• 4242"
    brand: str  # "Visa"
    last4: str
    expiry: str  # "04/2028"
    expired: bool
    expires_soon: bool
    is_default: bool
    added_at: datetime
    good_until: date
    needs_consent: bool  # its issuer put another brand in its place; its holder must agree again


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One try to charge a card. The staff fields are empty for customers."""

    id: UUID
    at: datetime
    trigger_word: str
    card: str
    amount: Money
    state: str
    state_word: str
    what_happened: str
    what_to_do: str
    given_up: bool  # staff want it canceled, and that is not confirmed yet
    staff_codes: str
    staff_problem: str

    @property
    def paid(self) -> bool:
        """True if the money came in."""
        return self.state == _STATE.SUCCEEDED

    @property
    def waits(self) -> bool:
        """True while it waits for its cardholder."""
        return self.state == _STATE.ACTION_REQUIRED

    @property
    def under_way(self) -> bool:
        """True while only the bank, or we, can move it on."""
        return self.state in LIVE_STATES and not self.waits


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """The payment confirmation on a receipt; `taken_back` says what of it was since, "" while it stands."""

    id: UUID
    number: str
    invoice_id: UUID
    invoice_number: str
    amount: Money
    paid_at: datetime
    time_zone: str
    card_brand: str
    card_last4: str
    charge_reference: str
    taken_back: str


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """Credit going back to a card. The staff field is empty for customers."""

    id: UUID
    credit_note_number: str
    amount: Money
    card: str
    at: datetime
    state: str
    state_word: str
    what_happens: str
    staff_problem: str

    @property
    def made(self) -> bool:
        """True if the money went back."""
        return self.state == Refund.State.SUCCEEDED


def good_until(card: PaymentMethod) -> date:
    """The last day of the card's month."""
    year, month = (card.exp_year + 1, 1) if card.exp_month == 12 else (card.exp_year, card.exp_month + 1)
    return date(year, month, 1) - timedelta(days=1)


def saved_card(card: PaymentMethod, *, today: date) -> SavedCard:
    """The card as shown on `today`; it is good until the end of its month."""
    months_left = (card.exp_year - today.year) * 12 + card.exp_month - today.month
    return SavedCard(
        id=card.id,
        label=card_label(card),
        brand=brand(card.brand),
        last4=card.last4,
        expiry=f"{card.exp_month:02d}/{card.exp_year}",
        expired=months_left < 0,
        expires_soon=0 <= months_left <= 1,
        is_default=card.is_default,
        added_at=card.added_at,
        good_until=good_until(card),
        needs_consent=card.needs_consent_since is not None,
    )


def attempt_view(attempt: PaymentAttempt, *, staff: bool) -> AttemptView:
    """The attempt in words; codes and our own problems only for staff."""
    happened = to_do = ""
    given_up = bool(attempt.given_up_at) and attempt.state in LIVE_STATES
    if given_up:
        happened = "We gave this payment up; it ends once that is confirmed to us."
    elif attempt.given_up_at and attempt.state in _NOT_MADE:
        happened = "We gave this payment up; nothing was charged."
    elif attempt.state in _REFUSED:
        refusal = refusal_of(attempt)
        happened, to_do = refusal.what_happened, refusal.what_to_do
    elif attempt.state in _NOT_MADE:
        happened = _NOT_MADE[_STATE(attempt.state)]
    elif attempt.state != _STATE.SUCCEEDED:
        happened = "We are waiting for the bank's answer."
    codes = (attempt.code, attempt.decline_code, attempt.advice_code, attempt.network_decline_code)
    return AttemptView(
        id=attempt.id,
        at=attempt.created_at,
        trigger_word=ATTEMPT_TRIGGER[PaymentAttempt.Trigger(attempt.trigger)],
        card=card_label(attempt.payment_method),
        amount=Money(attempt.amount_minor, attempt.currency),
        state=attempt.state,
        state_word="Given up" if given_up else ATTEMPT_STATE[_STATE(attempt.state)],
        what_happened=happened,
        what_to_do=to_do,
        given_up=given_up,
        staff_codes=" ".join(filter(None, codes)) if staff else "",
        staff_problem=attempt.problem if staff else "",
    )


def receipt_facts(receipt: Receipt) -> ReceiptFacts:
    """What a receipt says about the payment."""
    attempt = receipt.attempt
    return ReceiptFacts(
        id=receipt.id,
        number=receipt.number,
        invoice_id=receipt.invoice_id,
        invoice_number=receipt.invoice.number or "",
        amount=Money(receipt.amount_minor, receipt.currency),
        paid_at=receipt.paid_at,
        time_zone=receipt.invoice.time_zone,
        card_brand=brand(attempt.payment_method.brand) if attempt else "",
        card_last4=attempt.payment_method.last4 if attempt else "",
        charge_reference=(attempt.charge or "") if attempt else "",
        taken_back=_taken_back(receipt),
    )


def _taken_back(receipt: Receipt) -> str:
    if receipt.taken_back_at is None:
        return ""
    on = formats.day_in(receipt.taken_back_at, receipt.invoice.time_zone)
    if receipt.taken_back_minor >= receipt.amount_minor:
        return f"Taken back on {on}."
    part = formats.money(Money(receipt.taken_back_minor, receipt.currency))
    return f"{part} of it was taken back on {on}."


def refund_facts(refund: Refund, *, staff: bool = True) -> RefundFacts:
    """The refund in words; our own problems only for staff."""
    return RefundFacts(
        id=refund.id,
        credit_note_number=refund.credit_note.number,
        amount=Money(refund.amount_minor, refund.currency),
        card=card_label(refund.attempt.payment_method),
        at=refund.created_at,
        state=refund.state,
        state_word=str(Refund.State(refund.state).label),
        what_happens=_REFUND[Refund.State(refund.state)],
        staff_problem=refund.problem if staff else "",
    )
