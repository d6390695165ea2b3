"""Answers about being paid, scoped by who asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from callbill.domain.customers.queries import NotFound, Viewer, payer_seen_by, visible_payers
from callbill.domain.disputes import queries as disputes
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.invoicing.queries import BooksDifference
from callbill.domain.invoicing.queries import books_differences as invoicing_differences
from callbill.domain.payments import _owing, _plan, _withdrawing, _words
from callbill.domain.payments._bank_views import (
    BANK_METHODS,
    BankPaymentView,
    bank_payment,
    bank_payments,
    surpluses,
    why_no_bank_payment,
    why_not_returned,
)
from callbill.domain.payments._chargeback_books import at_bank, credited, owed_again_differences
from callbill.domain.payments._confirming import path_for_invoice
from callbill.domain.payments._consents import (
    ConsentView,
    charged_at_once,
    consents,
    mandate_text,
    waits_for_consent,
)
from callbill.domain.payments._dispute_views import (
    ChargebackFacts,
    WarningFacts,
    chargebacks_of,
    decided_chargebacks,
    open_chargebacks,
    open_warnings,
)
from callbill.domain.payments._money_books import banked, going_back
from callbill.domain.payments._needing import InvoiceInNeed, need_a_person
from callbill.domain.payments._next_attempt import NextAttempt
from callbill.domain.payments._next_attempt import next_attempt as planned_next
from callbill.domain.payments._payable import PayableInvoice, chargeable, payable
from callbill.domain.payments._refundable import refundable, refunded_balances
from callbill.domain.payments._run_views import CollectionRunView, collection_run, collection_runs
from callbill.domain.payments._stop_views import StopView, collection_stops, stops_standing
from callbill.domain.payments._views import (
    AttemptView,
    ReceiptFacts,
    RefundFacts,
    SavedCard,
    attempt_view,
    receipt_facts,
    refund_facts,
    saved_card,
)
from callbill.domain.payments._withdrawing import ToGiveUp
from callbill.domain.payments.models import (
    PaymentAttempt,
    PaymentMethod,
    Receipt,
    Refund,
    StaffAlert,
)
from callbill.rules.dunning import can_be_charged
from callbill.rules.lifecycle import OWED
from callbill.rules.money import Money

__all__ = [
    "BANK_METHODS",
    "AttemptView",
    "BankPaymentView",
    "ChargebackFacts",
    "CollectionRunView",
    "ConsentView",
    "InvoiceInNeed",
    "NextAttempt",
    "NotFound",
    "PayableInvoice",
    "ReceiptFacts",
    "RefundFacts",
    "SavedCard",
    "StaffMatter",
    "StopView",
    "WarningFacts",
    "attempts",
    "bank_payment",
    "bank_payments",
    "being_paid",
    "books_differences",
    "can_pay_now",
    "cards",
    "chargebacks_of",
    "charged_at_once",
    "collection_run",
    "collection_runs",
    "collection_stops",
    "confirmation_path",
    "consents",
    "decided_chargebacks",
    "is_held",
    "mandate_text",
    "need_a_person",
    "next_attempt",
    "open_chargebacks",
    "open_matters",
    "open_warnings",
    "payable",
    "receipt_for",
    "receipt_of",
    "receipts_of",
    "refundable_notes",
    "refunds_of",
    "stays_open",
    "stops_standing",
    "to_give_up",
    "waits_for_consent",
    "waits_for_us",
    "what_happens_next",
    "why_no_bank_payment",
    "why_not_returned",
]


@dataclass(frozen=True, slots=True)
class StaffMatter:
    """Something only staff can mend."""

    kind: str
    message: str
    first_at: datetime
    last_at: datetime
    times: int


def cards(viewer: Viewer, payer_id: UUID, *, now: datetime) -> list[SavedCard]:
    """The payer's saved cards, the default one first. Raises NotFound for somebody else's payer."""
    payer = payer_seen_by(viewer, payer_id)
    saved = PaymentMethod.objects.filter(payer=payer, removed_at=None).order_by("-is_default", "-added_at")
    return [saved_card(card, today=now.date()) for card in saved]


def attempts(viewer: Viewer, invoice_id: UUID) -> list[AttemptView]:
    """Every try to charge the invoice, newest first; none for those who do not see its payer's cards."""
    made = (
        PaymentAttempt.objects.filter(invoice_id=invoice_id, invoice__payer__in=visible_payers(viewer))
        .select_related("payment_method")
        .order_by("-created_at", "-id")
    )
    return [attempt_view(attempt, staff=viewer.is_staff) for attempt in made]


def next_attempt(viewer: Viewer, invoice_id: UUID) -> NextAttempt | None:
    """When the invoice is charged next by itself and why; None if not, or for who does not see its cards."""
    invoices = Invoice.objects.filter(id=invoice_id, payer__in=visible_payers(viewer))
    invoice = invoices.select_related("collection_plan").first()
    return planned_next(invoice) if invoice else None


def what_happens_next(invoice_id: UUID, *, viewer: Viewer | None = None) -> str:
    """What happens next with the invoice, in words; the same on page, e-mail and console.

    For a viewer who does not see the payer's cards (a company's people where the organization pays) it says
    who pays instead, and nothing of cards and amounts that are not theirs.
    """
    invoice = Invoice.objects.select_related("payer__company", "payer__organization").get(id=invoice_id)
    if viewer is None or visible_payers(viewer).filter(id=invoice.payer_id).exists():
        return _words.next_step(invoice)
    return _words.next_step_for_others(invoice)


