"""A deliverer is killed at every statement, commit and call; the next finishes; nothing comes twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from callbill.domain.notifications.models import Notification
from callbill.domain.notifications.operations import deliver_pending
from callbill.gateways.email import MailGateway
from tests.domain.notifications.conftest import NOW, no_files
from tests.killing import wait_until_gone

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = 77


def killed_at(point: int) -> bool:
    """Deliver in a process of its own that dies at the n-th point; False if it came to its end alive."""
    connection.close()  # neither process may use the other's
    child = os.fork()
    if child == 0:
        status = 1
        os.environ["PGAPPNAME"] = f"killed-{os.getpid()}"
        try:
            with death_at(point):
                deliver_pending(now=NOW, attachments=no_files)
            status = 0
        finally:
            os._exit(status)
    _, how = os.waitpid(child, 0)
    wait_until_gone(f"killed-{child}")
    assert os.waitstatus_to_exitcode(how) in {0, KILLED}
    return os.waitstatus_to_exitcode(how) == KILLED


@contextmanager
def death_at(point: int) -> Iterator[None]:
    """Every SQL statement, commit, port call and step of writing a letter is a point before and after."""
    passed = count(1)

    def here() -> None:
        if next(passed) == point:
            os._exit(KILLED)

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            here()
            result = function(*args, **kwargs)
            here()
            return result

        return wrapped

    def around_statement(execute: Any, *args: Any) -> Any:
        return around(execute)(*args)

    connection.ensure_connection()
    connection.commit = around(connection.commit)  # type: ignore[method-assign]
    MailGateway.send = around(MailGateway.send)  # type: ignore[method-assign]
    MailGateway.was_delivered = around(MailGateway.was_delivered)  # type: ignore[method-assign]
    os.fsync = around(os.fsync)
    os.link = around(os.link)
    with connection.execute_wrapper(around_statement):
        yield


def letters(mailbox: Path) -> dict[str, tuple[int, int]]:
    """Each letter's inode and time of change: a letter that is replaced shows."""
    found = {path.name: path.stat() for path in mailbox.glob("*.eml")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def test_a_killed_delivery_is_finished_by_the_next_and_nothing_comes_twice(
    say: Callable[..., int], mailbox: Path
) -> None:
    sent_before_death = set()
    for point in count(1):
        say(f"issued:{point}")
        before = letters(mailbox)
        died = killed_at(point)
        after_death = letters(mailbox)
        sent_before_death.add(len(after_death) - len(before))
        deliver_pending(now=NOW + timedelta(minutes=15), attachments=no_files)
        after = letters(mailbox)
        assert len(after) == len(before) + 2, f"point {point}"
        assert after_death.items() <= after.items(), f"a letter was replaced at point {point}"
        assert not Notification.objects.filter(sent_at__isnull=True).exists(), f"point {point}"
        if not died:
            break
    assert point > 20
    assert sent_before_death == {0, 1, 2}
