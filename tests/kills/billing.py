"""The hourly run: a period is closed, its invoice issued and charged."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from callbill.domain.customers.models import Company
from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import verify_invoice
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.payments import operations
from callbill.domain.usage.models import Call
from callbill.jobs import work as jobs
from callbill.rules.money import Money
from tests.domain import world
from tests.kills import charging
from tests.kills.bench import GOOD, NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, WEBHOOK, Case
from tests.kills.work import Subject, expect

_TWENTY_CENTS = world.PER_CALL.replace('"1.35"', '"0.20"')


class Run(charging.Success):
    """Two calls in January, billed and charged on the first of February."""

    name = "billing run/close and charge"
    betweens = (NOBODY, SECOND_WORKER, WEBHOOK)
    most_cases = 0  # the run looks at every payer there is, so another one would move its points

    def prepare(self, bench: Bench) -> Subject:
        """Nothing is billed yet."""
        payer = bench.payer(contract=True)
        world.calls(payer.company, 2)
        return Subject(payer=payer)

    def run(self, bench: Bench, subject: Any) -> None:
        """As the schedule does."""
        jobs.bill_and_collect(now=NOW, trigger="schedule")

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """The next hour comes."""
        jobs.bill_and_collect(now=now, trigger="schedule")
        return bench.round(now)

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """Nobody is past due."""
        past_due = Invoice.objects.filter(payer=subject.payer.payer, status="past_due")
        return ["past due although the card works"] if past_due.exists() else []

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Billed, and as of a charge."""
        subject.invoice = Invoice.objects.filter(payer=subject.payer.payer).first()
        return subject.invoice is not None and super().settled(bench, subject)

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """One invoice over the two calls, which comes out the same again; paid once."""
        said: list[str] = []
        (subject.invoice,) = Invoice.objects.filter(payer=subject.payer.payer)
        expect(said, "total", subject.invoice.total_minor, 100_00)
        calls = Call.objects.filter(company=subject.payer.company)
        expect(said, "calls not billed", calls.filter(settlement_id=None).count(), 0)
        expect(said, "recomputed", verify_invoice(subject.invoice.number), [])
        return said + self.numbered() + super().wrong(bench, subject, case)

    @staticmethod
    def numbered() -> list[str]:
        """Invoices have every number once."""
        said: list[str] = []
        numbers = Invoice.objects.exclude(number=None).values_list("number", flat=True)
        found = sorted(int(str(number).rpartition("-")[2]) for number in numbers)
        expect(said, "numbers", found, list(range(1, len(found) + 1)))
        return said

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """The invoice was sent too."""
        expect(said, "invoices sent", told.pop("invoice_issued", 0), 1)
        super().outcome(subject, said, told=told, paid=paid, attempts=attempts)


