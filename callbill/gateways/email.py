"""Mail to the outside: an SMTP server, or a folder of .eml files with a page to read them (the demo)."""

from __future__ import annotations

import os
import re
import smtplib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from callbill.domain.notifications.gateway import Letter, MailNotSent

_NAME = re.compile(r"[0-9a-zA-Z-]{1,64}")


class MailGateway:
    """Sends by SMTP or into the mailbox folder, as `settings.MAIL_DELIVERY` says."""

    def send(self, letter: Letter) -> None:
        """Hand the letter over. Raises MailNotSent with the reason."""
        if settings.MAIL_DELIVERY == "smtp":
            _send_by_smtp(letter)
        else:
            _put_into_mailbox(Path(settings.MAILBOX_DIR), letter)

    def was_delivered(self, message_id: str) -> bool:
        """True if the mailbox holds it. An SMTP server cannot be asked, so there the answer is False."""
        if settings.MAIL_DELIVERY == "smtp":
            return False
        return _path(Path(settings.MAILBOX_DIR), _name(message_id)).exists()


def compose(letter: Letter) -> EmailMultiAlternatives:
    """The letter as text with an HTML alternative and its attachments; same letter, same headers."""
    mail = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        from_email=letter.sender,
        to=[letter.recipient],
        reply_to=[letter.reply_to] if letter.reply_to else None,
        headers={
            "Message-ID": letter.message_id,
            "Date": format_datetime(letter.written_at.astimezone(UTC)),
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(letter.html, "text/html")
    for attachment in letter.attachments:
        mail.attach(attachment.filename, attachment.content, attachment.mime_type)
    return mail


def _send_by_smtp(letter: Letter) -> None:
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend")
    mail = compose(letter)
    mail.connection = connection
    try:
        sent = mail.send()
    except (OSError, smtplib.SMTPException) as problem:
        server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
        raise MailNotSent(f"the mail server {server} did not take it: {problem}") from problem
    if sent != 1:
        raise MailNotSent("the mail server took no letter")


# --- the mailbox folder -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MailHead:
    """A letter in the mailbox's list."""

    id: str
    sent_at: datetime | None
    sender: str
    recipient: str
    subject: str


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file that came with a letter."""

    filename: str
    mime_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter read back from the mailbox. `html` is as sent: show it only in a sandboxed frame."""

    head: MailHead
    message_id: str
    text: str
    html: str
    files: tuple[MailFile, ...]


class NoSuchMail(Exception):
    """The mailbox has no letter of that id."""


def list_mailbox(folder: Path, *, limit: int = 200) -> list[MailHead]:
    """The letters in the folder, newest first by their Date; a file that is not a letter is left out."""
    heads: list[MailHead] = []
    for path in folder.glob("*.eml"):
        with path.open("rb") as file:
            heads.append(_head(path.stem, _parse(file.read(16_384))))  # the headers are at the top
    oldest = datetime.min.replace(tzinfo=UTC)
    heads.sort(key=lambda head: (head.sent_at or oldest, head.id), reverse=True)
    return heads[:limit]


def read_mailbox(folder: Path, mail_id: str) -> Mail:
    """One letter with its files. Raises NoSuchMail, also for an id that is no plain name."""
    if not _NAME.fullmatch(mail_id):
        raise NoSuchMail("There is no such letter in the mailbox.")
    try:
        parsed = _parse(_path(folder, mail_id).read_bytes())
    except FileNotFoundError:
        raise NoSuchMail("There is no such letter in the mailbox.") from None
    return Mail(
        head=_head(mail_id, parsed),
        message_id=str(parsed.get("Message-ID", "")).strip(),
        text=_body(parsed, "plain"),
        html=_body(parsed, "html"),
        files=tuple(
            MailFile(
                filename=part.get_filename() or "file",
                mime_type=part.get_content_type(),
                content=_decoded(part),
            )
            for part in parsed.iter_attachments()
        ),
    )


def _put_into_mailbox(folder: Path, letter: Letter) -> None:
    """Write the letter once: a file appears whole under its final name or not at all, and the first stays."""
    name = _name(letter.message_id)
    content = compose(letter).message().as_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = folder / f".{name}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # delivered before; what is there stays as it is
                os.link(scratch, _path(folder, name))
        finally:
            scratch.unlink(missing_ok=True)  # on a full disk, too, or each try would fill it further
    except OSError as problem:
        raise MailNotSent(f"the mailbox folder could not be written: {problem.strerror}") from problem


def _name(message_id: str) -> str:
    """The file name of a letter: the part of its id before the @."""
    name = message_id.strip("<>").partition("@")[0]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{message_id!r} cannot be a file name")
    return name


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.eml"


def _parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def _head(mail_id: str, parsed: EmailMessage) -> MailHead:
    try:
        sent_at = parsedate_to_datetime(str(parsed["Date"]))
    except (TypeError, ValueError):
        sent_at = None
    return MailHead(
        id=mail_id,
        sent_at=sent_at,
        sender=str(parsed.get("From", "")),
        recipient=str(parsed.get("To", "")),
        subject=str(parsed.get("Subject", "")),
    )


def _body(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return _decoded(part).decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # it names a character set that does not exist
        return _decoded(part).decode("utf-8", "replace")


def _decoded(part: MIMEPart) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
