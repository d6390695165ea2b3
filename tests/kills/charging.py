"""Charging an invoice, by the clock, by staff and by the customer; and going on with what was left behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import operations
from callbill.domain.payments.models import (
    LIVE_STATES,
    CollectionPlan,
    CollectionRun,
    PaymentAttempt,
    PaymentIntent,
    Receipt,
)
from tests.kills.bench import GOOD, NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, STAFF, WEBHOOK, Case
from tests.kills.work import Subject, Work, expect

GENERIC_DECLINE = "pm_card_chargeCustomerFail"
ALWAYS_ASKS = "pm_card_authenticationRequired"


class Charging(Work):
    """An invoice and the default card, charged by the clock."""

    betweens = (NOBODY, STAFF, SECOND_WORKER, WEBHOOK)
    card: ClassVar[str] = GOOD
    # What the card says to the next charges, instead of what it says by itself.
    decline: ClassVar[str] = ""

    def prepare(self, bench: Bench) -> Subject:
        """One open invoice."""
        payer = bench.payer(self.card)
        if self.decline:
            bench.sandbox.decline_next(payer.card_reference, self.decline, times=20)
        return Subject(payer=payer, invoice=bench.invoice(payer))

    def run(self, bench: Bench, subject: Any) -> None:
        """Nothing else is due."""
        operations.collect_due(now=NOW)

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Staff press "Retry now"; refusing is right while a payment is in progress, and when it is over."""
        try:
            operations.retry_now(
                invoice_id=subject.invoice.id, actor_id=bench.staff_user.id, reason="no answer yet", now=now
            )
        except operations.PaymentRefused:
            return

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Nothing is left to be asked about."""
        waits = PaymentAttempt.objects.filter(invoice=subject.invoice, state__in=LIVE_STATES)
        return self.status(subject) != "open" and not waits.exclude(state="action_required").exists()

    @staticmethod
    def status(subject: Any) -> str:
        """Of the invoice, now."""
        return str(Invoice.objects.values_list("status", flat=True).get(id=subject.invoice.id))

    @staticmethod
    def attempts(subject: Any) -> list[PaymentAttempt]:
        """Of the invoice, oldest first."""
        return list(PaymentAttempt.objects.filter(invoice=subject.invoice).order_by("created_at", "id"))

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """One payment at Stripe; the rest is the outcome's."""
        said: list[str] = []
        at_stripe = bench.stripe.all("charges", customer=subject.payer.customer)
        intents = bench.stripe.all("payment_intents", customer=subject.payer.customer)
        expect(said, "payments at Stripe", len(intents), 1)
        expect(said, "payments here", PaymentIntent.objects.filter(invoice=subject.invoice).count(), 1)
        attempts = self.attempts(subject)
        charges = sorted(a.charge for a in attempts if a.charge)
        expect(said, "charges", charges, self.expected_charges(attempts, at_stripe))
        entries = Entry.objects.filter(kind="payment", postings__payer=subject.payer.payer).distinct()
        paid = [charge for charge in at_stripe if charge["paid"]]
        expect(said, "payments in the books", entries.count() - subject.paid_before, len(paid))
        unfinished = CollectionRun.objects.filter(finished_at=None, broken_off_at=None)
        expect(said, "collection runs taken for alive", unfinished.count(), 0)
        self.outcome(
            subject,
            said,
            told=bench.told(subject.payer),
            paid=[charge["amount"] for charge in paid],
            attempts=attempts,
        )
        return said

    def expected_charges(self, attempts: list[Any], at_stripe: list[Any]) -> list[str]:
        """Every charge at Stripe, and each is an attempt's."""
        return sorted(charge["id"] for charge in at_stripe)

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """Paid once: one receipt, one message."""
        expect(said, "invoice", self.status(subject), "paid")
        expect(said, "paid at Stripe", paid, [subject.invoice.total_minor])
        expect(said, "attempts", [a.state for a in attempts], ["succeeded"])
        expect(said, "receipts", Receipt.objects.filter(invoice=subject.invoice).count(), 1)
        expect(said, "told", told, {"payment_received": 1})
        self.no_more_tries(subject, said)

    @staticmethod
    def no_more_tries(subject: Any, said: list[str]) -> None:
        """Nothing is planned."""
        plans = CollectionPlan.objects.filter(invoice=subject.invoice)
        expect(said, "next tries", [p.next_attempt_at for p in plans if p.next_attempt_at], [])

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """Nobody is past due for our mistake, or Stripe's."""
        return ["past due although the card works"] if self.status(subject) == "past_due" else []


