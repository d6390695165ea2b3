"""The mails about being paid (M27): what happened, what to do, what happens next. Each key is told once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from callbill.domain.invoicing.models import Invoice
from callbill.domain.notifications import operations as notifications
from callbill.domain.notifications.operations import Message
from callbill.domain.payments import _owing
from callbill.domain.payments._confirming import IN_A_MAIL, confirm_path, path_for_invoice
from callbill.domain.payments._plan import refusal_of
from callbill.domain.payments._views import good_until
from callbill.domain.payments._words import card_label, day, due_of, next_step
from callbill.domain.payments.models import PaymentAttempt, PaymentMethod, Receipt, Refund
from callbill.lib import formats
from callbill.rules.money import Money

CARDS_PATH = "/company/"


def invoice_path(invoice: Invoice) -> str:
    """The invoice's page in the portal."""
    return f"/invoices/{invoice.number}/"


def paid(invoice: Invoice, attempt: PaymentAttempt, receipt: Receipt | None, now: datetime) -> None:
    """Payment received: with the receipt when nothing is due any more, else with what is still to pay."""
    total = Money(attempt.amount_minor, attempt.currency)
    still_due = due_of(invoice)
    message = Message(
        subject=f"Payment received: invoice {invoice.number}",
        headline="Payment received",
        paragraphs=(
            f"We charged {formats.money(total)} to your {card_label(attempt.payment_method)} for invoice "
            f"{invoice.number}. Thank you.",
            *(("Your receipt is attached.",) if receipt else ()),
            *(
                (f"{formats.money(still_due)} of the invoice is still to be paid. {next_step(invoice)}",)
                if still_due.minor
                else ()
            ),
        ),
        facts=(
            ("Invoice", invoice.number or ""),
            ("Paid", formats.money(total)),
            ("On", day(now, invoice.time_zone)),
            *((("Receipt", receipt.number),) if receipt else ()),
            *((("Still to be paid", formats.money(still_due)),) if still_due.minor else ()),
        ),
        action=("See the invoice", invoice_path(invoice)),
    )
    tell_of(
        f"paid:{attempt.id}",
        "payment_received",
        invoice,
        message,
        now,
        attachment=f"receipt:{receipt.id}" if receipt else "",
    )


def receipt_given(invoice: Invoice, receipt: Receipt, now: datetime) -> None:
    """Something else than a payment settled the invoice: the receipt for what had been paid of it."""
    paid_of_it = formats.money(Money(receipt.amount_minor, receipt.currency))
    message = Message(
        subject=f"Your receipt: invoice {invoice.number}",
        headline="Nothing is due any more",
        paragraphs=(
            f"Invoice {invoice.number} is settled. You paid {paid_of_it} of it; "
            "the receipt for that is attached.",
            "There is nothing to do.",
        ),
        facts=(("Invoice", invoice.number or ""), ("Paid", paid_of_it), ("Receipt", receipt.number)),
        action=("See the invoice", invoice_path(invoice)),
    )
    tell_of(f"receipt:{receipt.id}", "receipt", invoice, message, now, attachment=f"receipt:{receipt.id}")


def failed(invoice: Invoice, attempt: PaymentAttempt, now: datetime) -> None:
    """The charge was declined and the invoice is past due: the reason, what to do, when the next try is."""
    refusal = refusal_of(attempt)
    if _owing.may_be_confirmed(invoice, attempt):
        _must_be_confirmed(invoice, attempt, now)
        return
    message = Message(
        subject=f"Payment failed: invoice {invoice.number} is past due",
        headline="Your payment failed",
        paragraphs=(
            f"We tried to charge {_tried(attempt)} to your "
            f"{card_label(attempt.payment_method)} for invoice {invoice.number}. {refusal.what_happened}",
            f"What to do: {refusal.what_to_do}",
            f"What happens next: {next_step(invoice)}",
        ),
        facts=_owed(invoice),
        action=("Put it right", invoice_path(invoice)),
    )
    tell_of(f"failed:{attempt.id}", "payment_failed", invoice, message, now)


