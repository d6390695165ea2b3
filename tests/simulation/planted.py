"""Bugs that are planted on purpose, to see that the simulation finds them: the test of the test.

Each is a mistake that a billing system could make, put into the running process (or its database) here and
never into the product. `python -m tests.simulation.finding` lives stories with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

Plant = Callable[[ExitStack], None]


@dataclass(frozen=True)
class Bug:
    """A bug, what it is in a sentence, and the invariants by which it may be noticed."""

    name: str
    words: str
    breaks: frozenset[str]
    plant: Plant

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The bug is there inside."""
        with ExitStack() as stack:
            self.plant(stack)
            yield


BUGS: dict[str, Bug] = {}


def _bug(words: str, *breaks: str) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        name = plant.__name__
        BUGS[name] = Bug(name, words, frozenset(breaks), plant)
        return plant

    return keep


def _put(stack: ExitStack, where: object, name: str, what: object) -> Any:
    """Replace an attribute that must be there; answers what was there."""
    before = getattr(where, name)
    stack.enter_context(mock.patch.object(where, name, what))
    return before


def _ddl(stack: ExitStack, *statements: str) -> None:
    """Change every database that a world begins with."""
    from django.db import connection

    from callbill.config.simulation.ground import Ground

    plain = Ground.fresh

    def fresh(self: Ground) -> None:
        plain(self)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    _put(stack, Ground, "fresh", fresh)


