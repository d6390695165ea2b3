"""The port to the outside for mail; `settings.MAIL_GATEWAY` names the class that implements it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

DEFAULT_GATEWAY = "callbill.gateways.email.MailGateway"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message."""

    filename: str
    content: bytes
    mime_type: str = "application/pdf"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it is handed over. `message_id` is the same each time the same message is sent."""

    message_id: str
    sender: str
    reply_to: str
    recipient: str
    subject: str
    text: str
    html: str
    written_at: datetime
    attachments: tuple[Attachment, ...] = ()


class MailNotSent(Exception):
    """The letter was not taken; the message says why, in words for staff."""


class MailPort(Protocol):
    """What the outbox asks of the outside."""

    def send(self, letter: Letter) -> None:
        """Hand the letter over. Raises MailNotSent (or anything else) if it was not taken for certain."""

    def was_delivered(self, message_id: str) -> bool:
        """True only if a letter with this id is known to have been handed over.

        A port that cannot know says False, and the letter is sent again with the same id.
        """


def mail_port() -> MailPort:
    """The port that the settings name."""
    loaded: type[MailPort] = import_string(getattr(settings, "MAIL_GATEWAY", DEFAULT_GATEWAY))
    return loaded()
