"""Paying several invoices with one button, and a new card that pays by itself what is past due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from callbill.domain.invoicing.models import Invoice
from callbill.domain.ledger.models import Entry
from callbill.domain.payments import operations
from callbill.domain.payments.models import (
    LIVE_STATES,
    CollectionPlan,
    PaymentAttempt,
    PaymentIntent,
    PaymentMethod,
    Receipt,
)
from tests.kills import charging
from tests.kills.bench import GOOD, NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, STAFF, WEBHOOK, Case
from tests.kills.work import Subject, expect

TOTALS = (100_00, 55_00)


class PaySeveral(charging.Charging):
    """A billing administrator pays two invoices with "Pay selected"; whoever is not sure presses again."""

    name = "charging/several paid by the customer"

    def prepare(self, bench: Bench) -> Subject:
        """Two open invoices over different sums."""
        payer = bench.payer()
        invoices = [bench.invoice(payer, total, month) for month, total in enumerate(TOTALS, start=1)]
        return Subject(payer=payer, invoice=invoices[0], invoices=invoices)

    def run(self, bench: Bench, subject: Any) -> None:
        """As the button does; the page knew of no attempt."""
        numbers = [invoice.number for invoice in subject.invoices]
        operations.pay_invoices(viewer=bench.admin, numbers=numbers, seen=dict.fromkeys(numbers, 0), now=NOW)

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """The same button of the same page is pressed again."""
        self.run(bench, subject)

    @staticmethod
    def each(subject: Any) -> list[Subject]:
        """A subject for each invoice."""
        return [Subject(payer=subject.payer, invoice=invoice) for invoice in subject.invoices]

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """Nobody is past due for our mistake, or Stripe's."""
        said = super().meanwhile
        return [words for one in self.each(subject) for words in said(bench, one)]

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Both."""
        settled = super().settled
        return all(settled(bench, one) for one in self.each(subject))

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Each paid once, by a payment of its own."""
        said: list[str] = []
        charges = bench.stripe.all("charges", customer=subject.payer.customer)
        intents = bench.stripe.all("payment_intents", customer=subject.payer.customer)
        expect(said, "payments at Stripe", sorted(i["amount"] for i in intents), sorted(TOTALS))
        expect(said, "paid at Stripe", sorted(c["amount"] for c in charges if c["paid"]), sorted(TOTALS))
        entries = Entry.objects.filter(kind="payment", postings__payer=subject.payer.payer).distinct()
        expect(said, "payments in the books", entries.count(), len(TOTALS))
        expect(said, "told", bench.told(subject.payer), {"payment_received": len(TOTALS)})
        there = {charge["id"]: charge["amount"] for charge in charges}
        for one in self.each(subject):
            attempts = self.attempts(one)
            expect(said, "invoice", self.status(one), "paid")
            expect(said, "attempts", [a.state for a in attempts], ["succeeded"])
            charged = [there.get(attempt.charge or "") for attempt in attempts]
            expect(said, "its charge", charged, [one.invoice.total_minor])
            expect(said, "payments", PaymentIntent.objects.filter(invoice=one.invoice).count(), 1)
            expect(said, "receipts", Receipt.objects.filter(invoice=one.invoice).count(), 1)
            self.no_more_tries(one, said)
        return said


class NewCard(charging.Charging):
    """A new default card pays by itself what the old one could not; the choice itself may die, too."""

    name = "charging/new card pays by itself"
    card = charging.GENERIC_DECLINE
    betweens = (NOBODY, STAFF, SECOND_WORKER, WEBHOOK)

    def prepare(self, bench: Bench) -> Subject:
        """Declined and past due; a good card is saved and the payer wants it to pay by itself."""
        subject = super().prepare(bench)
        payer = subject.payer.payer
        payer.pay_on_new_card = True
        payer.save(update_fields=["pay_on_new_card"])
        before = NOW - timedelta(hours=2)
        assert operations.collect_due(now=before).attempts == {"declined": 1}
        subject.new = bench.card(payer, subject.payer.customer, GOOD)
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """It becomes the default; a minute's work follows."""
        self.choose(bench, subject, NOW)
        operations.charge_new_cards(now=NOW)

    @staticmethod
    def choose(bench: Bench, subject: Any, now: datetime) -> None:
        """A billing administrator makes the new card the default."""
        operations.make_default(viewer=bench.admin, card_id=subject.new.id, now=now)

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """Whoever is not sure chooses again, which changes nothing if it was kept."""
        self.choose(bench, subject, now)
        return bench.round(now)

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """The old card was refused, so past due is right; what is being charged is planned no more."""
        said: list[str] = []
        alive = PaymentAttempt.objects.filter(
            invoice=subject.invoice, trigger="new_card", state__in=LIVE_STATES
        )
        if alive.exists():
            self.no_more_tries(subject, said)
        return said

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is paid."""
        return Invoice.objects.get(id=subject.invoice.id).status == "paid"

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """Paid once, by the new card; no automatic attempt more is used up."""
        expect(said, "invoice", self.status(subject), "paid")
        expect(said, "paid at Stripe", paid, [subject.invoice.total_minor])
        expect(said, "default", PaymentMethod.objects.get(id=subject.new.id).is_default, True)
        first, *more = attempts
        again = [a for a in more if a.state == "declined"]
        expect(said, "first attempt", (first.state, first.trigger), ("declined", "issue"))
        expect(
            said, "paid with", [a.payment_method_id for a in more if a.state == "succeeded"], [subject.new.id]
        )
        # Staff who were quicker than the new card charged the old one again.
        expect(said, "declined again", all(a.trigger == "staff" for a in again) and len(again) < 2, True)
        expect(said, "attempts", len(more), 1 + len(again))
        expect(said, "receipts", Receipt.objects.filter(invoice=subject.invoice).count(), 1)
        expect(said, "told", told, {"payment_failed": 1 + len(again), "payment_received": 1})
        (plan,) = CollectionPlan.objects.filter(invoice=subject.invoice)
        expect(said, "automatic attempts", plan.automatic_attempts, 1)
        expect(said, "waits for a new card", plan.new_card and bool(plan.next_attempt_at), False)
        self.no_more_tries(subject, said)


WORKS = (PaySeveral(), NewCard())
