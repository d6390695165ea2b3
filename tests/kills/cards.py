"""Saving a card, removing one, and giving up a payment that waits for its cardholder."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from callbill.domain.customers.queries import NotFound
from callbill.domain.payments import operations
from callbill.domain.payments.models import CardSetup, GatewayCustomer, PaymentMethod
from tests.kills import charging
from tests.kills.bench import GOOD, NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, STAFF, WEBHOOK, Case
from tests.kills.work import Subject, Work, expect


class OpeningTheForm(Work):
    """The first card form of a payer whom Stripe does not know yet; then it is opened again and filled in."""

    name = "cards/opening the form"
    betweens = (NOBODY, SECOND_WORKER)

    def prepare(self, bench: Bench) -> Subject:
        """A payer without a card."""
        return Subject(payer=bench.payer(None))

    def run(self, bench: Bench, subject: Any) -> None:
        """The card page is opened; if Stripe does not answer, the page says so."""
        with suppress(operations.GatewayError):
            self.open(bench, subject, NOW)

    @staticmethod
    def open(bench: Bench, subject: Any, now: datetime) -> operations.CardForm:
        """Open the form."""
        return operations.start_card_setup(
            viewer=bench.admin, payer_id=subject.payer.payer.id, ip="192.0.2.1", now=now
        )

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """The page is opened again, now or when Stripe answers again, until the card is there."""
        problems = bench.round(now)
        if self.settled(bench, subject):
            return problems
        try:
            form = self.open(bench, subject, now)
        except operations.GatewayError:
            return problems
        fill_in(bench, form.setup_id)
        operations.handle_events(now=now)
        bench.receive(bench.events("setup_intent.succeeded"), now)
        return problems + bench.round(now)

    def settled(self, bench: Bench, subject: Any) -> bool:
        """The card is there."""
        return PaymentMethod.objects.filter(payer=subject.payer.payer).exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """One customer at Stripe that we know, with the one card."""
        said: list[str] = []
        (card,) = PaymentMethod.objects.filter(payer=subject.payer.payer)
        expect(said, "default", card.is_default, True)
        customer = GatewayCustomer.objects.get(payer=subject.payer.payer).reference
        there = bench.stripe.all("payment_methods", customer=customer, type="card")
        expect(said, "cards at Stripe", [method["id"] for method in there], [card.reference])
        return said


def fill_in(bench: Bench, setup_id: Any) -> None:
    """The browser confirms the form."""
    reference = CardSetup.objects.get(id=setup_id).reference
    bench.stripe.post(f"setup_intents/{reference}/confirm", payment_method=GOOD)


class SavingACard(OpeningTheForm):
    """The form was filled in; the page asks us to keep the card."""

    name = "cards/saving"
    betweens = (NOBODY, SECOND_WORKER, WEBHOOK)

    def prepare(self, bench: Bench) -> Subject:
        """A form that was filled in."""
        subject = super().prepare(bench)
        form = self.open(bench, subject, NOW)
        fill_in(bench, form.setup_id)
        subject.setup_id = form.setup_id
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """The browser is back from Stripe."""
        with suppress(operations.GatewayError):
            operations.finish_card_setup(viewer=bench.admin, setup_id=subject.setup_id, now=NOW)

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """Stripe tells."""
        bench.receive(bench.events("setup_intent.succeeded"), now)
        return bench.round(now)


class RemovingACard(Work):
    """A card that is not the default is removed, here and at Stripe."""

    name = "cards/removing"
    betweens = (NOBODY, STAFF, SECOND_WORKER)
    alarms = (0, 1)

    def prepare(self, bench: Bench) -> Subject:
        """Two cards."""
        payer = bench.payer()
        return Subject(payer=payer, second=bench.card(payer.payer, payer.customer, GOOD))

    def run(self, bench: Bench, subject: Any) -> None:
        """A billing administrator removes the second one."""
        operations.remove_card(viewer=bench.admin, card_id=subject.second.id, now=NOW)

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """The administrator presses the button again."""
        try:
            self.run(bench, subject)
        except NotFound:
            return  # it is removed already

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """What was left is asked for after an hour, and each hour again."""
        return bench.round(now + timedelta(hours=2))

    def settled(self, bench: Bench, subject: Any) -> bool:
        """What is gone here is gone at Stripe; it is asked every hour."""
        subject.second.refresh_from_db()
        there = bench.stripe.get(f"payment_methods/{subject.second.reference}")["customer"]
        return (subject.second.removed_at is None) == (there is not None)

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Gone for good, unless the work died before that was written down; the default is left alone."""
        said: list[str] = []
        early = (case.kill, case.when) == (1, "before") and case.between != STAFF
        expect(said, "removed", subject.second.removed_at is not None, not early)
        default = PaymentMethod.objects.filter(payer=subject.payer.payer, is_default=True)
        expect(said, "default cards", default.count(), 1)
        return said


class StopWaiting(charging.Authentication):
    """Staff take back a payment that waits for its cardholder."""

    name = "charging/stop waiting"
    betweens = (NOBODY, STAFF, SECOND_WORKER, WEBHOOK)
    own_recovery = True

    def prepare(self, bench: Bench) -> Subject:
        """A payment that waits."""
        subject = super().prepare(bench)
        operations.collect_due(now=NOW - timedelta(hours=2))
        assert [a.state for a in self.attempts(subject)] == ["action_required"]
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """Given up."""
        self.staff(bench, subject, NOW)

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Staff give it up; refusing is right where nothing waits any more."""
        try:
            operations.stop_waiting(
                invoice_id=subject.invoice.id, actor_id=bench.staff_user.id, reason="A wire comes", now=now
            )
        except (operations.PaymentRefused, operations.GatewayError):
            return

    def settled(self, bench: Bench, subject: Any) -> bool:
        """What Stripe has is what we have: canceled, once it is written down that staff want it."""
        (intent,) = bench.stripe.all("payment_intents", customer=subject.payer.customer)
        last = self.attempts(subject)[-1]
        state = "canceled" if last.given_up_at else "action_required"
        return last.state == state and (intent["status"] == "canceled") == (state == "canceled")

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Past due still, and nothing was charged."""
        said: list[str] = []
        expect(said, "invoice", self.status(subject), "past_due")
        charges = bench.stripe.all("charges", customer=subject.payer.customer)
        expect(said, "paid at Stripe", [c["id"] for c in charges if c["paid"]], [])
        expect(said, "attempts", len(self.attempts(subject)), 1)
        expect(said, "told", sum(bench.told(subject.payer).values()), 1)
        return said


WORKS = (OpeningTheForm(), SavingACard(), RemovingACard(), StopWaiting())
