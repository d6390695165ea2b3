"""What comes with staying power: disputes, money from a bank, the signed link, several payers at a time."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import AlreadyRecorded, AlreadyReturned
from callbill.domain.ledger.models import Account, Entry
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations
from callbill.domain.payments._confirming import ON_A_PAGE, confirm_path
from callbill.domain.payments.models import BankPayment, Chargeback, Receipt
from callbill.domain.users.models import StaffAction
from callbill.rules.money import Money
from tests.kills import charging
from tests.kills.bench import NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, STAFF, WEBHOOK, Case
from tests.kills.webhooks import Told
from tests.kills.work import Subject, Work, expect


class DisputeOpened(Told):
    """A cardholder disputes a charge at the bank, which takes the money back for now."""

    name = "webhooks/charge.dispute.created"
    kind = "charge.dispute.created"
    alarms = (1,)
    state: ClassVar[str] = "open"
    invoice: ClassVar[str] = "paid"
    accounts: ClassVar[dict[Account, int]] = {Account.CHARGEBACKS: 100_00, Account.STRIPE_CLEARING: 0}
    held: ClassVar[int] = 1

    def prepare(self, bench: Bench) -> Subject:
        """A paid invoice, disputed."""
        payer = bench.payer()
        invoice = bench.invoice(payer)
        assert operations.collect_due(now=NOW - timedelta(hours=1)).attempts == {"succeeded": 1}
        charge = invoice.payment_attempts.get().charge
        dispute = bench.sandbox.dispute(charge)["id"]
        subject = Subject(payer=payer, invoice=invoice, dispute=dispute)
        self.decide(bench, subject)
        return self.listen(bench, subject)  # type: ignore[no-any-return]

    def decide(self, bench: Bench, subject: Any) -> None:
        """Not yet."""

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is known."""
        return Chargeback.objects.filter(reference=subject.dispute, state=self.state).exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Every movement of money posted once; one hold."""
        said = self.kept(subject)
        rows = Chargeback.objects.filter(reference=subject.dispute)
        expect(said, "disputes", [row.state for row in rows], [self.state])
        subject.invoice.refresh_from_db()
        expect(said, "invoice", subject.invoice.status, self.invoice)
        for account, amount in self.accounts.items():
            is_ = balance(subject.payer.payer.id, account, "USD").minor
            if account is Account.STRIPE_CLEARING:  # before Stripe's fees
                is_ += balance(subject.payer.payer.id, Account.STRIPE_FEES, "USD").minor
            expect(said, account.value, is_, amount)
        holds = Hold.objects.filter(invoice=subject.invoice, lifted_at=None)
        expect(said, "holds", holds.count(), self.held)
        return said


class DisputeLost(DisputeOpened):
    """The bank decided against us: owed again, held, and staff know."""

    name = "webhooks/charge.dispute.closed, lost"
    kind = "charge.dispute.closed"
    alarms = (1,)
    state = "lost"
    invoice = "past_due"
    accounts: ClassVar[dict[Account, int]] = {Account.CHARGEBACKS: 0, Account.RECEIVABLE: 100_00}

    def decide(self, bench: Bench, subject: Any) -> None:
        """Its opening was heard of; now it is lost."""
        bench.receive(bench.events("charge.dispute.created"), NOW - timedelta(minutes=20))
        operations.handle_events(now=NOW - timedelta(minutes=20))
        bench.alerts += bench.new_alarms()
        bench.sandbox.close_dispute(subject.dispute, self.state)


class DisputeWon(DisputeLost):
    """The bank decided for us: the money is back, nothing is held."""

    name = "webhooks/charge.dispute.closed, won"
    alarms = (0,)
    state = "won"
    invoice = "paid"
    accounts: ClassVar[dict[Account, int]] = {Account.CHARGEBACKS: 0, Account.STRIPE_CLEARING: 100_00}
    held = 0


class BankPaid(Work):
    """Staff record a bank transfer; whoever is not sure whether it was kept types it again."""

    name = "charging/bank transfer recorded"
    betweens = (NOBODY, STAFF)
    faults = ()

    def prepare(self, bench: Bench) -> Subject:
        """An invoice without a card."""
        payer = bench.payer(None)
        return Subject(payer=payer, invoice=bench.invoice(payer))

    def run(self, bench: Bench, subject: Any) -> None:
        """Typed once."""
        operations.record_bank_payment(
            invoice_id=subject.invoice.id,
            method="bank_transfer",
            amount=Money(100_00, "USD"),
            reference="wire 17",
            received_on=NOW.date(),
            reason="On the statement",
            actor_id=bench.staff_user.id,
            now=NOW,
        )

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Typed again."""
        try:
            self.run(bench, subject)
        except (AlreadyRecorded, operations.CannotRecord):
            return  # it is there

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """Typed once more."""
        self.staff(bench, subject, now)
        return bench.round(now)

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is paid."""
        return Invoice.objects.get(id=subject.invoice.id).status == "paid"

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Once, with one receipt."""
        said: list[str] = []
        payer = subject.payer.payer
        expect(said, "payments", BankPayment.objects.filter(invoice=subject.invoice).count(), 1)
        expect(said, "receipts", Receipt.objects.filter(invoice=subject.invoice).count(), 1)
        paid = Entry.objects.filter(kind="payment", postings__payer=payer).distinct()
        expect(said, "payments in the books", paid.count(), 1)
        expect(said, "owed", balance(payer.id, Account.RECEIVABLE, "USD").minor, 0)
        expect(said, "at the bank", balance(payer.id, Account.BANK, "USD").minor, 100_00)
        return said


