"""Whether people and staff were told of what happened, each once, and of nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Count, F, Q

from callbill.config.simulation.money import AtStripe, Found
from callbill.config.simulation.watch import Violation
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.notifications.models import Notification
from callbill.domain.payments.models import (
    LIVE_REFUNDS,
    LIVE_STATES,
    BankPayment,
    Chargeback,
    CollectionStop,
    FraudWarning,
    PaymentAttempt,
    PaymentMethod,
    Receipt,
    Refund,
    StaffAlert,
)

if TYPE_CHECKING:
    from callbill.config.simulation.world import World

_ONCE_AN_INVOICE = ("invoice_issued", "card_missing", "past_due")


def notices_once(there: AtStripe) -> Found:
    """No mail is told twice."""
    once = Notification.objects.filter(kind__in=_ONCE_AN_INVOICE).values("kind", "subject_id", "recipient")
    for row in once.annotate(n=Count("id")).filter(n__gt=1):
        yield Violation("each notice once", f"{row['kind']} {row['n']} times to {row['recipient']}")
    payments: dict[Any, int] = Counter(
        (
            *PaymentAttempt.objects.filter(state="succeeded").values_list("invoice_id", flat=True),
            *BankPayment.objects.values_list("invoice_id", flat=True),
        )
    )
    received = Notification.objects.filter(kind="payment_received").values_list("subject_id", "recipient")
    for invoice_id, recipient, times in received.annotate(n=Count("id")):
        if times > payments.get(invoice_id, 0):
            yield Violation("each notice once", f"payment_received {times} times to {recipient}")
    receipts = Counter(Receipt.objects.values_list("invoice_id", flat=True))
    mailed = Notification.objects.filter(kind="receipt").values_list("subject_id", "recipient")
    for invoice_id, recipient, times in mailed.annotate(n=Count("id")):
        if times > receipts.get(invoice_id, 0):
            yield Violation("each notice once", f"a receipt {times} times to {recipient}")
    texts = Notification.objects.exclude(kind="payment_failed").values_list(
        "kind", "subject", "recipient", "body_text"
    )
    for (kind, subject, recipient, _), times in Counter(texts).items():
        # That a card expires is said 60 days before and again 30 days before, in the same words.
        if times > (2 if kind == "card_expiring" else 1):
            yield Violation("each notice once", f"“{subject}” {times} times to {recipient}")
    declines: dict[Any, int] = Counter(
        PaymentAttempt.objects.exclude(code="").values_list("invoice_id", flat=True)
    )
    for invoice, times in there.asked_for_the_cardholder().items():
        declines[UUID(invoice)] += times
    failed = Notification.objects.filter(kind="payment_failed").values_list("subject_id", "recipient")
    for invoice_id, recipient, times in failed.annotate(n=Count("id")):
        if times > declines.get(invoice_id, 0):
            yield Violation(
                "each notice once",
                f"payment_failed {times} times to {recipient} for {declines.get(invoice_id, 0)} declines",
            )


def notices_given(world: World) -> Found:
    """What happened was told to each who was a contact then, and each row that was sent is one letter."""
    letters = {path.stem for path in (world.ground.folder / "mailbox").glob("*.eml")}
    sent = {str(key) for key in Notification.objects.exclude(sent_at=None).values_list("id", flat=True)}
    if letters != sent:
        yield Violation(
            "each notice once",
            f"{len(letters - sent)} letters without a row, {len(sent - letters)} the reverse",
        )
    told = set(Notification.objects.values_list("key", "recipient"))
    for what, payer_id, at, keys in _facts():
        for (reached, address), since in world.memory.contacts.items():
            if reached == payer_id and since < at and not any((key, address) in told for key in keys):
                yield Violation("each notice once", f"{address} was not told: {what}")


Fact = tuple[str, Any, datetime, tuple[str, ...]]


def _facts() -> Iterator[Fact]:
    """What a customer must be told of: in words, whose, since when, and under which keys it may be told."""
    for invoice in Invoice.objects.exclude(issued_at=None):
        assert invoice.issued_at is not None
        issued = invoice.issued_at
        yield f"{invoice.number} was issued", invoice.payer_id, issued, (f"issued:{invoice.id}",)
    for attempt in PaymentAttempt.objects.exclude(finished_at=None).select_related("invoice"):
        asked = {"succeeded": ("paid",), "declined": ("failed", "confirm")}.get(attempt.state)
        if asked and attempt.finished_at:
            keys = tuple(f"{each}:{attempt.id}" for each in asked)
            what = f"an attempt for {attempt.invoice.number} {attempt.state}"
            yield what, attempt.invoice.payer_id, attempt.finished_at, keys
    for note in CreditNote.objects.select_related("invoice"):
        keys = (f"credited:{note.id}", f"voided:{note.invoice_id}")
        yield f"credit note {note.number}", note.invoice.payer_id, note.issued_at, keys
    for payment in BankPayment.objects.select_related("invoice"):
        payer_id, number = payment.invoice.payer_id, payment.invoice.number
        yield f"money by bank for {number}", payer_id, payment.recorded_at, (f"bank:{payment.id}",)
        if payment.returned_at:
            keys = (f"bank-returned:{payment.id}",)
            yield f"a payment for {number} was returned", payer_id, payment.returned_at, keys
    yield from _facts_of_the_books()


def _facts_of_the_books() -> Iterator[Fact]:
    """Refunds that went and that came back, and payments that banks took for good."""
    refunds = {str(row.id): row for row in Refund.objects.select_related("attempt__invoice")}
    made = set(Entry.objects.filter(kind="refund_made").values_list("key", flat=True))
    disputed = {row.reference: row for row in Chargeback.objects.select_related("attempt__invoice")}
    rows = Entry.objects.filter(kind__in=("refund_made", "refund_failed", "charged_back"))
    for kind, key, at in rows.values_list("kind", "key", "at"):
        name = key.partition(":")[2]
        if kind == "charged_back":
            invoice = disputed[name.split(":")[0]].attempt.invoice
            # What had been credited or written off since is not owed again.
            if invoice.status in ("past_due", "paid"):
                yield f"{invoice.number} is owed again", invoice.payer_id, at, (f"charged-back:{name}",)
            continue
        # Booked a second time it is `name`:2.
        invoice = refunds[name.partition(":")[0]].attempt.invoice
        if kind == "refund_made":
            yield f"a refund of {invoice.number} went", invoice.payer_id, at, (f"refunded:{name}",)
        elif f"refund_made:{name}" in made:
            keys = (f"refund-returned:{name}",)
            yield f"a refund of {invoice.number} came back", invoice.payer_id, at, keys


# --- staff --------------------------------------------------------------------------------------------
def matters(there: AtStripe, *, key_was_wrong: bool) -> Found:
    """Staff are called only for what this story gives reason for, each matter for its own."""
    removed = {
        str(key) for key in PaymentMethod.objects.exclude(removed_at=None).values_list("id", flat=True)
    }
    failed = {str(key) for key in Refund.objects.filter(state="failed").values_list("id", flat=True)}
    disputes = [row["id"] for row in there.disputes]
    causes: dict[str, set[str]] = {
        "gateway_key": {"gateway-key"} if key_was_wrong else set(),
        "card_not_detached": {f"card-not-detached:{key}" for key in removed},
        "default_card_gone": {f"default-card-gone:{key}" for key in removed},
        "refund_failed": {f"refund-failed:{key}" for key in failed},
        "chargeback": {f"chargeback:{key}:{state}" for key in disputes for state in _DISPUTED},
        "fraud_warning": {f"fraud-warning:{row['id']}" for row in there.warnings},
        "payment_in_doubt": {f"attempt:{key}" for key in _ids(PaymentAttempt, _LASTED)},
        "refund_in_doubt": {f"refund:{key}" for key in _ids(Refund, _LASTED)},
    }
    for alert in StaffAlert.objects.all():
        if alert.key not in causes.get(alert.kind, ()):
            yield Violation("no mistake of ours", f"{alert.kind}: {alert.message}")
    for stop in CollectionStop.objects.all():
        yield Violation("no mistake of ours", f"nothing was charged any more: {stop.reason}")


# What was not over within an hour may have been in doubt.
_LASTED = Q(finished_at=None) | Q(finished_at__gte=F("created_at") + timedelta(hours=1))
_DISPUTED = ("inquiry", "open", "lost")
_STATES = {"lost": "lost", "needs_response": "open", "under_review": "open"}


def matters_told(there: AtStripe) -> Found:
    """The reverse: of a dispute, a warning of fraud and a refund that came to nothing staff were told."""
    open_now = set(StaffAlert.objects.filter(settled_at=None).values_list("key", flat=True))
    ever = set(StaffAlert.objects.values_list("key", flat=True))
    if "gateway-key" in open_now:
        yield Violation("staff are told", "the key works again, and staff are still called for it")
    live = {f"attempt:{key}" for key in _ids(PaymentAttempt, Q(state__in=LIVE_STATES))}
    live |= {f"refund:{key}" for key in _ids(Refund, Q(state__in=LIVE_REFUNDS))}
    doubts = StaffAlert.objects.filter(settled_at=None, kind__endswith="_in_doubt")
    for key in doubts.exclude(key__in=live).values_list("key", flat=True):
        yield Violation("staff are told", f"{key} is over, and staff are still told that it is in doubt")
    for dispute in there.disputes:
        state = _STATES.get(dispute["status"], "inquiry")
        if dispute["status"] in ("won", "warning_closed"):
            continue
        # What is lost asks nothing more of staff once they have seen to the invoice.
        if f"chargeback:{dispute['id']}:{state}" not in (ever if state == "lost" else open_now):
            yield Violation("staff are told", f"of a dispute that is {dispute['status']} nobody was told")
    for refund in Refund.objects.filter(state="failed").exclude(problem=""):
        if f"refund-failed:{refund.id}" not in ever:
            yield Violation("staff are told", f"of a refund that failed nobody was told: {refund.problem}")
    disputed = set(Chargeback.objects.values_list("attempt__charge", flat=True))
    known = set(FraudWarning.objects.values_list("reference", flat=True))
    for warning in there.warnings:
        if warning["id"] not in known:
            yield Violation("staff are told", "a warning of fraud is not known here")
        elif f"fraud-warning:{warning['id']}" not in ever and not _settled(warning["charge"], disputed):
            yield Violation("staff are told", "of a warning of fraud nobody was told")


def _ids(model: type[PaymentAttempt | Refund], which: Q) -> Iterable[Any]:
    return model.objects.filter(which).values_list("id", flat=True)


def _settled(charge: str, disputed: set[str | None]) -> bool:
    """Whether a warning came too late to ask anything of staff: the charge is disputed or went back."""
    attempt = PaymentAttempt.objects.filter(charge=charge).first()
    refunds = Refund.objects.filter(attempt=attempt, state="succeeded").values_list("amount_minor", flat=True)
    return charge in disputed or (attempt is not None and sum(refunds) >= attempt.amount_minor)