class Success(Charging):
    """The card works."""

    name = "charging/success"


class ByCustomer(Success):
    """A billing administrator pays."""

    name = "charging/paid by the customer"
    own_recovery = False

    def run(self, bench: Bench, subject: Any) -> None:
        """As "Pay now" does."""
        operations.pay_now(viewer=bench.admin, number=subject.invoice.number, now=NOW)


class ByStaff(Success):
    """Staff charge."""

    name = "charging/retried by staff"
    own_recovery = False

    def run(self, bench: Bench, subject: Any) -> None:
        """As "Retry now" does."""
        self.staff(bench, subject, NOW)


class Declined(Charging):
    """The card is declined: past due at once, told once for every attempt."""

    name = "charging/soft decline"
    card = GENERIC_DECLINE

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """The card was refused, so past due is right."""
        return []

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """Staff's own try is a second attempt where it was not refused; the clock's is one at most."""
        expect(said, "invoice", self.status(subject), "past_due")
        expect(said, "paid at Stripe", paid, [])
        expect(said, "attempts' states", {a.state for a in attempts}, {"declined"})
        expect(said, "receipts", Receipt.objects.filter(invoice=subject.invoice).count(), 0)
        expect(said, "told", told, {"payment_failed": len(attempts)})
        automatic = sum(a.trigger in ("issue", "cycle") for a in attempts)
        expect(said, "at most one by itself", automatic <= 1, True)
        (plan,) = CollectionPlan.objects.filter(invoice=subject.invoice)
        expect(said, "counted", plan.automatic_attempts, automatic)
        self.planned(plan, said)

    def planned(self, plan: CollectionPlan, said: list[str]) -> None:
        """The next billing cycle."""
        expect(said, "a next try is planned", bool(plan.next_attempt_at), True)


class HardDecline(Declined):
    """The card was lost: never tried again for this invoice."""

    name = "charging/hard decline"
    own_recovery = False  # as of a soft one
    card = GOOD
    decline = "lost_card"

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """One attempt, whoever asks again."""
        expect(said, "attempts", [a.state for a in attempts], ["declined"])
        super().outcome(subject, said, told=told, paid=paid, attempts=attempts)


class Authentication(Declined):
    """The bank wants the cardholder: told once, kept waiting."""

    name = "charging/authentication required"
    card = ALWAYS_ASKS

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """One attempt, which waits and is looked after."""
        expect(said, "invoice", self.status(subject), "past_due")
        expect(said, "paid at Stripe", paid, [])
        expect(said, "attempts", [a.state for a in attempts], ["action_required"])
        expect(said, "told", sum(told.values()), 1)


class InDoubt(Success):
    """The sweeper goes on with a charge that was made and whose answer never came; and is killed itself."""

    name = "sweeping/charge made, answer lost"
    betweens = (NOBODY, STAFF, WEBHOOK)
    lost: ClassVar[str] = "reset_after"

    def prepare(self, bench: Bench) -> Subject:
        """The answer to the confirm is lost, and nobody could be asked about it."""
        subject = super().prepare(bench)
        bench.sandbox.fault(self.lost, path="/confirm$", method="POST", times=3)
        bench.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
        operations.collect_due(now=NOW - timedelta(minutes=20))
        bench.sandbox.clear_faults()
        states = [attempt.state for attempt in self.attempts(subject)]
        assert states == ["submitted"], states
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """The sweeper comes by."""
        operations.sweep_attempts(now=NOW)


class NotConfirmed(InDoubt):
    """The same where the request was lost on its way there."""

    name = "sweeping/confirm lost on its way"
    lost = "reset_before"


class DeclineInDoubt(Declined):
    """The same where the card was declined and nobody heard of it."""

    name = "sweeping/decline, answer lost"
    betweens = (NOBODY, STAFF, WEBHOOK)

    def prepare(self, bench: Bench) -> Subject:
        """As of a charge."""
        subject = super().prepare(bench)
        bench.sandbox.fault("reset_after", path="/confirm$", method="POST", times=3)
        bench.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
        operations.collect_due(now=NOW - timedelta(minutes=20))
        bench.sandbox.clear_faults()
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """The sweeper comes by."""
        operations.sweep_attempts(now=NOW)


WORKS = (
    Success(),
    Declined(),
    HardDecline(),
    Authentication(),
    ByCustomer(),
    ByStaff(),
    InDoubt(),
    NotConfirmed(),
    DeclineInDoubt(),
)
