"""Messages that are for the books, warnings of fraud, and the nightly comparison with Stripe."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, ClassVar

from callbill.domain.disputes.models import Hold
from callbill.domain.ledger.models import Account, Entry, Posting
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations
from callbill.domain.payments.models import (
    CollectionStop,
    FraudWarning,
    PaymentAttempt,
    Receipt,
    StaffAlert,
)
from callbill.domain.reconciliation.models import BalanceTransaction, Difference, Payout, ReconciliationRun
from callbill.domain.reconciliation.operations import reconcile
from tests.kills import charging
from tests.kills.bench import NOW, Bench
from tests.kills.cases import NOBODY, WEBHOOK, Case
from tests.kills.webhooks import Told
from tests.kills.work import Subject, expect

DAY = 86400


def paid_invoice(bench: Bench) -> Subject:
    """An invoice that its card paid an hour ago."""
    payer = bench.payer()
    invoice = bench.invoice(payer)
    assert operations.collect_due(now=NOW - timedelta(hours=1)).attempts == {"succeeded": 1}
    charge = str(invoice.payment_attempts.get().charge)
    return Subject(payer=payer, invoice=invoice, charge=charge)


class FraudWarned(Told):
    """The card's network warns of fraud: held, told once; no money moves."""

    name = "webhooks/radar.early_fraud_warning.created"
    kind = "radar.early_fraud_warning.created"
    alarms = (1,)

    def prepare(self, bench: Bench) -> Subject:
        """A paid invoice, warned of."""
        subject = paid_invoice(bench)
        subject.warning = bench.sandbox.early_fraud_warning(subject.charge)["id"]
        return self.listen(bench, subject)  # type: ignore[no-any-return]

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is known."""
        return FraudWarning.objects.filter(reference=subject.warning).exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """One warning, one hold; paid as before."""
        said = self.kept(subject)
        warnings = FraudWarning.objects.filter(attempt__invoice=subject.invoice)
        expect(said, "warnings", [row.reference for row in warnings], [subject.warning])
        holds = Hold.objects.filter(invoice=subject.invoice)
        expect(said, "holds", [(h.kind, h.lifted_at) for h in holds], [("fraud_warning", None)])
        subject.invoice.refresh_from_db()
        expect(said, "invoice", subject.invoice.status, "paid")
        at_stripe = balance(subject.payer.payer.id, Account.STRIPE_CLEARING, "USD").minor
        fees = balance(subject.payer.payer.id, Account.STRIPE_FEES, "USD").minor
        expect(said, "at Stripe before fees", at_stripe + fees, 100_00)
        return said


class ChargeUpdated(Told):
    """The movement of a charge, with its fee, comes a while after the charge."""

    name = "webhooks/charge.updated"
    kind = "charge.updated"

    def prepare(self, bench: Bench) -> Subject:
        """A paid invoice whose movement Stripe has made now."""
        subject = paid_invoice(bench)
        assert not self.fees(subject)
        bench.sandbox.advance(60)
        return self.listen(bench, subject)  # type: ignore[no-any-return]

    @staticmethod
    def fees(subject: Any) -> list[int]:
        """What was posted of fees for the payer."""
        posted = Posting.objects.filter(payer=subject.payer.payer, account=Account.STRIPE_FEES)
        return list(posted.values_list("amount_minor", flat=True))

    def settled(self, bench: Bench, subject: Any) -> bool:
        """The fee is posted."""
        return bool(self.fees(subject))

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """The movement kept once, its fee posted once, as Stripe has it."""
        said = self.kept(subject)
        there = bench.stripe.all("balance_transactions", source=subject.charge)
        kept = BalanceTransaction.objects.filter(source=subject.charge)
        expect(
            said,
            "movements",
            [(m.reference, m.fee_minor) for m in kept],
            [(t["id"], t["fee"]) for t in there],
        )
        expect(said, "fees", self.fees(subject), [there[0]["fee"]])
        at_stripe = balance(subject.payer.payer.id, Account.STRIPE_CLEARING, "USD").minor
        expect(said, "at Stripe", at_stripe, there[0]["net"])
        return said


class PayoutPaid(Told):
    """What Stripe sent to our bank has arrived; that it was made was never heard of."""

    name = "webhooks/payout.paid"
    kind = "payout.paid"
    fails: ClassVar[bool] = False
    status: ClassVar[str] = "paid"

    def prepare(self, bench: Bench) -> Subject:
        """What was available went to the bank days ago."""
        subject = paid_invoice(bench)
        bench.sandbox.advance(8 * DAY)
        (made,) = bench.sandbox.close_payout(currency="usd", fail=self.fails)["payouts"]
        bench.sandbox.advance(3 * DAY)
        subject.payout, subject.amount = made["id"], made["amount"]
        return self.listen(bench, subject)  # type: ignore[no-any-return]

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is known."""
        return Payout.objects.filter(reference=subject.payout, status=self.status).exists()

    def postings(self, subject: Any) -> dict[str, int]:
        """What must be at the bank for it, by the key of its entry."""
        return {f"payout:{subject.payout}": subject.amount}

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Kept once, posted once."""
        said = self.kept(subject)
        expect(said, "payouts", Payout.objects.filter(reference=subject.payout).count(), 1)
        entries = Entry.objects.filter(key__endswith=subject.payout)
        at_bank = {
            entry.key: [p.amount_minor for p in entry.postings.filter(account=Account.BANK)]
            for entry in entries
        }
        expect(said, "at the bank", at_bank, {key: [minor] for key, minor in self.postings(subject).items()})
        moved = BalanceTransaction.objects.filter(source=subject.payout)
        expect(said, "movements", sorted(m.amount_minor for m in moved), self.movements(subject))
        return said

    def movements(self, subject: Any) -> list[int]:
        """What moved at Stripe."""
        return [-subject.amount]


class PayoutFailed(PayoutPaid):
    """The bank sent it back after it was paid."""

    name = "webhooks/payout.failed"
    kind = "payout.failed"
    fails = True
    status = "failed"

    def postings(self, subject: Any) -> dict[str, int]:
        """There and back."""
        return {**super().postings(subject), f"payout_failed:{subject.payout}": -subject.amount}

    def movements(self, subject: Any) -> list[int]:
        """There and back."""
        return [-subject.amount, subject.amount]


class Reconciling(charging.InDoubt):
    """The nightly comparison: an answer is lost, somebody charged a card by hand, a payout has arrived.

    It is killed anywhere, and the next one does it all: what is late is applied, the difference is named
    once, its payer is stopped once, staff are told once, fees and payout are posted once. The next one is
    what a second worker would do.
    """

    name = "reconciling/late, strange and paid out"
    betweens = (NOBODY, WEBHOOK)
    own_recovery = False
    killed_at_faults = False
    alarms = (2, 3)  # one that breaks off is told, too; `wrong` wants that settled by the next
    most_cases = 0
    strange: ClassVar[int] = 42_00

    def prepare(self, bench: Bench) -> Subject:
        """Charged, and nobody heard of it; then by hand; then paid out."""
        subject = super().prepare(bench)
        bench.stripe.post(
            "payment_intents",
            amount=self.strange,
            currency="usd",
            customer=subject.payer.customer,
            payment_method=subject.payer.card_reference,
            confirm=True,
            off_session=True,
            allowed_payment_method_types=["card"],
        )
        bench.sandbox.advance(8 * DAY)
        (made,) = bench.sandbox.close_payout(currency="usd")["payouts"]
        bench.sandbox.advance(3 * DAY)
        subject.payout = made["id"]
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """As the schedule does."""
        reconcile(now=NOW, trigger="schedule")

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """It is done again."""
        run = reconcile(now=now, trigger="schedule")
        subject.last = run.id
        return [run.problem] if run.problem else []

    def settled(self, bench: Bench, subject: Any) -> bool:
        """One went to its end."""
        ended = ReconciliationRun.objects.filter(problem="", finished_at__isnull=False)
        return ended.exists() and super().settled(bench, subject)

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Everything once."""
        said: list[str] = []
        payer = subject.payer.payer
        expect(said, "attempts", [a.state for a in self.attempts(subject)], ["succeeded"])
        expect(said, "receipts", Receipt.objects.filter(invoice=subject.invoice).count(), 1)
        expect(said, "told", bench.told(subject.payer), {"payment_received": 1})
        expect(said, "payments in the books", Entry.objects.filter(kind="payment").count(), 1)
        charges = bench.stripe.all("charges", customer=subject.payer.customer)
        paid = sorted(charge["amount"] for charge in charges if charge["paid"])
        expect(said, "paid at Stripe", paid, sorted([self.strange, subject.invoice.total_minor]))
        differences = Difference.objects.exclude(kind="clearing_named")
        kinds = [(row.kind, row.payer_id, row.gone_at) for row in differences]
        expect(said, "differences", kinds, [("charge_without_attempt", payer.id, None)])
        stops = CollectionStop.objects.filter(lifted_at=None)
        expect(said, "stops", [stop.payer_id for stop in stops], [payer.id])
        alerts = Counter(StaffAlert.objects.filter(settled_at=None).values_list("kind", flat=True))
        expect(said, "alerts", alerts, {"collection_stopped": 1, "reconciliation": 1})
        movements = bench.stripe.all("balance_transactions")
        kept = BalanceTransaction.objects.values_list("reference", flat=True)
        expect(said, "movements", sorted(kept), sorted(t["id"] for t in movements))
        fees = Posting.objects.filter(account=Account.STRIPE_FEES).values_list("amount_minor", flat=True)
        expect(said, "fees", sorted(fees), sorted(t["fee"] for t in movements if t["fee"]))
        payouts = [(row.reference, bool(row.matched_at)) for row in Payout.objects.all()]
        expect(said, "payouts", payouts, [(subject.payout, True)])
        expect(said, "payouts in the books", Entry.objects.filter(kind="payout").count(), 1)
        alive = PaymentAttempt.objects.exclude(lease_until=None).exclude(state="succeeded")
        expect(said, "left over", alive.count(), 0)
        run = ReconciliationRun.objects.get(id=subject.last)
        expect(said, "the last run", (run.differences, run.payouts, run.problem), (1, 1, ""))
        return said


WORKS = (FraudWarned(), ChargeUpdated(), PayoutPaid(), PayoutFailed(), Reconciling())
