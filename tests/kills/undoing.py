"""What is taken back or set right by hand: payments given up, forgotten ones canceled, refunds taken over."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations
from callbill.domain.payments._confirming import ON_A_PAGE, confirm_path
from callbill.domain.payments.models import CollectionPlan, CollectionStop, PaymentIntent, Receipt, Refund
from callbill.domain.users.models import StaffAction
from callbill.rules.money import Money
from tests.kills import charging
from tests.kills.bench import NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, WEBHOOK, Case
from tests.kills.refunding import CREDIT, Refunding
from tests.kills.work import Subject, expect

LONG_AGO = NOW - timedelta(hours=2)


class TakenOver(Refunding):
    """Somebody refunded the charge in Stripe's Dashboard; staff book it on the credit note."""

    name = "refunding/made by hand, taken over"
    # Stripe's message may come before anybody has taken it over.
    alarms = (0, 1)

    def prepare(self, bench: Bench) -> Subject:
        """Credited here, refunded there."""
        subject = super().prepare(bench)
        charge = subject.invoice.payment_attempts.get().charge
        subject.reference = bench.stripe.post("refunds", charge=charge, amount=CREDIT)["id"]
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """Staff take it over; if Stripe does not answer, the page says so."""
        with suppress(operations.GatewayError):
            self.take_over(bench, subject, NOW)

    @staticmethod
    def take_over(bench: Bench, subject: Any, now: datetime) -> None:
        """The button."""
        operations.take_over_refund(
            note_id=subject.note.id,
            reference=subject.reference,
            reason="Made by hand",
            actor_id=bench.staff_user.id,
            now=now,
        )

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Pressed again, which is refused where it is in the books."""
        with suppress(operations.PaymentRefused, operations.GatewayError):
            self.take_over(bench, subject, now)

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """Whoever is not sure presses again."""
        self.staff(bench, subject, now)
        return bench.round(now)

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is in the books."""
        return Refund.objects.filter(reference=subject.reference, state="succeeded").exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Once, whatever died; and once in the audit log."""
        said: list[str] = []
        refunds = list(Refund.objects.filter(credit_note=subject.note))
        told = {k: n - subject.before.get(k, 0) for k, n in bench.told(subject.payer).items()}
        told = {kind: number for kind, number in told.items() if number}
        expect(
            said, "refunds", [(r.amount_minor, r.reference) for r in refunds], [(CREDIT, subject.reference)]
        )
        charge = subject.invoice.payment_attempts.get().charge
        there = bench.stripe.all("refunds", charge=charge)
        expect(said, "refunds at Stripe", [r["id"] for r in there], [subject.reference])
        done = StaffAction.objects.filter(action="take_over_refund", subject_id=subject.invoice.id)
        expect(said, "written in the audit log", done.count(), 1)
        self.outcome(subject, said, told=told, refunds=refunds)
        return said


class InDoubtGivenUp(charging.Charging):
    """Nobody knows for two hours whether the card was charged (it was not); staff give the payment up."""

    name = "charging/in doubt, given up"
    fault: ClassVar[tuple[str, str]] = ("reset_before", "/confirm$")
    state: ClassVar[str] = "submitted"

    def prepare(self, bench: Bench) -> Subject:
        """The worker's request did not arrive."""
        subject = super().prepare(bench)
        kind, path = self.fault
        bench.sandbox.fault(kind, path=path, method="POST", times=3)
        bench.sandbox.fault("503", path="/v1/payment_intents/pi_", method="GET", times=3)
        operations.collect_due(now=LONG_AGO)
        bench.sandbox.clear_faults()
        states = [attempt.state for attempt in self.attempts(subject)]
        assert states == [self.state], states
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """Given up."""
        self.staff(bench, subject, NOW)

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Refusing is right where nothing is in doubt any more; without an answer the page says so."""
        with suppress(operations.PaymentRefused, operations.GatewayError):
            operations.stop_waiting(
                invoice_id=subject.invoice.id, actor_id=bench.staff_user.id, reason="A wire comes", now=now
            )

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is known what became of it."""
        return self.attempts(subject)[-1].state in ("canceled", "succeeded")

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Given up, and then nothing can be paid; or the sweeper was quicker, and it is paid once."""
        said: list[str] = []
        attempt, *more = self.attempts(subject)
        expect(said, "tried again although given up", [each.state for each in more], [])
        intents = bench.stripe.all("payment_intents", customer=subject.payer.customer)
        charges = bench.stripe.all("charges", customer=subject.payer.customer)
        paid = attempt.state == "succeeded"
        expect(said, "charged although given up", paid and attempt.given_up_at is not None, False)
        expect(said, "paid at Stripe", [c["amount"] for c in charges], [100_00] if paid else [])
        ours = attempt.intent
        # Made after all by who went on with it, but never confirmed: the next try's.
        unused = [i["status"] for i in intents] == ["requires_payment_method"] and self.state == "prepared"
        state = "open" if unused else attempt.state
        if not unused:
            expect(said, "at Stripe", {i["status"] for i in intents} - {attempt.state}, set())
        expect(said, "here", (ours.state, ours.reference is None), (state, not intents))
        expect(said, "told", bench.told(subject.payer), {"payment_received": 1} if paid else {})
        expect(said, "invoice", self.status(subject), "paid" if paid else "open")
        expect(said, "receipts", Receipt.objects.filter(invoice=subject.invoice).count(), int(paid))
        (plan,) = CollectionPlan.objects.filter(invoice=subject.invoice)
        soon = plan.next_attempt_at and plan.next_attempt_at < NOW + timedelta(days=5)
        expect(said, "tried again soon", bool(soon), False)
        expect(said, "planned", bool(plan.next_attempt_at), not paid)
        return said


class NotMadeGivenUp(InDoubtGivenUp):
    """The same of a payment of which Stripe never heard."""

    name = "charging/never made, given up"
    fault = ("reset_before", "/v1/payment_intents$")
    state = "prepared"


class Forgotten(charging.Declined):
    """A declined payment whose invoice was paid by wire; the hourly run cancels it, lest a tab pay it."""

    name = "charging/forgotten payment canceled"
    betweens = (NOBODY, SECOND_WORKER, WEBHOOK)

    def prepare(self, bench: Bench) -> Subject:
        """Declined, then paid otherwise."""
        subject = super().prepare(bench)
        operations.collect_due(now=LONG_AGO)
        assert [attempt.state for attempt in self.attempts(subject)] == ["declined"]
        self.wire(bench, subject)
        return subject

    @staticmethod
    def wire(bench: Bench, subject: Any) -> None:
        """A bank transfer settles the invoice."""
        operations.record_bank_payment(
            invoice_id=subject.invoice.id,
            method="bank_transfer",
            amount=Money(100_00, "USD"),
            reference=f"wire {subject.invoice.number}",
            received_on=NOW.date(),
            reason="On the statement",
            actor_id=bench.staff_user.id,
            now=NOW - timedelta(hours=1),
        )
        subject.before = bench.told(subject.payer)

    def run(self, bench: Bench, subject: Any) -> None:
        """The hourly run's last step."""
        operations.cancel_forgotten(now=NOW)

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """The next hour."""
        problems = bench.round(now)
        operations.cancel_forgotten(now=now)
        return problems

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It can be paid no more."""
        return not PaymentIntent.objects.filter(invoice=subject.invoice, state="open").exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Canceled there and here; nothing else happened, and nobody was told anything."""
        said: list[str] = []
        (there,) = bench.stripe.all("payment_intents", customer=subject.payer.customer)
        (ours,) = PaymentIntent.objects.filter(invoice=subject.invoice)
        expect(said, "payment", (there["status"], ours.state), ("canceled", "canceled"))
        expect(said, "attempts", [a.state for a in self.attempts(subject)], ["declined"])
        self.paid_by_wire(bench, subject, said, extra=0)
        expect(said, "told", bench.told(subject.payer), subject.before)
        return said

    def paid_by_wire(self, bench: Bench, subject: Any, said: list[str], *, extra: int) -> None:
        """The invoice is paid once in the books, whatever `extra` is at Stripe besides."""
        payer = subject.payer.payer.id
        charges = bench.stripe.all("charges", customer=subject.payer.customer)
        expect(said, "paid at Stripe", sum(c["amount"] for c in charges if c["paid"]), extra)
        expect(said, "invoice", self.status(subject), "paid")
        expect(said, "at the bank", balance(payer, Account.BANK, "USD").minor, 100_00)
        expect(said, "owed", balance(payer, Account.RECEIVABLE, "USD").minor, 0)
        expect(said, "credit balance", balance(payer, Account.CUSTOMER_BALANCE, "USD").minor, 0)


