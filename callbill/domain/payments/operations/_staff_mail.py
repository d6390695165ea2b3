"""Writing to staff about what only they can mend."""

from __future__ import annotations

from datetime import datetime

from callbill.domain.notifications.operations import Message, tell_staff
from callbill.domain.payments.models import StaffAlert
from callbill.lib.transactions import in_transaction


@in_transaction
def mail_staff(*, now: datetime) -> int:
    """Put a message about every new matter into the outbox, for each member of staff. Returns how many.

    A matter is told once when it is raised, and once more when it comes back after it was settled; at most
    once a day (UTC) each.
    """
    matters = list(
        StaffAlert.objects.select_for_update(skip_locked=True)
        .filter(settled_at=None, mailed_at=None)
        .order_by("last_at")
    )
    for matter in matters:
        tell_staff(
            key=f"staff-alert:{matter.id}:{now:%Y-%m-%d}",
            kind="staff_alert",
            message=Message(
                subject=f"For us to mend: {_in_words(matter.kind)}",
                headline=_in_words(matter.kind),
                paragraphs=(matter.message, "It stays on the overview of the console until it is settled."),
                action=("Open the console", "/console/"),
            ),
            now=now,
        )
        StaffAlert.objects.filter(id=matter.id).update(mailed_at=now)
    return len(matters)


def _in_words(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
