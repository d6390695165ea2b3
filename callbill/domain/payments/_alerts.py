"""Telling staff of what only they can mend (M29): one row per matter, counted, and a line in the log."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import F, Q

from callbill.domain.payments.models import StaffAlert
from callbill.lib.transactions import in_transaction

logger = logging.getLogger(__name__)
# Until then the machine may still be at it; afterwards something is wrong that people may look at.
_IN_DOUBT_AFTER = timedelta(hours=1)


def lasts(since: datetime, now: datetime) -> bool:
    """Whether what began then and has no answer is in doubt for so long that people should look."""
    return since <= now - _IN_DOUBT_AFTER


@in_transaction
def alert(*, key: str, kind: str, message: str, now: datetime) -> None:
    """Raise the matter `key`, or count it once more; one that was settled is open again."""
    logger.error("%s: %s", kind, message)
    made, created = StaffAlert.objects.get_or_create(
        key=key, defaults={"kind": kind, "message": message, "first_at": now, "last_at": now}
    )
    if not created:
        # What comes back after it was settled is told to staff anew.
        StaffAlert.objects.filter(id=made.id, settled_at__isnull=False).update(mailed_at=None)
        StaffAlert.objects.filter(id=made.id).update(
            times=F("times") + 1, last_at=now, message=message, settled_at=None
        )


@in_transaction
def settle(*, kind: str, now: datetime) -> None:
    """What stood in the way is gone: every open matter of this kind is settled."""
    StaffAlert.objects.filter(kind=kind, settled_at=None).update(settled_at=now)


def settle_after_answer(*, key: str, now: datetime) -> None:
    """A question was answered: our key works, and the matter `key` is settled."""
    answered = Q(key=key) | Q(kind="gateway_key")
    StaffAlert.objects.filter(answered, settled_at=None).update(settled_at=now)


@in_transaction
def settle_matter(*, key: str, now: datetime) -> None:
    """This one matter is settled."""
    StaffAlert.objects.filter(key=key, settled_at=None).update(settled_at=now)