class ForgottenAndPaid(Forgotten):
    """The forgotten tab was quicker: nothing of this payer's is charged until staff have refunded it."""

    name = "charging/forgotten payment made after all"
    card = charging.ALWAYS_ASKS
    alarms = (1,)

    def prepare(self, bench: Bench) -> Subject:
        """The page stayed open, another card was declined, a wire came, and then the page was used."""
        subject = charging.Charging.prepare(self, bench)
        operations.collect_due(now=LONG_AGO)
        (attempt,) = self.attempts(subject)
        token = confirm_path(attempt.id, now=LONG_AGO, lasts=ON_A_PAGE).split("/")[-2]
        _, form = operations.open_confirmation(token=token, now=LONG_AGO)
        assert form is not None
        declines = bench.card(subject.payer.payer, subject.payer.customer, charging.GENERIC_DECLINE)
        operations.make_default(viewer=bench.admin, card_id=declines.id, now=LONG_AGO)
        operations.pay_now(viewer=bench.admin, number=subject.invoice.number, now=LONG_AGO)
        self.wire(bench, subject)
        reference = attempt.intent.reference
        bench.stripe.post(f"payment_intents/{reference}/confirm", payment_method=form.card_reference)
        bench.sandbox.authenticate(str(reference), form.client_secret)
        return subject

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Staff know of the one charge that nobody owed."""
        said: list[str] = []
        (ours,) = PaymentIntent.objects.filter(invoice=subject.invoice)
        expect(said, "payment", ours.state, "succeeded")
        self.paid_by_wire(bench, subject, said, extra=100_00)
        stops = CollectionStop.objects.filter(payer=subject.payer.payer)
        expect(said, "stops", stops.count(), 1)
        return said


WORKS = (TakenOver(), InDoubtGivenUp(), NotMadeGivenUp(), Forgotten(), ForgottenAndPaid())
