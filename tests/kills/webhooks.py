"""What Stripe tells, stored at the door and applied by the worker; killed anywhere, Stripe tells it again."""

from __future__ import annotations

from datetime import datetime, timedelta
from mmap import mmap
from typing import Any, ClassVar

from callbill.domain.payments import operations
from callbill.domain.payments.models import CardSetup, GatewayEvent, PaymentMethod, Refund
from tests.kills import charging, refunding
from tests.kills.bench import GOOD, NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, WEBHOOK, Case
from tests.kills.work import Subject, Work, expect

BEFORE = NOW - timedelta(minutes=20)


class Told(Work):
    """Mixed into a work whose end Stripe tells of by an event of `kind`."""

    kind: ClassVar[str]
    betweens = (NOBODY, SECOND_WORKER, WEBHOOK)

    def listen(self, bench: Bench, subject: Any) -> Any:
        """What Stripe will bring to the door."""
        bench.sandbox.wait_until_idle()
        subject.events = bench.events(self.kind)
        subject.answered = mmap(-1, 1)  # the fork that may die writes it
        assert len(subject.events) == 1, [event["type"] for event in bench.events()]
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """It comes to the door, and the worker applies it."""
        bench.receive(subject.events, NOW)
        subject.answered[0] = 1
        operations.handle_events(now=NOW)

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """Stripe brings it again, but only if the door has not answered."""
        if not subject.answered[0]:
            bench.receive(subject.events, now)
            subject.answered[0] = 1
        return bench.round(now)

    def kept(self, subject: Any) -> list[str]:
        """The event is kept once and settled."""
        said: list[str] = []
        rows = GatewayEvent.objects.filter(event_id__in=[event["id"] for event in subject.events])
        expect(said, "events", [row.handled_at is not None for row in rows], [True])
        return said


class PaymentSucceeded(Told, charging.InDoubt):
    """The answer to a charge was lost; the event tells."""

    name = "webhooks/payment_intent.succeeded"
    kind = "payment_intent.succeeded"
    betweens = Told.betweens

    def prepare(self, bench: Bench) -> Subject:
        """A charge in doubt."""
        return self.listen(bench, super().prepare(bench))  # type: ignore[no-any-return]

    run, recover = Told.run, Told.recover

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """As of a charge."""
        return super().wrong(bench, subject, case) + self.kept(subject)


class PaymentFailed(Told, charging.DeclineInDoubt):
    """The same of a decline."""

    name = "webhooks/payment_intent.payment_failed"
    kind = "payment_intent.payment_failed"
    betweens = Told.betweens

    def prepare(self, bench: Bench) -> Subject:
        """A decline in doubt."""
        return self.listen(bench, super().prepare(bench))  # type: ignore[no-any-return]

    run, recover = Told.run, Told.recover

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """As of a decline."""
        return super().wrong(bench, subject, case) + self.kept(subject)


class RefundCreated(Told, refunding.Refunding):
    """The answer to a refund was lost; the event tells."""

    name = "webhooks/refund.created"
    kind = "refund.created"
    betweens = Told.betweens

    def prepare(self, bench: Bench) -> Subject:
        """A refund in doubt."""
        subject = super().prepare(bench)
        self.ask(bench, subject)
        subject.before = bench.told(subject.payer)
        return self.listen(bench, subject)  # type: ignore[no-any-return]

    def ask(self, bench: Bench, subject: Any) -> None:
        """The refund is asked for and made, and nobody hears of it."""
        bench.sandbox.fault("reset_after", path="/v1/refunds$", method="POST", times=3)
        refunding.Refunding.run(self, bench, subject)
        bench.sandbox.clear_faults()
        assert Refund.objects.get(credit_note=subject.note).state == "prepared"

    run, recover = Told.run, Told.recover

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """As of a refund."""
        return super().wrong(bench, subject, case) + self.kept(subject)


class RefundUpdated(RefundCreated):
    """A refund on its way has arrived."""

    name = "webhooks/refund.updated"
    kind = "refund.updated"
    card = refunding.REFUND_PENDS

    def ask(self, bench: Bench, subject: Any) -> None:
        """It is on its way; then it arrives."""
        refunding.Refunding.run(self, bench, subject)
        bench.sandbox.advance(60)


