"""What can be wrong with the mail while one letter is handed over: by SMTP, or into a mailbox folder.

Nothing of the product is replaced: the mail server is a real one that fails the letter (`smtp.py`), the disk
is full because this process may write no more, and the folder cannot be made because a file is in its way.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.kills.smtp import mail_server

# Nobody waits long for a server that says nothing; for the letter to be read there is time.
_PATIENCE = 0.4


@dataclass(frozen=True)
class MailFault:
    """One of them. `words` stand in the problem that is kept; `taken`: the letter arrives all the same."""

    happening: Callable[[], AbstractContextManager[None]]
    words: str
    taken: bool = False


@contextmanager
def _settings(**changes: Any) -> Iterator[None]:
    kept = {name: getattr(settings, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(settings, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(settings, name, value)


def _at_door(way: str) -> Callable[[], AbstractContextManager[None]]:
    return lambda: _settings(EMAIL_PORT=mail_server().port(way), EMAIL_TIMEOUT=_PATIENCE)


@contextmanager
def _full_disk() -> Iterator[None]:
    """The kernel stops the letter after its first bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _no_folder() -> AbstractContextManager[None]:
    return _settings(MAILBOX_DIR=Path(__file__) / "mailbox")


@contextmanager
def _link_fails(*, late: bool) -> Iterator[None]:
    """The last step fails, on a disk that is far away: not done, or done and the answer lost."""
    plain = os.link

    def link(*args: Any, **kwargs: Any) -> None:
        if late:
            plain(*args, **kwargs)
        raise OSError(5, "Input/output error")

    os.link = link
    try:
        yield
    finally:
        os.link = plain


SMTP_FAULTS = {
    "greeting refused": MailFault(_at_door("greeting refused"), "554"),
    "550": MailFault(_at_door("550"), "550"),
    "451": MailFault(_at_door("451"), "451"),
    "gone in DATA": MailFault(_at_door("gone in DATA"), "did not take it"),
    "silence": MailFault(_at_door("silence"), "timed out"),
    "taken, 250 lost": MailFault(_at_door("taken, 250 lost"), "did not take it", taken=True),
    "taken, then silence": MailFault(_at_door("taken, then silence"), "did not take it", taken=True),
}
MAILBOX_FAULTS = {
    "disk full": MailFault(_full_disk, "could not be written"),
    "no folder": MailFault(_no_folder, "could not be written"),
    "link fails": MailFault(lambda: _link_fails(late=False), "could not be written"),
    "link done, answer lost": MailFault(lambda: _link_fails(late=True), "could not be written", taken=True),
}
MAIL_FAULTS = {**SMTP_FAULTS, **MAILBOX_FAULTS}
