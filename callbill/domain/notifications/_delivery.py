"""Emptying the outbox, each message once, whatever dies in between.

A message is claimed (a lease, committed), handed to the mail port outside any transaction, and marked as
sent. If the process dies after the hand-over and before the mark, the next run finds an expired lease and
asks the port whether it has the letter. A mailbox folder knows; an SMTP server does not, so there the
letter goes out again with the same Message-ID, by which mail servers and readers recognise the copy.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.db.models import Q

from callbill.domain.customers import queries as customers
from callbill.domain.notifications._wording import one_line
from callbill.domain.notifications.gateway import Attachment, Letter, MailPort, mail_port
from callbill.domain.notifications.models import Notification
from callbill.lib.transactions import in_transaction, outside_transaction

LEASE = timedelta(minutes=15)
LONGEST_RUN_SECONDS = 300  # well below the lease: no lease of a run ends while the run goes on
WAITS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=24),
)

_log = logging.getLogger(__name__)


@outside_transaction
def deliver_pending(*, now: datetime, attachments: Callable[[str], Attachment], limit: int = 100) -> int:
    """Send up to `limit` waiting messages, oldest first; any number of processes may do so at once.

    `attachments` makes the file that a message names ("receipt:<id>"). A message that cannot be sent keeps
    the reason and is tried again after a wait (`WAITS`, then daily), and does not hold up the others.
    Returns how many messages were sent or found to have been sent.
    """
    port = mail_port()
    stop_at = time.monotonic() + LONGEST_RUN_SECONDS
    delivered = 0
    for _ in range(limit):
        if time.monotonic() > stop_at:
            break
        notification = _claim(now)
        if notification is None:
            break
        delivered += _deliver(notification, port, attachments, now)
    return delivered


@in_transaction
def _claim(now: datetime) -> Notification | None:
    """Take the oldest free message for `LEASE`; None if there is none."""
    notification = (
        Notification.objects.select_for_update(skip_locked=True)
        .filter(sent_at__isnull=True)
        .filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now))
        .order_by("created_at", "id")
        .first()
    )
    if notification is None:
        return None
    notification.claimed_until = now + LEASE
    notification.tries += 1
    notification.save(update_fields=["claimed_until", "tries"])
    return notification


def _deliver(
    notification: Notification,
    port: MailPort,
    attachments: Callable[[str], Attachment],
    now: datetime,
) -> bool:
    """Hand over one claimed message and write down how that went."""
    mine = Notification.objects.filter(id=notification.id, sent_at__isnull=True)
    try:
        known = notification.tries > 1 and port.was_delivered(message_id(notification))
        if not known:
            files = (attachments(notification.attachment),) if notification.attachment else ()
            port.send(_letter(notification, files))
    except Exception as problem:  # whatever went wrong, the message must stay and the others must go on
        wait = WAITS[min(notification.tries, len(WAITS)) - 1]
        _log.warning("message %s was not sent, next try in %s: %s", notification.id, wait, problem)
        reason = one_line(f"{type(problem).__name__}: {problem}")[:500]
        # Only while the lease is ours: another deliverer may have taken over from a very slow one.
        mine.filter(claimed_until=notification.claimed_until).update(claimed_until=now + wait, problem=reason)
        return False
    mine.update(sent_at=now, claimed_until=None, problem="")
    return True


def message_id(notification: Notification) -> str:
    """The Message-ID, the same for every try: "<id of the row>@<domain of the sender>" in angle brackets."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{notification.id}@{domain}>"


def _letter(notification: Notification, files: tuple[Attachment, ...]) -> Letter:
    seller = customers.seller()
    address = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return Letter(
        message_id=message_id(notification),
        sender=formataddr((one_line(seller.name), address)),
        reply_to=seller.email,
        recipient=notification.recipient,
        subject=notification.subject,
        text=notification.body_text,
        html=notification.body_html,
        written_at=notification.created_at,
        attachments=files,
    )
