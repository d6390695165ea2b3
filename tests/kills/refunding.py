"""Giving credit back to a card: at once, on its way, and coming back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from callbill.domain.invoicing.models import InvoiceLine
from callbill.domain.invoicing.operations import credit_lines
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations
from callbill.domain.payments.models import LIVE_REFUNDS, Refund
from tests.kills.bench import GOOD, NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, STAFF, WEBHOOK, Case
from tests.kills.work import Subject, Work, expect

CREDIT = 35_00
REFUND_PENDS = "4000000000007726"
REFUND_FAILS = "pm_card_refundFail"


class Refunding(Work):
    """A paid invoice, credited in part; the credit goes back to the card at staff's word."""

    name = "refunding/success"
    betweens = (NOBODY, STAFF, SECOND_WORKER, WEBHOOK)
    card: ClassVar[str] = GOOD

    def prepare(self, bench: Bench) -> Subject:
        """Billed, paid and credited by the real operations."""
        payer = bench.payer(self.card, contract=True)
        invoice = bench.billed(payer)
        assert operations.collect_due(now=NOW).attempts == {"succeeded": 1}
        line = InvoiceLine.objects.get(section__invoice=invoice)
        note = credit_lines(
            invoice_id=invoice.id,
            amounts={line.id: CREDIT},
            reason="A bad month",
            actor_id=bench.staff_user.id,
            now=NOW,
        )
        return Subject(payer=payer, invoice=invoice, note=note, before=bench.told(payer))

    def run(self, bench: Bench, subject: Any) -> None:
        """Staff press "Refund"."""
        operations.refund_to_card(
            note_id=subject.note.id, actor_id=bench.staff_user.id, reason="They asked", now=NOW
        )

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Staff press it again; refusing is right while it is under way, and when it is done."""
        try:
            self.run(bench, subject)
        except operations.PaymentRefused:
            return

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Nothing is on its way."""
        return not Refund.objects.filter(credit_note=subject.note, state__in=LIVE_REFUNDS).exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """One refund here, the same at Stripe; none only where the work died before it was written down."""
        said: list[str] = []
        refunds = list(Refund.objects.filter(credit_note=subject.note))
        charge = subject.invoice.payment_attempts.get(state="succeeded").charge
        at_stripe = bench.stripe.all("refunds", charge=charge)
        told = {k: n - subject.before.get(k, 0) for k, n in bench.told(subject.payer).items()}
        told = {kind: number for kind, number in told.items() if number}
        if not refunds and (case.kill, case.when, case.between) == (1, "before", case.between):
            expect(said, "refunds at Stripe", len(at_stripe), 0)
            expect(said, "told", told, {})
            expect(said, "credit balance", self.held(subject, Account.CUSTOMER_BALANCE), -CREDIT)
            return said
        expect(said, "refunds", [r.amount_minor for r in refunds], [CREDIT])
        expect(said, "refunds at Stripe", [r["amount"] for r in at_stripe], [CREDIT])
        expect(said, "references", [r.reference for r in refunds], [r["id"] for r in at_stripe])
        self.outcome(subject, said, told=told, refunds=refunds)
        return said

    @staticmethod
    def held(subject: Any, account: Account) -> int:
        """What is on an account for the payer."""
        return int(balance(subject.payer.payer.id, account, "USD").minor)

    def at_stripe(self, subject: Any) -> int:
        """What is at Stripe, before its fees."""
        return self.held(subject, Account.STRIPE_CLEARING) + self.held(subject, Account.STRIPE_FEES)

    def outcome(self, subject: Any, said: list[str], *, told: dict[str, int], refunds: list[Any]) -> None:
        """It arrived: said once; nothing is held any more."""
        expect(said, "states", [r.state for r in refunds], ["succeeded"])
        expect(said, "told", told, {"refund_made": 1})
        expect(said, "credit balance", self.held(subject, Account.CUSTOMER_BALANCE), 0)
        expect(said, "on its way", self.held(subject, Account.REFUNDS_PAYABLE), 0)
        expect(said, "at Stripe", self.at_stripe(subject), 100_00 - CREDIT)


class Pending(Refunding):
    """It is on its way for a while; Stripe tells when it has arrived."""

    name = "refunding/arrives later"
    card = REFUND_PENDS

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """Stripe's news come too."""
        bench.sandbox.wait_until_idle()
        bench.receive(bench.events("refund.updated", "refund.failed"), now)
        return bench.round(now)


class FailedLater(Pending):
    """It was made, and comes back from a closed card: credit balance again, staff know, the customer too."""

    name = "refunding/failed later"
    card = REFUND_FAILS
    alarms = (0, 1)

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Its failing has been heard of."""
        states = set(Refund.objects.filter(credit_note=subject.note).values_list("state", flat=True))
        return states <= {"failed"}

    def outcome(self, subject: Any, said: list[str], *, told: dict[str, int], refunds: list[Any]) -> None:
        """If the customer heard that it was made, then also that it came back."""
        expect(said, "states", [r.state for r in refunds], ["failed"])
        if told:
            expect(said, "told", told, {"refund_made": 1, "refund_returned": 1})
        expect(said, "credit balance", self.held(subject, Account.CUSTOMER_BALANCE), -CREDIT)
        expect(said, "on its way", self.held(subject, Account.REFUNDS_PAYABLE), 0)
        expect(said, "at Stripe", self.at_stripe(subject), 100_00)


WORKS = (Refunding(), Pending(), FailedLater())
