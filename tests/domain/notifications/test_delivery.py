"""The outbox is emptied, each message once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from callbill.domain.customers.models import BillableEntity
from callbill.domain.notifications import queries
from callbill.domain.notifications.gateway import Letter
from callbill.domain.notifications.models import Notification
from callbill.domain.notifications.operations import Attachment, deliver_pending
from callbill.gateways.email import MailGateway, list_mailbox, read_mailbox
from callbill.lib.transactions import TransactionOpen
from tests.domain.notifications.conftest import NOW, no_files

pytestmark = pytest.mark.django_db(transaction=True)

Say = Callable[..., int]


class RefusesAda(MailGateway):
    """A port that takes no letters for Ada."""

    def send(self, letter: Letter) -> None:
        if letter.recipient.startswith("ada"):
            raise OSError("connection refused\nby the server")
        super().send(letter)


class Counting(MailGateway):
    """The mailbox, with a log of what was handed over."""

    handed: list[str] = []

    def send(self, letter: Letter) -> None:
        self.handed.append(letter.message_id)
        super().send(letter)


@pytest.fixture
def counting(settings: Settings) -> list[str]:
    settings.MAIL_GATEWAY = f"{__name__}.Counting"
    Counting.handed = []
    return Counting.handed


def test_each_message_is_sent_and_marked(say: Say, mailbox: Path) -> None:
    say()
    assert deliver_pending(now=NOW, attachments=no_files) == 2
    assert deliver_pending(now=NOW + timedelta(days=1), attachments=no_files) == 0
    assert Notification.objects.filter(sent_at=NOW, tries=1, claimed_until=None).count() == 2
    heads = list_mailbox(mailbox)
    assert {head.recipient for head in heads} == {"ada@acme.example", "bo@acme.example"}
    mail = read_mailbox(mailbox, heads[0].id)
    assert mail.head.sender == "CIC <billing@cic.example>"
    assert "We will charge your Visa •••• 4242 on 1 March." in mail.text
    assert "Your invoice for February 2026" in mail.html


def test_attachments_are_made_when_the_message_is_sent(say: Say, mailbox: Path) -> None:
    say(attachment="receipt:42")
    asked: list[str] = []

    def attach(reference: str) -> Attachment:
        assert not connection.in_atomic_block
        asked.append(reference)
        return Attachment("CIC-R-000042.pdf", b"%PDF-1.7 \xff\x00")

    deliver_pending(now=NOW, attachments=attach)
    assert asked == ["receipt:42"] * 2
    (file,) = read_mailbox(mailbox, list_mailbox(mailbox)[0].id).files
    assert (file.filename, file.mime_type, file.content) == (
        "CIC-R-000042.pdf",
        "application/pdf",
        b"%PDF-1.7 \xff\x00",
    )


def test_a_refused_message_waits_and_does_not_hold_up_the_others(
    say: Say, mailbox: Path, settings: Settings, payer: BillableEntity
) -> None:
    settings.MAIL_GATEWAY = f"{__name__}.RefusesAda"
    say()
    assert deliver_pending(now=NOW, attachments=no_files) == 1
    row = Notification.objects.get(recipient="ada@acme.example")
    assert row.sent_at is None
    assert row.problem == "OSError: connection refused by the server"
    # Too early, then in time, then after the next and longer wait with a server that works again.
    assert deliver_pending(now=NOW + timedelta(seconds=59), attachments=no_files) == 0
    row.refresh_from_db()
    assert row.tries == 1
    assert deliver_pending(now=NOW + timedelta(minutes=1), attachments=no_files) == 0
    row.refresh_from_db()
    assert (row.tries, row.claimed_until) == (2, NOW + timedelta(minutes=6))
    settings.MAIL_GATEWAY = "callbill.gateways.email.MailGateway"
    assert deliver_pending(now=NOW + timedelta(minutes=6), attachments=no_files) == 1
    row.refresh_from_db()
    assert row.sent_at == NOW + timedelta(minutes=6)
    assert row.problem == ""
    assert len(list_mailbox(mailbox)) == 2


def test_an_attachment_that_cannot_be_made_keeps_the_message(say: Say, mailbox: Path) -> None:
    say(attachment="receipt:42")

    def broken(reference: str) -> Attachment:
        raise RuntimeError(f"no {reference}")

    assert deliver_pending(now=NOW, attachments=broken) == 0
    assert list_mailbox(mailbox) == []
    assert set(Notification.objects.values_list("problem", flat=True)) == {"RuntimeError: no receipt:42"}
    for _ in range(60):  # however long it fails, it is never given up
        Notification.objects.update(claimed_until=NOW)
        deliver_pending(now=NOW, attachments=broken)
    assert len(queries.stuck()) == 2
    Notification.objects.update(claimed_until=NOW)
    assert deliver_pending(now=NOW, attachments=lambda reference: Attachment("r.pdf", b"%PDF")) == 2


def test_two_deliverers_at_once_send_each_message_once(say: Say, mailbox: Path, counting: list[str]) -> None:
    for number in range(20):
        say(f"issued:{number}")
    together = threading.Barrier(3)
    sent: list[int] = []

    def deliver() -> None:
        together.wait()
        try:
            sent.append(deliver_pending(now=NOW, attachments=no_files))
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == 40
    assert len(counting) == len(set(counting)) == 40
    assert len(list_mailbox(mailbox)) == 40


def test_a_message_claimed_by_somebody_else_is_left_alone(say: Say, mailbox: Path) -> None:
    say()
    Notification.objects.update(claimed_until=NOW + timedelta(minutes=1), tries=1)
    assert deliver_pending(now=NOW, attachments=no_files) == 0
    assert deliver_pending(now=NOW + timedelta(minutes=1), attachments=no_files) == 2


def test_after_an_expired_lease_the_port_is_asked_first(say: Say, mailbox: Path, counting: list[str]) -> None:
    say()
    deliver_pending(now=NOW, attachments=no_files)
    assert len(counting) == 2
    # As if the process had died between the hand-over and the mark.
    Notification.objects.update(sent_at=None, claimed_until=NOW + timedelta(minutes=15))
    assert deliver_pending(now=NOW + timedelta(minutes=15), attachments=no_files) == 2
    assert len(counting) == 2
    assert Notification.objects.filter(sent_at__isnull=False).count() == 2


def test_the_limit_holds_and_the_oldest_go_first(say: Say, mailbox: Path) -> None:
    say("issued:1")
    say("issued:2")
    Notification.objects.filter(key="issued:2").update(created_at=NOW - timedelta(days=1))
    assert deliver_pending(now=NOW, attachments=no_files, limit=2) == 2
    assert set(Notification.objects.filter(sent_at=NOW).values_list("key", flat=True)) == {"issued:2"}


def test_delivery_refuses_to_run_inside_a_transaction(say: Say, mailbox: Path) -> None:
    with transaction.atomic(), pytest.raises(TransactionOpen):
        deliver_pending(now=NOW, attachments=no_files)
