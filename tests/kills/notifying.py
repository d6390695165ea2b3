"""Sending what waits in the outbox: into a mailbox folder, and to a mail server."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings

from callbill.domain.customers.models import BillingContact
from callbill.domain.notifications._delivery import message_id
from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations
from callbill.gateways.email import list_mailbox, read_mailbox
from callbill.jobs import work as jobs
from tests.kills.bench import NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, Case
from tests.kills.smtp import mail_server
from tests.kills.work import Subject, Work, expect


class Mailbox(Work):
    """A receipt to two billing contacts, with its PDF; the folder takes each letter once."""

    name = "notifying/mailbox"
    betweens = (NOBODY, SECOND_WORKER)
    asks_stripe = False

    def prepare(self, bench: Bench) -> Subject:
        """A paid invoice, of which nobody has heard yet."""
        payer = bench.payer(contract=True)
        BillingContact.objects.create(payer=payer.payer, email=f"second@{payer.company.key}.example")
        bench.billed(payer)
        Notification.objects.update(sent_at=NOW)
        operations.collect_due(now=NOW)
        letters = [message_id(row) for row in Notification.objects.filter(sent_at=None)]
        assert len(letters) == 2
        return Subject(payer=payer, letters=letters)

    def run(self, bench: Bench, subject: Any) -> None:
        """As the worker does every minute."""
        jobs.deliver(now=NOW)

    def recover(self, bench: Bench, subject: Any, now: datetime) -> list[str]:
        """The same a while later."""
        jobs.deliver(now=now)
        return []

    def settled(self, bench: Bench, subject: Any) -> bool:
        """Nothing waits."""
        return not Notification.objects.filter(sent_at=None).exists()

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Each letter once, whole, with its file."""
        said: list[str] = []
        for letter in subject.letters:
            name = letter.strip("<>").partition("@")[0]
            files = read_mailbox(bench.mailbox, name).files
            expect(said, "files", [file.content[:5] for file in files], [b"%PDF-"])
        there = [head.id for head in list_mailbox(bench.mailbox, limit=10_000)]
        mine = [letter.strip("<>").partition("@")[0] for letter in subject.letters]
        expect(said, "letters", sorted(set(there) & set(mine)), sorted(mine))
        expect(said, "kinds", bench.told(subject.payer), {"invoice_issued": 2, "payment_received": 2})
        return said


class Smtp(Mailbox):
    """The same to a mail server. It cannot be asked what it has: a letter whose mark was lost comes twice.

    Then it is the same letter under the same Message-ID, by which readers know the copy, and it comes twice
    only if the work died between the handing over and the mark.
    """

    name = "notifying/smtp"

    def __init__(self) -> None:
        self._letters: list[str] | None = None

    def prepare(self, bench: Bench) -> Subject:
        """A mail server, started once."""
        if self._letters is None:
            port, self._letters = mail_server()
            settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
        subject = super().prepare(bench)
        settings.MAIL_DELIVERY = "smtp"
        return subject

    def wrong(self, bench: Bench, subject: Any, case: Case) -> list[str]:
        """Both letters; one of them twice if the work died with it in its hands."""
        settings.MAIL_DELIVERY = "mailbox"
        said: list[str] = []
        taken = Counter(self._letters or ())
        copies = sorted(taken[letter] for letter in subject.letters)
        twice = bool(case.kill) and case.between in self.betweens
        expect(said, f"copies {copies}", copies in ([1, 1], [1, 2] if twice else [1, 1]), True)
        return said


WORKS = (Mailbox(), Smtp())
