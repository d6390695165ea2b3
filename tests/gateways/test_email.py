"""Mail to a real SMTP server on this machine, and the mailbox folder."""

from __future__ import annotations

import errno
import os
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pytest_django import Settings

from callbill.domain.notifications.gateway import Attachment, Letter, MailNotSent
from callbill.gateways.email import MailGateway, NoSuchMail, list_mailbox, read_mailbox

LETTER = Letter(
    message_id="<01890000-0000-7000-8000-000000000001@cic.example>",
    sender="Söhne & Co <billing@cic.example>",
    reply_to="help@cic.example",
    recipient="ada@acme.example",
    subject="Invoice CIC-000007 für 北京医院",
    text="Total: $1,027.35\n.\nA line that begins with a point\n",
    html="<p>Total: <b>$1,027.35</b> 北京医院</p>",
    written_at=datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
    attachments=(Attachment("CIC-R-000042.pdf", bytes(range(256)) * 50),),
)


@dataclass
class Server:
    """A small SMTP server: takes what it is given, or refuses recipients, or goes away after DATA."""

    port: int = 0
    refuses: bool = False
    goes_away_after_data: bool = False
    taken: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@pytest.fixture
def smtp(settings: Settings) -> Iterator[Server]:
    state = Server()

    class Conversation(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"RCPT" and state.refuses:
                    self.say("550 no such mailbox")
                elif verb == b"DATA":
                    self.say("354 go on")
                    self.take()
                    if state.goes_away_after_data:
                        return
                    self.say("250 taken")
                elif verb == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    if verb == b"RCPT":
                        state.recipients.append(line.decode().partition(":")[2].strip())
                    self.say("250 fine")

        def take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line[1:] if line.startswith(b"..") else line)
            state.taken.append(b"".join(lines))

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.port = server.server_address[1]
    settings.MAIL_DELIVERY = "smtp"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", state.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = False
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mailbox(settings: Settings, tmp_path: Path) -> Path:
    settings.MAIL_DELIVERY = "mailbox"
    settings.MAILBOX_DIR = tmp_path / "box"
    return tmp_path / "box"


def test_smtp_gets_the_letter_whole(smtp: Server) -> None:
    MailGateway().send(LETTER)
    (taken,) = smtp.taken
    got = message_from_bytes(taken, policy=policy.default)
    assert smtp.recipients == ["<ada@acme.example>"]
    assert got["Message-ID"].strip() == LETTER.message_id
    assert (got["Subject"], got["To"]) == (LETTER.subject, LETTER.recipient)
    assert (got["From"].addresses[0].display_name, got["Reply-To"]) == ("Söhne & Co", "help@cic.example")
    assert got["Date"].datetime == LETTER.written_at
    text = got.get_body(("plain",))
    html = got.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert html.get_content().strip() == LETTER.html
    (file,) = got.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("CIC-R-000042.pdf", bytes(range(256)) * 50)


def test_smtp_sends_again_under_the_same_id_because_it_cannot_be_asked(smtp: Server) -> None:
    gateway = MailGateway()
    gateway.send(LETTER)
    assert not gateway.was_delivered(LETTER.message_id)
    gateway.send(LETTER)
    ids = {message_from_bytes(taken)["Message-ID"].strip() for taken in smtp.taken}
    assert ids == {LETTER.message_id}


def test_a_refused_recipient_is_told_with_the_servers_words(smtp: Server) -> None:
    smtp.refuses = True
    with pytest.raises(MailNotSent, match="no such mailbox"):
        MailGateway().send(LETTER)
    assert smtp.taken == []


def test_a_server_that_goes_away_before_saying_yes_counts_as_not_sent(smtp: Server) -> None:
    smtp.goes_away_after_data = True
    with pytest.raises(MailNotSent):
        MailGateway().send(LETTER)


def test_no_server_is_told_with_its_address(smtp: Server, settings: Settings) -> None:
    settings.EMAIL_PORT = 1
    with pytest.raises(MailNotSent, match=r"127\.0\.0\.1:1 did not take it"):
        MailGateway().send(LETTER)


def test_the_mailbox_gives_back_what_was_put_in(mailbox: Path) -> None:
    gateway = MailGateway()
    assert not gateway.was_delivered(LETTER.message_id)
    gateway.send(LETTER)
    assert gateway.was_delivered(LETTER.message_id)
    (head,) = list_mailbox(mailbox)
    mail = read_mailbox(mailbox, head.id)
    assert mail.head == head
    assert (head.subject, head.recipient, head.sent_at) == (
        LETTER.subject,
        LETTER.recipient,
        LETTER.written_at,
    )
    assert (mail.message_id, mail.text, mail.html.strip()) == (LETTER.message_id, LETTER.text, LETTER.html)
    assert mail.files[0].content == bytes(range(256)) * 50


def test_the_mailbox_keeps_the_first_of_two_letters_with_one_id(mailbox: Path) -> None:
    MailGateway().send(LETTER)
    MailGateway().send(replace(LETTER, text="changed"))
    (head,) = list_mailbox(mailbox)
    assert read_mailbox(mailbox, head.id).text == LETTER.text
    assert [path.name for path in mailbox.iterdir()] == [f"{head.id}.eml"]  # no scratch file stays


def test_the_mailbox_lists_the_newest_first(mailbox: Path) -> None:
    for day in (2, 3, 1):
        MailGateway().send(
            replace(LETTER, message_id=f"<m{day}@x>", written_at=datetime(2026, 3, day, tzinfo=UTC))
        )
    assert [head.id for head in list_mailbox(mailbox)] == ["m3", "m2", "m1"]
    assert [head.id for head in list_mailbox(mailbox, limit=1)] == ["m3"]


@pytest.mark.parametrize(
    "wrong", ["", "..", "../../etc/passwd", "a/b", "a.eml", "x\x00y", "a" * 65, "missing"]
)
def test_only_letters_of_the_mailbox_can_be_read(mailbox: Path, wrong: str) -> None:
    mailbox.mkdir()
    (mailbox.parent / "passwd.eml").write_text("Subject: secret\n\n")
    with pytest.raises(NoSuchMail):
        read_mailbox(mailbox, wrong)


def test_an_empty_or_missing_mailbox_has_no_letters(mailbox: Path) -> None:
    assert list_mailbox(mailbox) == []


def test_a_broken_file_in_the_mailbox_does_not_break_the_page(mailbox: Path) -> None:
    MailGateway().send(LETTER)
    (mailbox / "broken.eml").write_bytes(
        b"Date: nonsense\nContent-Type: text/plain; charset=none-such\n\n\xff\xfe\x00"
    )
    (mailbox / "empty.eml").write_bytes(b"")
    assert {head.id for head in list_mailbox(mailbox)} == {LETTER.message_id[1:37], "broken", "empty"}
    assert read_mailbox(mailbox, "broken").head.sent_at is None
    assert read_mailbox(mailbox, "empty").text == ""


def test_a_mailbox_that_cannot_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    settings.MAIL_DELIVERY = "mailbox"
    settings.MAILBOX_DIR = tmp_path / "file"
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(MailNotSent, match="mailbox folder"):
        MailGateway().send(LETTER)


def test_a_full_disk_is_not_filled_further(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAIL_DELIVERY, settings.MAILBOX_DIR = "mailbox", tmp_path

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(MailNotSent, match="No space left"):
            MailGateway().send(LETTER)
    assert list(tmp_path.iterdir()) == []
    MailGateway().send(LETTER)
    assert len(list_mailbox(tmp_path)) == 1
