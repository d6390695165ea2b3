"""Sending what waits in the outbox: into a mailbox folder, and to a mail server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings

from callbill.domain.customers.models import BillingContact
from callbill.domain.notifications import queries
from callbill.domain.notifications._delivery import message_id
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations
from callbill.gateways.email import read_mailbox
from callbill.jobs import work as jobs
from tests.kills.bench import NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, Case
from tests.kills.mail import MAILBOX_FAULTS, SMTP_FAULTS, MailFault
from tests.kills.smtp import NOBODY_HERE, WELL, mail_server
from tests.kills.work import Subject, Work, expect


@dataclass(frozen=True)
class Seen:
    """How it stood before the recovery: the problems that were kept, and what had arrived and how often."""

    problems: list[str]
    unmarked: set[str]
    arrived: dict[str, int]


class Mailbox(Work):
    """A receipt to two billing contacts, with its PDF; the folder takes each letter once."""

    name = "notifying/mailbox"
    betweens = (NOBODY, SECOND_WORKER)
    ways: ClassVar[Mapping[str, MailFault]] = MAILBOX_FAULTS
    faults = tuple(ways)
    second: ClassVar[str] = "second@"

    def prepare(self, bench: Bench) -> Subject:
        """A paid invoice, of which nobody has heard yet."""
        settings.MAIL_DELIVERY = "mailbox"
        payer = bench.payer(contract=True)
        BillingContact.objects.create(payer=payer.payer, email=f"{self.second}{payer.company.key}.example")
        bench.billed(payer)
        Notification.objects.update(sent_at=NOW)
        operations.collect_due(now=NOW)
        letters = [message_id(row) for row in Notification.objects.filter(sent_at=None)]
        assert len(letters) == 2
        return Subject(payer=payer, letters=letters, seen=None)

    def run(self, bench: Bench, subject: Any) -> None:
        """As the worker does every minute."""
        jobs.deliver(now=NOW)

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """The same a while later."""
        if subject.seen is None:
            waiting = Notification.objects.filter(sent_at=None)
            subject.seen = Seen(
                problems=[row.problem for row in waiting if row.problem],
                unmarked={message_id(row) for row in waiting},
                arrived=self.arrived(bench, subject),
            )
        jobs.deliver(now=now)
        return []

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Nothing waits."""
        return not Notification.objects.filter(sent_at=None).exists()

    def arrived(self, bench: Bench, subject: Any) -> dict[str, int]:
        """Which of the letters have arrived; here with the file each is, since there can be no second."""
        paths = {letter: bench.mailbox / f"{self.name_of(letter)}.eml" for letter in subject.letters}
        return {letter: path.stat().st_ino for letter, path in paths.items() if path.exists()}

    @staticmethod
    def name_of(letter: str) -> str:
        """What the mailbox calls it."""
        return letter.strip("<>").partition("@")[0]

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Each letter once, whole, with its file; one that had arrived was left as it was."""
        said = self.not_silent(subject, case)
        arrived = self.arrived(bench, subject)
        expect(said, "letters", sorted(arrived), sorted(subject.letters))
        expect(said, "left as it was", subject.seen.arrived.items() <= arrived.items(), True)
        for letter in arrived:
            files = read_mailbox(bench.mailbox, self.name_of(letter)).files
            expect(said, "files", [file.content[:5] for file in files], [b"%PDF-"])
        expect(said, "kinds", bench.told(subject.payer), {"invoice_issued": 2, "payment_received": 2})
        return said

    def not_silent(self, subject: Any, case: Case) -> list[str]:
        """The letter that met a fault kept its problem, unless the work died first; no other has one."""
        said: list[str] = []
        met = self.ways.get(case.fault) if not case.in_recovery else None
        kept = [met.words in problem if met else problem for problem in subject.seen.problems]
        if kept or not case.kill:
            expect(said, f"problems kept {subject.seen.problems}", kept, [True] if met else [])
        return said


class Smtp(Mailbox):
    """The same to a mail server. It cannot be asked what it has: a letter whose 250 was lost comes twice.

    Lost by the fault, or because the work died between the server's taking and our mark. Then it is the same
    letter under the same Message-ID, by which readers know the copy.
    """

    name = "notifying/smtp"
    ways = SMTP_FAULTS
    faults = tuple(ways)

    def prepare(self, bench: Bench) -> Subject:
        """A mail server."""
        subject = super().prepare(bench)
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server().port(WELL)
        settings.EMAIL_USE_TLS, settings.MAIL_DELIVERY = False, "smtp"
        return subject

    def arrived(self, bench: Bench, subject: Any) -> dict[str, int]:
        """Which of the letters were taken, how often."""
        return dict(Counter(letter for letter in mail_server().letters if letter in subject.letters))

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Every letter, and one more of it for each 250 that was lost."""
        said = self.not_silent(subject, case)
        seen: Seen = subject.seen
        copies = Counter(self.must_arrive(subject))
        copies.update(letter for letter in seen.unmarked if letter in seen.arrived)
        arrived = self.arrived(bench, subject)
        lost_later = case.in_recovery and self.ways[case.fault].taken
        expect(said, "copies", sum(arrived.values()), copies.total() + lost_later)
        expect(said, "of each at least", [x for x in copies if arrived.get(x, 0) < copies[x]], [])
        return said

    def must_arrive(self, subject: Any) -> list[str]:
        """Both."""
        return list(subject.letters)


class RefusedForGood(Smtp):
    """One of the two addresses is wrong: its letter stays, with its problem; the other is not held up."""

    name = "notifying/smtp, an address refused"
    faults = ()  # as of letters that are taken
    second = NOBODY_HERE

    def prepare(self, bench: Bench) -> Subject:
        """It was refused twice before."""
        subject = super().prepare(bench)
        wrong = Notification.objects.filter(recipient__startswith=NOBODY_HERE, sent_at=None)
        subject.refused = message_id(wrong.get())
        others = Notification.objects.filter(sent_at=None).exclude(id=wrong.get().id)
        others.update(claimed_until=NOW)
        for ago in (timedelta(minutes=40), timedelta(minutes=20)):
            assert jobs.deliver(now=NOW - ago) == 0
        return subject

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Only that one waits, and it was tried again after the kill."""
        waiting = list(Notification.objects.filter(sent_at=None))
        return [message_id(row) for row in waiting] == [subject.refused] and waiting[0].tries > 3

    def not_silent(self, subject: Any, case: Case) -> list[str]:
        """It is named among what is stuck, with the server's words."""
        said: list[str] = []
        stuck = [(f"<{each.id}", "550" in each.problem, each.state) for each in queries.stuck()]
        expect(said, "stuck", stuck, [(subject.refused.partition("@")[0], True, "Not sent yet")])
        return said

    def must_arrive(self, subject: Any) -> list[str]:
        """The other one."""
        return [letter for letter in subject.letters if letter != subject.refused]


WORKS = (Mailbox(), Smtp(), RefusedForGood())