class RunConsolidated(Run):
    """An organization's invoice over two companies, with everything that an invoice takes along.

    November was paid with 15.00 too much, December's 0.20 was too small for a card, and one of December's
    calls came after it was billed.
    """

    name = "billing run/an organization's invoice"
    # What it asks of Stripe is what `Run` asks, and is killed there, too.
    own_recovery = False
    killed_at_faults = False
    rate: ClassVar[int] = 20
    surplus: ClassVar[int] = 15_00

    def prepare(self, bench: Bench) -> Subject:
        """Two months by the real operations; January is not billed yet."""
        terms = world.terms(_TWENTY_CENTS, payer="organization", effective_from=date(2025, 11, 1))
        group = world.organization()
        companies = [world.company(key, key.title(), terms, of=group) for key in ("acme", "birch")]
        payer = bench.known_to_stripe(world.payer_of(companies[0]), companies[0], GOOD)
        subject = Subject(payer=payer, companies=companies, paid_before=1)
        november, december = self.bill(companies, 11, 100), self.bill(companies, 12, 1)
        operations.record_bank_payment(
            invoice_id=november.id,
            method="bank_transfer",
            amount=Money(november.total_minor + self.surplus, "USD"),
            reference="wire 11",
            received_on=date(2026, 1, 10),
            reason="On the statement",
            actor_id=bench.staff_user.id,
            now=NOW - timedelta(days=20),
        )
        world.calls(companies[0], 1, on=date(2025, 12, 20))  # late
        for company in companies:
            world.calls(company, 200)
        subject.december = december
        subject.before = bench.told(payer)
        assert (december.due_minor, self.credit(subject)) == (self.rate, self.surplus)
        return subject

    @staticmethod
    def bill(companies: list[Company], month: int, calls: int) -> Invoice:
        """One month of the year before, in which the first company had so many calls."""
        world.calls(companies[0], calls, on=date(2025, month, 15))
        begin = datetime(2025 + month // 12, month % 12 + 1, 1, 12, tzinfo=UTC)
        run_billing(now=begin)
        return Invoice.objects.get(first_day=date(2025, month, 1))

    @staticmethod
    def credit(subject: Any) -> int:
        """The payer's credit balance."""
        return int(-balance(subject.payer.payer.id, Account.CUSTOMER_BALANCE, "USD").minor)

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """It is issued whole or not at all (M31)."""
        said = super().meanwhile(bench, subject)
        january = list(Invoice.objects.filter(first_day=date(2026, 1, 1)))
        subject.december.refresh_from_db()
        billed = Call.objects.filter(started_at__gte=datetime(2025, 12, 16, tzinfo=UTC))
        there = (
            len(january),
            [invoice.sections.count() for invoice in january],
            billed.exclude(settlement_id=None).count(),
            subject.december.carried_minor,
            self.credit(subject),
            bench.told(subject.payer).get("invoice_issued", 0) - subject.before["invoice_issued"],
        )
        not_at_all = (0, [], 0, 0, self.surplus, 0)
        whole = (1, [2], 401, self.rate, 0, 1)
        if there not in (not_at_all, whole):
            said.append(f"neither whole nor not at all: {there}")
        return said

    def settled(self, bench: Bench, subject: Any) -> bool:
        """January's is billed, and as of a charge."""
        subject.invoice = Invoice.objects.filter(first_day=date(2026, 1, 1)).first()
        return subject.invoice is not None and charging.Success.settled(self, bench, subject)

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """One invoice over both and the late call; less the credit, and with December's 0.20 on it."""
        said = self.meanwhile(bench, subject)
        (subject.invoice,) = Invoice.objects.filter(first_day=date(2026, 1, 1))
        expect(said, "total", subject.invoice.total_minor, 401 * self.rate)
        expect(said, "brought forward", subject.december.carried_to_id, subject.invoice.id)
        expect(said, "brought", subject.invoice.brought_minor, self.rate)
        expect(said, "credit used", subject.invoice.balance_applied_minor, self.surplus)
        for invoice in Invoice.objects.all():
            expect(said, "recomputed", verify_invoice(str(invoice.number)), [])
        return said + self.numbered() + charging.Success.wrong(self, bench, subject, case)

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """What was due was paid, once; the rest is known to be as of any."""
        expect(said, "paid at Stripe", paid, [402 * self.rate - self.surplus])
        new = Counter(told) - Counter(subject.before)
        super().outcome(subject, said, told=dict(new), paid=[subject.invoice.total_minor], attempts=attempts)


class SideBySide(charging.Success):
    """Three payers charged at a time, each by a thread of the run; the process dies with all three."""

    name = "billing run/three payers side by side"
    betweens = (NOBODY, SECOND_WORKER)
    faults = ()  # which request meets one would be chance; the points, too, come in any order

    def prepare(self, bench: Bench) -> Subject:
        """Three invoices; the first is the subject's own."""
        first, *others = [charging.Success.prepare(self, bench) for _ in range(3)]
        first.others = others
        return first

    def run(self, bench: Bench, subject: Any) -> None:
        """As the schedule does, without its pace."""
        operations.collect_due(now=NOW, workers=3)

    def all_of(self, subject: Any) -> list[Any]:
        """The three."""
        return [subject, *subject.others]

    def meanwhile(self, bench: Bench, subject: Any) -> list[str]:
        """As of each."""
        said = super().meanwhile
        return [words for each in self.all_of(subject) for words in said(bench, each)]

    def settled(self, bench: Bench, subject: Any) -> bool:
        """All three."""
        return all(charging.Success.settled(self, bench, each) for each in self.all_of(subject))

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """As of each."""
        said = super().wrong
        return [words for each in self.all_of(subject) for words in said(bench, each, case)]


WORKS = (Run(), RunConsolidated(), SideBySide())