class BankPaidBack(BankPaid):
    """It was the wrong invoice: staff take the transfer back; whoever is not sure presses again."""

    name = "charging/bank transfer taken back"

    def prepare(self, bench: Bench) -> Subject:
        """A transfer that was recorded, of which the customer has heard."""
        subject = super().prepare(bench)
        BankPaid.run(self, bench, subject)
        subject.before = bench.told(subject.payer)
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """Pressed once."""
        operations.return_bank_payment(
            payment_id=BankPayment.objects.get(invoice=subject.invoice).id,
            reason="Another customer's",
            returned_on=NOW.date(),
            actor_id=bench.staff_user.id,
            now=NOW,
        )

    def staff(self, bench: Bench, subject: Any, now: datetime) -> None:
        """Pressed again."""
        with suppress(AlreadyReturned):
            self.run(bench, subject)

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is owed again."""
        return Invoice.objects.get(id=subject.invoice.id).status == "open"

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Once, and said once to whom it was said that it had come; the receipt does not stand."""
        said: list[str] = []
        payer = subject.payer.payer
        (payment,) = BankPayment.objects.filter(invoice=subject.invoice)
        expect(said, "returned", (payment.returned_at, payment.returned_by_id), (NOW, bench.staff_user.id))
        subject.invoice.refresh_from_db()
        expect(said, "paid and due", (subject.invoice.paid_minor, subject.invoice.due_minor), (0, 100_00))
        back = Entry.objects.filter(key=f"payment_returned:{payment.id}")
        expect(said, "taken out of the books", back.count(), 1)
        expect(said, "owed", balance(payer.id, Account.RECEIVABLE, "USD").minor, 100_00)
        expect(said, "at the bank", balance(payer.id, Account.BANK, "USD").minor, 0)
        receipts = [row.taken_back_at for row in Receipt.objects.filter(invoice=subject.invoice)]
        expect(said, "receipts", receipts, [NOW])
        told = Counter(bench.told(subject.payer)) - Counter(subject.before)
        expect(said, "told", told, {"payment_returned": 1})
        done = StaffAction.objects.filter(action="return_bank_payment", subject_id=subject.invoice.id)
        expect(said, "written in the audit log", done.count(), 1)
        return said


class Confirmed(charging.Success):
    """The cardholder has confirmed on the page of the signed link, and comes back from the bank."""

    name = "charging/confirmed by the cardholder"
    betweens = (NOBODY, SECOND_WORKER, WEBHOOK)
    card = charging.ALWAYS_ASKS

    def prepare(self, bench: Bench) -> Subject:
        """It waited for the cardholder, who has confirmed."""
        subject = super().prepare(bench)
        operations.collect_due(now=NOW - timedelta(hours=2))
        (attempt,) = self.attempts(subject)
        subject.token = confirm_path(attempt.id, now=NOW, lasts=ON_A_PAGE).split("/")[-2]
        _, form = operations.open_confirmation(token=subject.token, now=NOW - timedelta(hours=1))
        assert form is not None
        reference = attempt.intent.reference
        bench.stripe.post(f"payment_intents/{reference}/confirm", payment_method=form.card_reference)
        bench.sandbox.authenticate(str(reference), form.client_secret)
        return subject

    def run(self, bench: Bench, subject: Any) -> None:
        """The page is opened again; if Stripe does not answer, the page says so."""
        with suppress(operations.GatewayError):
            operations.open_confirmation(token=subject.token, now=NOW)

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """It was past due before."""
        return []

    def settled(self, bench: Bench, subject: Any) -> bool:
        """It is paid."""
        return self.status(subject) == "paid"

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """The link had been sent. The charge that the bank refused is the attempt's earlier one."""
        expect(said, "link sent", told.pop("payment_failed", 0), 1)
        super().outcome(subject, said, told=told, paid=paid, attempts=attempts)

    def expected_charges(self, attempts: list[Any], at_stripe: list[Any]) -> list[str]:
        """Only what was paid is kept on the attempt."""
        return sorted(charge["id"] for charge in at_stripe if charge["paid"])


WORKS = (DisputeOpened(), DisputeLost(), DisputeWon(), BankPaid(), BankPaidBack(), Confirmed())