class RefundFailed(RefundCreated):
    """A refund that was made came back."""

    name = "webhooks/refund.failed"
    kind = "refund.failed"
    card = refunding.REFUND_FAILS
    alarms = (1,)
    settled = refunding.FailedLater.settled

    def ask(self, bench: Bench, subject: Any) -> None:
        """It was made; then it comes back."""
        refunding.Refunding.run(self, bench, subject)
        bench.sandbox.advance(60)

    def outcome(self, subject: Any, said: list[str], *, told: dict[str, int], refunds: list[Any]) -> None:
        """It was said before that it was made; now that it came back."""
        merged = {**told, "refund_made": 1}
        refunding.FailedLater.outcome(self, subject, said, told=merged, refunds=refunds)  # type: ignore[arg-type]


class CardFormSucceeded(Told):
    """The form was closed right after the card was confirmed."""

    name = "webhooks/setup_intent.succeeded"
    kind = "setup_intent.succeeded"

    def prepare(self, bench: Bench) -> Subject:
        """A form that was filled in."""
        payer = bench.payer(None)
        form = operations.start_card_setup(
            viewer=bench.admin, payer_id=payer.payer.id, ip="192.0.2.1", now=BEFORE
        )
        setup = CardSetup.objects.get(id=form.setup_id)
        bench.stripe.post(f"setup_intents/{setup.reference}/confirm", payment_method=GOOD)
        return self.listen(bench, Subject(payer=payer, setup=setup))  # type: ignore[no-any-return]

    def settled(self, bench: Bench, subject: Any) -> bool:
        """The card is there."""
        return PaymentMethod.objects.filter(setup=subject.setup).exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """One card, the default, with its form."""
        said = self.kept(subject)
        cards = PaymentMethod.objects.filter(payer=subject.payer.payer)
        expect(said, "cards", [(c.is_default, c.setup_id) for c in cards], [(True, subject.setup.id)])
        subject.setup.refresh_from_db()
        expect(said, "form completed", subject.setup.completed_at is not None, True)
        return said


class CardUpdated(Told):
    """The issuer sent a new card."""

    name = "webhooks/payment_method.automatically_updated"
    kind = "payment_method.automatically_updated"

    def prepare(self, bench: Bench) -> Subject:
        """New digits, a new date."""
        payer = bench.payer()
        bench.sandbox.card(payer.card_reference, exp_month=7, exp_year=2061, last4="9999")
        return self.listen(bench, Subject(payer=payer))  # type: ignore[no-any-return]

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is known here."""
        return PaymentMethod.objects.get(payer=subject.payer.payer).last4 == "9999"

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """The same card, still the default."""
        said = self.kept(subject)
        card = PaymentMethod.objects.get(payer=subject.payer.payer)
        expect(said, "card", (card.exp_month, card.exp_year, card.is_default), (7, 2061, True))
        return said


class CardDetached(Told):
    """Somebody removed the default card at Stripe itself."""

    name = "webhooks/payment_method.detached"
    kind = "payment_method.detached"
    alarms = (1,)

    def prepare(self, bench: Bench) -> Subject:
        """The card is gone there."""
        payer = bench.payer()
        bench.stripe.post(f"payment_methods/{payer.card_reference}/detach")
        return self.listen(bench, Subject(payer=payer))  # type: ignore[no-any-return]

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is known here."""
        return PaymentMethod.objects.get(payer=subject.payer.payer).removed_at is not None

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """No default card any more."""
        said = self.kept(subject)
        cards = PaymentMethod.objects.filter(payer=subject.payer.payer, is_default=True)
        expect(said, "default cards", cards.count(), 0)
        return said


WORKS = (
    PaymentSucceeded(),
    PaymentFailed(),
    RefundCreated(),
    RefundUpdated(),
    RefundFailed(),
    CardFormSucceeded(),
    CardUpdated(),
    CardDetached(),
)