def _must_be_confirmed(invoice: Invoice, attempt: PaymentAttempt, now: datetime) -> None:
    """The bank wants the cardholder: the link to confirm it, good while the payment waits, for 45 days."""
    label = card_label(attempt.payment_method)
    until = day(now + IN_A_MAIL, invoice.time_zone)
    message = Message(
        subject=f"Confirm your payment: invoice {invoice.number} is past due",
        headline="Your bank wants you to confirm a payment",
        paragraphs=(
            f"We tried to charge {_tried(attempt)} to your {label} for invoice "
            f"{invoice.number}. {refusal_of(attempt).what_happened}",
            f"What to do: the holder of the {label} opens the link below and confirms the payment with the "
            f"bank, until {until} at the latest. No sign-in is needed. Or add another card and make it the "
            "default.",
            "What happens next: once confirmed, it is charged, once, and the receipt follows by mail. Until "
            "then the invoice stays past due.",
        ),
        facts=_owed(invoice),
        action=("Confirm this payment", confirm_path(attempt.id, now=now, lasts=IN_A_MAIL)),
    )
    # Confirmed and then declined is told, too, under the other key.
    tell_of(f"confirm:{attempt.id}", "payment_failed", invoice, message, now)


def card_missing(invoice: Invoice, now: datetime) -> None:
    """An invoice was issued and there is no card to charge."""
    message = Message(
        subject=f"Add a card to pay invoice {invoice.number}",
        headline="There is no card on file",
        paragraphs=(
            f"Invoice {invoice.number} over {formats.money(due_of(invoice))} was issued.",
            next_step(invoice),
        ),
        facts=_owed(invoice),
        action=("Add a card", CARDS_PATH),
    )
    tell_of(f"card-missing:{invoice.id}", "card_missing", invoice, message, now)


def past_due(invoice: Invoice, now: datetime) -> None:
    """The due date went by and no card could be charged."""
    message = Message(
        subject=f"Invoice {invoice.number} is past due",
        headline="Your invoice is past due",
        paragraphs=(
            f"Invoice {invoice.number} has not been paid, and its due date has gone by.",
            f"What happens next: {next_step(invoice)}",
        ),
        facts=_owed(invoice),
        action=("See the invoice", invoice_path(invoice)),
    )
    tell_of(f"past-due:{invoice.id}", "past_due", invoice, message, now)


def replace_card(invoice: Invoice, card: PaymentMethod, cycle: str, now: datetime) -> None:
    """A billing cycle went by and the card that may not be charged is still the default."""
    confirm = path_for_invoice(invoice, now=now, lasts=IN_A_MAIL)
    message = Message(
        subject=f"Invoice {invoice.number} is still past due",
        headline="Your bank wants you to confirm a payment" if confirm else "We need another card",
        paragraphs=(
            f"Invoice {invoice.number} has not been paid, and we did not try your {card_label(card)} again.",
            f"What to do: {next_step(invoice)}",
        ),
        facts=_owed(invoice),
        action=("Confirm this payment", confirm) if confirm else ("See the invoice", invoice_path(invoice)),
    )
    tell_of(f"replace-card:{invoice.id}:{cycle}", "card_must_be_replaced", invoice, message, now)


class CardWarning(StrEnum):
    """Which warning of a card's end it is; each is told once."""

    WITHIN_60_DAYS = "60"
    WITHIN_30_DAYS = "30"
    EXPIRED = "expired"


def card_expires(card: PaymentMethod, warning: CardWarning, *, before_invoice: bool, now: datetime) -> None:
    """The default card expires soon, perhaps before the next invoice is charged, or has expired."""
    label = card_label(card)
    expired = warning is CardWarning.EXPIRED
    last_day = formats.day(good_until(card))
    happened = f"was good until {last_day} and has expired" if expired else f"is good until {last_day}"
    soon = " That is before your next invoice is charged." if before_invoice and not expired else ""
    message = Message(
        subject=f"Your {label} has expired" if expired else f"Your {label} expires on {last_day}",
        headline="Your card has expired" if expired else "Your card expires soon",
        paragraphs=(
            f"The card we charge for your invoices, {label}, {happened}.{soon}",
            "What to do: add your new card and make it the default, so that the next invoice is paid. If "
            "your bank tells us of the new card by itself, there is nothing to do.",
        ),
        facts=(("Card", label), ("Good until", last_day)),
        action=("Add a card", CARDS_PATH),
    )
    notifications.tell(
        # By what its holder reads of it: a card saved a second time is the same piece of plastic.
        key=f"expiring:{card.payer_id}:{card.brand}-{card.last4}:{card.exp_year}-{card.exp_month:02d}:"
        f"{warning.value}",
        kind="card_expiring",
        payer_id=card.payer_id,
        message=message,
        subject_id=card.id,
        now=now,
    )