# --- charging -----------------------------------------------------------------------------------------
@_bug("an attempt is not saved as submitted before the card is charged", "one charge an attempt")
def not_saved_before_confirm(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt

    _put(stack, _attempt, "_submit", lambda work, view, now: True)


@_bug(
    "after no answer the card is charged again under a fresh key, nobody asks first", "one charge an attempt"
)
def charged_again_under_a_fresh_key(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt
    from callbill.gateways.stripe.gateway import StripeGateway

    plain_drive, plain_confirm = _attempt._drive, StripeGateway.confirm

    def drive(attempt_id: Any, now: Any, resumed: bool) -> None:
        work = _attempt._read(attempt_id)
        if work.state != "submitted":
            plain_drive(attempt_id, now, resumed)
            return
        view = mock.Mock(reference=work.intent)
        with mock.patch.object(
            StripeGateway,
            "confirm",
            lambda self, *, reference, card, key: plain_confirm(
                self, reference=reference, card=card, key=f"{key}:{now}"
            ),
        ):
            _attempt._confirm(work, view, now)

    _put(stack, _attempt, "_drive", drive)


@_bug("a payment is made again where it should be looked for, under a key that Stripe forgot", "one payment")
def made_again_under_an_old_key(stack: ExitStack) -> None:
    from callbill.gateways.stripe.gateway import StripeGateway

    _put(stack, StripeGateway, "find_intent", lambda self, *, customer, intent_id: None)


@_bug(
    "each attempt makes a payment of its own, and no index or lock keeps a second one away",
    *("paid once", "one live attempt", "no mistake of ours", "money at Stripe = ledger"),
)
def two_attempts_at_once(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt
    from callbill.domain.payments.models import PaymentIntent

    _ddl(
        stack,
        "DROP INDEX one_live_attempt_an_invoice",
        "DROP INDEX one_open_intent_an_invoice",
    )

    def open_intent(invoice: Any, amount: Any, now: Any) -> PaymentIntent:
        made = PaymentIntent.objects.filter(invoice=invoice).count()
        return PaymentIntent.objects.create(
            invoice=invoice,
            amount_minor=amount.minor,
            currency=invoice.currency,
            description=f"Invoice {invoice.number}",
            generation=made + 1,
            created_at=now,
        )

    _put(stack, _attempt, "_open_intent", open_intent)
    _put(stack, _attempt._plan, "live_attempt", lambda invoice_id: None)


@_bug("what an answer says is posted each time it is heard", "no mistake of ours", "ledger = invoices")
def applied_each_time(stack: ExitStack) -> None:
    from callbill.domain.payments import _apply
    from callbill.domain.payments.operations import _events

    plain, plain_locked = _apply.apply, _apply.locked

    def locked(attempt_id: Any) -> Any:
        invoice, attempt = plain_locked(attempt_id)
        if attempt.state == "succeeded":
            attempt.state = "submitted"
        return invoice, attempt

    def apply(*, attempt_id: Any, view: Any, now: Any, refusal: Any = None) -> Any:
        record = _apply.invoicing.record_payment

        def under_another_key(*, reference: str, **given: Any) -> Any:
            return record(reference=f"{reference}:{now}", **given)

        with (
            mock.patch.object(_apply, "locked", locked),
            mock.patch.object(_apply.invoicing, "record_payment", under_another_key),
        ):
            return plain(attempt_id=attempt_id, view=view, now=now, refusal=refusal)

    _put(stack, _events, "apply", apply)


@_bug("a message of Stripe is believed as it was sent, and makes a paid invoice past due", "states")
def message_believed(stack: ExitStack) -> None:
    from callbill.domain.invoicing.models import Invoice
    from callbill.domain.payments.operations import _events

    def believed(reference: str, now: Any) -> None:
        owed = Invoice.objects.filter(payment_intents__reference=reference)
        owed.update(status="past_due", past_due_at=now)

    stack.enter_context(mock.patch.dict(_events._HANDLERS, {"payment_intent.payment_failed": believed}))


@_bug("attempts whose worker died are not swept up", "nothing stuck", "money at Stripe = ledger")
def not_swept(stack: ExitStack) -> None:
    from callbill.domain.payments.operations import Collected
    from callbill.jobs import work

    _put(stack, work.payments, "sweep_attempts", lambda **given: Collected())


@_bug("a Stripe that does not answer makes the customer past due", "past due for a reason")
def past_due_by_our_fault(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt
    from callbill.domain.payments.models import PaymentAttempt

    plain = _attempt._look_again

    def look_again(attempt_id: Any, now: Any, problem: str) -> None:
        plain(attempt_id, now, problem)
        attempt = PaymentAttempt.objects.get(id=attempt_id)
        _attempt.invoicing_fall_past_due(invoice_id=attempt.invoice_id, now=now)

    from callbill.domain.invoicing.operations import fall_past_due

    _attempt.invoicing_fall_past_due = fall_past_due  # type: ignore[attr-defined]
    _put(stack, _attempt, "_look_again", look_again)


@_bug(
    "what is owed changed, and the payment at Stripe keeps its old amount",
    *("no mistake of ours", "money at Stripe", "money at Stripe = ledger", "paid once"),
)
def old_amount_charged(stack: ExitStack) -> None:
    from callbill.domain.payments import _attempt

    _put(stack, _attempt, "_other_amount", lambda work, view: view)


@_bug("a run charges only what was just issued, so that a crash in between loses a charge", "no lost charge")
def forgotten_after_a_crash(stack: ExitStack) -> None:
    from callbill.domain.invoicing.models import Invoice
    from callbill.domain.payments.operations import _collecting

    plain = _collecting._due

    def due(now: Any) -> Any:
        fresh = set(Invoice.objects.filter(issued_at__gte=now).values_list("id", flat=True))
        return [job for job in plain(now) if job.trigger != "issue" or job.invoice_id in fresh]

    _put(stack, _collecting, "_due", due)


# --- refunds, books, numbers --------------------------------------------------------------------------
@_bug("each try of a refund has a key of its own and nobody looks for the last one", "refunded once")
def refunded_each_try(stack: ExitStack) -> None:
    from callbill.gateways.stripe.gateway import StripeGateway

    plain, tries = StripeGateway.refund, [0]

    def refund(self: Any, *, charge: Any, amount: Any, metadata: Any, key: str) -> Any:
        tries[0] += 1
        return plain(self, charge=charge, amount=amount, metadata=metadata, key=f"{key}:{tries[0]}")

    _put(stack, StripeGateway, "refund", refund)
    _put(stack, StripeGateway, "find_refund", lambda self, *, intent, refund_id: None)


@_bug("a credit note is posted and does not lower what is due", "ledger = invoices", "states")
def credit_forgotten(stack: ExitStack) -> None:
    from callbill.domain.invoicing import _crediting

    plain = _crediting.issue_credit_note

    def issue(invoice: Any, draft: Any, **given: Any) -> Any:
        before = invoice.credited_minor
        note = plain(invoice, draft, **given)
        invoice.credited_minor = before
        return note

    _put(stack, _crediting, "issue_credit_note", issue)


@_bug(
    "a number is counted by itself and not given back when its invoice comes to nothing",
    "numbers without gaps",
)
def number_lost(stack: ExitStack) -> None:
    import psycopg
    from django.db import connection

    from callbill.domain.invoicing import _issuing

    def next_number(*, series: str, prefix: str) -> str:
        given = connection.get_connection_params()
        wanted = {
            name: given[name] for name in ("host", "port", "user", "password", "dbname") if name in given
        }
        with psycopg.connect(**wanted, autocommit=True) as beside:
            row = beside.execute(
                "INSERT INTO invoicing_numberseries (key, next_number) VALUES (%s, 2) ON CONFLICT (key) DO "
                "UPDATE SET next_number = invoicing_numberseries.next_number + 1 RETURNING next_number - 1",
                [series],
            ).fetchone()
        assert row
        return f"{prefix}-{row[0]:06d}"

    _put(stack, _issuing, "next_number", next_number)


# --- calls and mail -----------------------------------------------------------------------------------
@_bug("a call that is handed over twice is two calls", "calls once")
def calls_not_recognised(stack: ExitStack) -> None:
    from callbill.domain.usage import _importing
    from callbill.domain.usage.models import Call

    def store(calls: Any, delivery: Any) -> Any:
        known = set(Call.objects.values_list("source_call_id", flat=True))
        return plain(
            [(line, _renamed(call, line) if call.source_call_id in known else call) for line, call in calls],
            delivery,
        )

    def _renamed(call: Any, line: int) -> Any:
        return replace(call, source_call_id=f"{call.source_call_id} again {line}")

    plain = _put(stack, _importing, "store", store)


@_bug("calls that come in late are on no invoice", "calls billed once")
def late_calls_lost(stack: ExitStack) -> None:
    from callbill.domain.invoicing import _gathering

    _put(stack, _gathering, "_late", lambda drafts, period: None)


@_bug("a letter is marked as sent before it is handed over", "each notice once")
def marked_before_sent(stack: ExitStack) -> None:
    from callbill.domain.notifications import _delivery
    from callbill.domain.notifications.models import Notification

    plain = _delivery._deliver

    def deliver(notification: Any, port: Any, attachments: Any, now: Any) -> bool:
        Notification.objects.filter(id=notification.id).update(sent_at=now)
        return plain(notification, port, attachments, now)

    _put(stack, _delivery, "_deliver", deliver)


@_bug("a warning is told again each day, for its key has the day in it", "each notice once")
def told_every_day(stack: ExitStack) -> None:
    from callbill.domain.payments import _notices

    plain = _notices.notifications.tell

    def tell(*, key: str, now: Any, **given: Any) -> int:
        told: int = plain(key=f"{key}:{now:%Y-%m-%d}", now=now, **given)
        return told

    _put(stack, _notices.notifications, "tell", tell)
