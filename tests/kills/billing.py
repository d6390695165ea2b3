"""The hourly run: a period is closed, its invoice issued and charged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.queries import verify_invoice
from callbill.domain.payments import operations
from callbill.domain.usage.models import Call
from callbill.jobs import work as jobs
from tests.domain import world
from tests.kills import charging
from tests.kills.bench import NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, WEBHOOK, Case
from tests.kills.work import Subject, expect


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
        numbers = Invoice.objects.exclude(number=None).values_list("number", flat=True)
        found = sorted(int(number.rpartition("-")[2]) for number in numbers)
        expect(said, "numbers", found, list(range(1, len(found) + 1)))
        return said + super().wrong(bench, subject, case)

    def outcome(
        self, subject: Any, said: list[str], *, told: dict[str, int], paid: list[int], attempts: list[Any]
    ) -> None:
        """The invoice was sent too."""
        expect(said, "invoices sent", told.pop("invoice_issued", 0), 1)
        super().outcome(subject, said, told=told, paid=paid, attempts=attempts)


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


WORKS = (Run(), SideBySide())