def can_pay_now(invoice_id: UUID) -> bool:
    """Whether charging the default card now would be tried: the "Pay now" and "Retry now" buttons."""
    invoice = Invoice.objects.filter(id=invoice_id, status__in=OWED).first()
    return invoice is not None and chargeable(invoice) is not None


def confirmation_path(viewer: Viewer, invoice_id: UUID, *, now: datetime) -> str:
    """Where the invoice's cardholder confirms the payment that waits for it, for a day; "" where none does.

    Also for those who do not see the payer's cards: nothing to confirm.
    """
    invoice = Invoice.objects.filter(id=invoice_id, payer__in=visible_payers(viewer)).first()
    return path_for_invoice(invoice, now=now) if invoice else ""


def waits_for_us(payer_id: UUID, charge: Money) -> bool:
    """Whether no card can pay `charge` for now: its payer is stopped, or it is too small for one (M29)."""
    return not can_be_charged(charge) or _owing.is_stopped(payer_id)


def is_held(invoice_id: UUID) -> bool:
    """Whether something is due on the invoice and all of it is held out of collection (M30)."""
    invoice = Invoice.objects.get(id=invoice_id)
    return bool(invoice.due_minor) and not _owing.to_charge(invoice).minor


def being_paid(invoice_id: UUID) -> str:
    """Why what is owed on the invoice may not be changed now, in words; "" if it may (M26).

    Invoicing asks, through settings.INVOICE_BEING_PAID, with the invoice locked.
    """
    return _words.why_it_waits(invoice_id)


def stays_open(invoice: Invoice) -> bool:
    """Whether a small invoice may not be brought forward now: it is being paid, or held (M26, M30).

    Invoicing asks, through settings.INVOICE_STAYS_OPEN, with the invoice locked.
    """
    return _plan.live_attempt(invoice.id) is not None or bool(disputes.held(invoice).minor)


def receipt_for(viewer: Viewer, number: str) -> ReceiptFacts:
    """A receipt by its number. Raises NotFound, also for another tenant's."""
    receipt = _receipts(viewer).filter(number=number).first()
    if receipt is None:
        raise NotFound("There is no such receipt.")
    return receipt_facts(receipt)


def receipt_of(viewer: Viewer, invoice_id: UUID) -> ReceiptFacts | None:
    """The invoice's newest receipt, or None: never paid, or not for this viewer."""
    return next(iter(receipts_of(viewer, invoice_id)), None)


def receipts_of(viewer: Viewer, invoice_id: UUID) -> list[ReceiptFacts]:
    """The invoice's receipts, newest first; at most the first stands, see `taken_back`."""
    given = _receipts(viewer).filter(invoice_id=invoice_id).order_by("-paid_at", "-number")
    return [receipt_facts(receipt) for receipt in given]


def refunds_of(viewer: Viewer, invoice_id: UUID) -> list[RefundFacts]:
    """What of the invoice's credit notes went back to a card; none for those who do not see its cards."""
    made = Refund.objects.filter(
        credit_note__invoice_id=invoice_id, credit_note__invoice__payer__in=visible_payers(viewer)
    ).select_related("attempt__payment_method", "credit_note")
    return [refund_facts(refund, staff=viewer.is_staff) for refund in made.order_by("created_at")]


def refundable_notes(viewer: Viewer, invoice_id: UUID) -> dict[UUID, Money]:
    """By credit note: what staff can still give back to the card, if anything."""
    if not viewer.is_staff:
        return {}
    notes = CreditNote.objects.filter(invoice_id=invoice_id, to_balance_minor__gt=0).select_related("invoice")
    found = {note.id: refundable(note) for note in notes}
    return {note_id: amount for note_id, amount in found.items() if amount.minor}


def to_give_up(invoice_id: UUID, *, now: datetime) -> ToGiveUp | None:
    """Why staff may give a payment of the invoice up; None if there is none that they may."""
    live = _plan.live_attempt(invoice_id)
    return _withdrawing.to_give_up(live, now) if live else None


def books_differences() -> list[BooksDifference]:
    """Whether the ledger says what invoices, credit notes, bank payments, refunds and chargebacks say."""
    return [
        *invoicing_differences(_moved_balances(), at_bank(), going_back=going_back(), banked=banked()),
        *owed_again_differences(),
    ]


def _moved_balances() -> dict[tuple[UUID, str], int]:
    """What went from credit balances back to cards, less what bank payments and chargebacks brought in."""
    moved = defaultdict(int, refunded_balances())
    for key, minor in (*surpluses().items(), *credited().items()):
        moved[key] -= minor
    return moved


def _receipts(viewer: Viewer) -> QuerySet[Receipt]:
    return Receipt.objects.filter(invoice__payer__in=visible_payers(viewer)).select_related(
        "invoice", "attempt__payment_method"
    )


def open_matters(viewer: Viewer) -> Sequence[StaffMatter]:
    """What staff must mend, newest first; nothing for anybody else."""
    if not viewer.is_staff:
        return []
    rows = StaffAlert.objects.filter(settled_at=None).order_by("-last_at")
    return [StaffMatter(row.kind, row.message, row.first_at, row.last_at, row.times) for row in rows]
