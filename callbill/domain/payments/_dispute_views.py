"""Disputed charges and warnings of fraud as they are shown to staff, and the first to whoever paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from callbill.domain.customers.queries import Viewer, visible_payers
from callbill.domain.disputes.models import Hold
from callbill.domain.payments._chargeback_notices import reason_in_words
from callbill.domain.payments._holding import about_chargeback
from callbill.domain.payments._labels import card_label
from callbill.domain.payments.gateway import gateway
from callbill.domain.payments.models import Chargeback, FraudWarning
from callbill.rules.money import Money

_STATE = Chargeback.State
_UNDECIDED = (_STATE.INQUIRY.value, _STATE.OPEN.value)
# Lost and won are ours, not the customer's.
_FOR_CUSTOMERS = {
    _STATE.INQUIRY: "The bank asks",
    _STATE.OPEN: "Disputed",
    _STATE.WON: "Dispute ended",
    _STATE.LOST: "Taken back",
    _STATE.INQUIRY_CLOSED: "The bank asked",
}
_TONES = {_STATE.INQUIRY: "wait", _STATE.OPEN: "bad", _STATE.WON: "good", _STATE.LOST: "bad"}


@dataclass(frozen=True, slots=True)
class ChargebackFacts:
    """A disputed charge. The reason, the day of answer and the address are for staff only."""

    reference: str
    invoice_number: str
    payer_name: str
    card: str
    amount: Money
    owed_again: Money
    state: str
    state_word: str
    tone: str
    words: str  # how it stands, as customers read it
    opened_at: datetime
    closed_at: datetime | None
    reason: str
    answer_by: datetime | None
    page: str

    @property
    def undecided(self) -> bool:
        """True until the bank has decided."""
        return self.state in _UNDECIDED


@dataclass(frozen=True, slots=True)
class WarningFacts:
    """A warning that a payment may be fraud, for staff."""

    reference: str
    invoice_number: str
    payer_name: str
    card: str
    amount: Money
    kind: str
    warned_at: datetime
    hold_id: UUID | None  # while nobody settled it


def open_chargebacks(viewer: Viewer) -> Sequence[ChargebackFacts]:
    """What banks have not decided, the first to be answered first; nothing for anybody but staff."""
    if not viewer.is_staff:
        return []
    rows = _seen_by(viewer).filter(state__in=_UNDECIDED).order_by("evidence_due_at", "opened_at")
    return [_facts(row, staff=True) for row in rows]


def decided_chargebacks(viewer: Viewer, *, limit: int = 25) -> Sequence[ChargebackFacts]:
    """What banks decided last, newest first; nothing for anybody but staff."""
    if not viewer.is_staff:
        return []
    rows = _seen_by(viewer).exclude(state__in=_UNDECIDED).order_by("-closed_at")[:limit]
    return [_facts(row, staff=True) for row in rows]


def chargebacks_of(viewer: Viewer, invoice_id: UUID) -> list[ChargebackFacts]:
    """Every disputed charge of an invoice, newest first; none for those who do not see its payer's cards."""
    rows = _seen_by(viewer).filter(attempt__invoice_id=invoice_id).order_by("-opened_at")
    return [_facts(row, staff=viewer.is_staff) for row in rows]


def open_warnings(viewer: Viewer) -> Sequence[WarningFacts]:
    """Warnings of fraud that nobody settled yet, oldest first; nothing for anybody but staff."""
    if not viewer.is_staff:
        return []
    holds = Hold.objects.filter(kind=Hold.Kind.FRAUD_WARNING.value, lifted_at=None)
    by_cause = dict(holds.values_list("cause", "id"))
    rows = FraudWarning.objects.filter(reference__in=by_cause).select_related(
        "attempt__payment_method", "attempt__invoice"
    )
    return [
        WarningFacts(
            reference=row.reference,
            invoice_number=row.attempt.invoice.number or "",
            payer_name=row.attempt.invoice.payer_snapshot.get("name", ""),
            card=card_label(row.attempt.payment_method),
            amount=Money(row.attempt.amount_minor, row.attempt.currency),
            kind=row.kind.replace("_", " "),
            warned_at=row.warned_at,
            hold_id=by_cause[row.reference],
        )
        for row in rows.order_by("warned_at")
    ]


def _seen_by(viewer: Viewer) -> QuerySet[Chargeback]:
    rows = Chargeback.objects.filter(attempt__invoice__payer__in=visible_payers(viewer))
    return rows.select_related("attempt__payment_method", "attempt__invoice")


def _facts(row: Chargeback, *, staff: bool) -> ChargebackFacts:
    attempt = row.attempt
    state = _STATE(row.state)
    return ChargebackFacts(
        reference=row.reference,
        invoice_number=attempt.invoice.number or "",
        payer_name=attempt.invoice.payer_snapshot.get("name", ""),
        card=card_label(attempt.payment_method),
        amount=Money(row.amount_minor, row.currency),
        owed_again=Money(row.lost_minor, row.currency),
        state=row.state,
        state_word=str(state.label) if staff else _FOR_CUSTOMERS[state],
        tone=_TONES.get(state, ""),
        words=about_chargeback(row, attempt.invoice, held=row.state in _UNDECIDED),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        reason=reason_in_words(row.reason) if staff else "",
        answer_by=row.evidence_due_at if staff else None,
        page=gateway().dispute_page(reference=row.reference) if staff else "",
    )