def card_replaced(card: PaymentMethod, now: datetime) -> None:
    """The issuer put a card of another brand in the default card's place: its holder must agree again."""
    label = card_label(card)
    message = Message(
        subject=f"Your bank replaced your card with the {label}: please agree again",
        headline="Your card was replaced",
        paragraphs=(
            f"Your bank tells us that the card we charge for your invoices is now the {label}. Because it is "
            "of another brand, we may not charge it before you agree to that again.",
            f"What to do: a billing administrator opens the Company page and agrees to the use of the "
            f"{label}, or makes another card the default. Invoices that wait for it are charged then.",
        ),
        facts=(("Card", label), ("Expires", f"{card.exp_month:02d}/{card.exp_year}")),
        action=("Agree again", CARDS_PATH),
    )
    notifications.tell(
        key=f"card-replaced:{card.id}:{now:%Y-%m-%dT%H:%M}",
        kind="card_replaced",
        payer_id=card.payer_id,
        message=message,
        subject_id=card.id,
        now=now,
    )


def refunded(refund: Refund, fact: str, now: datetime) -> None:
    """Credit went back to the card; told once for each `fact`, which may come again."""
    note, card = refund.credit_note, card_label(refund.attempt.payment_method)
    amount = formats.money(Money(refund.amount_minor, refund.currency))
    message = Message(
        subject=f"Refund of {amount} to your {card}",
        headline="We have refunded you",
        paragraphs=(
            f"{amount} of credit note {note.number} went back to your {card}. It is not in your credit "
            "balance any more.",
            "The bank usually shows it within 5 to 10 days. There is nothing to do.",
        ),
        facts=_refund_facts(refund),
        action=("See the invoice", invoice_path(note.invoice)),
    )
    tell_of(f"refunded:{fact}", "refund_made", note.invoice, message, now)


def refund_returned(refund: Refund, fact: str, now: datetime) -> None:
    """A refund that had been made came back from the card's bank; told once for each `fact`."""
    note, card = refund.credit_note, card_label(refund.attempt.payment_method)
    amount = formats.money(Money(refund.amount_minor, refund.currency))
    message = Message(
        subject=f"Your refund of {amount} came back to us",
        headline="Your refund did not arrive",
        paragraphs=(
            f"The bank of your {card} has sent {amount} back to us; the card may have been closed.",
            "What happens next: the amount is in your credit balance again, and your next invoice uses it.",
        ),
        facts=_refund_facts(refund),
        action=("See the invoice", invoice_path(note.invoice)),
    )
    tell_of(f"refund-returned:{fact}", "refund_returned", note.invoice, message, now)


def _refund_facts(refund: Refund) -> tuple[tuple[str, str], ...]:
    return (
        ("Credit note", refund.credit_note.number),
        ("Invoice", refund.credit_note.invoice.number or ""),
        ("Refund", formats.money(Money(refund.amount_minor, refund.currency))),
    )


def _owed(invoice: Invoice) -> tuple[tuple[str, str], ...]:
    due = (("Due date", day(invoice.due_date, invoice.time_zone)),) if invoice.due_date else ()
    owed = due_of(invoice)
    held = owed - _owing.to_charge(invoice)
    on_hold = (("On hold", formats.money(held)),) if held.minor else ()
    return (("Invoice", invoice.number or ""), ("Still to be paid", formats.money(owed)), *on_hold, *due)


def _tried(attempt: PaymentAttempt) -> str:
    return formats.money(Money(attempt.amount_minor, attempt.currency))


def tell_of(
    key: str, kind: str, invoice: Invoice, message: Message, now: datetime, *, attachment: str = ""
) -> None:
    """Put a message about an invoice into the outbox for its payer's billing contacts, once for `key`."""
    notifications.tell(
        key=key,
        kind=kind,
        payer_id=invoice.payer_id,
        message=message,
        subject_id=invoice.id,
        attachment=attachment,
        now=now,
    )
