"""Answers about what was sent, scoped by who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from callbill.domain.customers.queries import NotFound, Viewer, visible_payers
from callbill.domain.notifications.models import Notification

PAGE_SIZE = 25


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message as the Notifications page shows it; `sent_at` is None while it waits in the outbox."""

    id: UUID
    kind: str
    payer_name: str
    subject_id: UUID | None
    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime
    sent_at: datetime | None
    tries: int
    problem: str

    @property
    def state(self) -> str:
        """Where it stands, in words: Sent, On its way, or Not sent yet (the last try failed)."""
        if self.sent_at is not None:
            return "Sent"
        return "Not sent yet" if self.problem else "On its way"


def sent_to(viewer: Viewer, *, payer_id: UUID | None = None, page: int = 1) -> Page[SentMessage]:
    """What the viewer's payers (or one of them) were told, newest first; a page of 25.

    Only payers whose whole invoices the viewer may see: a company's people do not read what was sent to
    the organization that pays for it (M32). Staff see every payer. A page past the end is the last one.
    """
    messages = _visible(viewer)
    if payer_id is not None:
        messages = messages.filter(payer_id=payer_id)
    rows: Page[Any] = Paginator(messages.order_by("-created_at", "-id"), PAGE_SIZE).get_page(page)
    rows.object_list = [_shown(row) for row in rows.object_list]
    return rows


def message(viewer: Viewer, notification_id: UUID) -> SentMessage:
    """One message. Raises NotFound for another tenant's."""
    row = _visible(viewer).filter(id=notification_id).first()
    if row is None:
        raise NotFound("There is no such message.")
    return _shown(row)


def about(viewer: Viewer, subject_id: UUID) -> list[SentMessage]:
    """What was sent about one invoice or card, oldest first."""
    rows = _visible(viewer).filter(subject_id=subject_id)
    return [_shown(row) for row in rows.order_by("created_at", "id")]


def stuck_for(viewer: Viewer) -> list[SentMessage]:
    """Messages that could not be delivered, for staff, oldest first; nothing for anybody else."""
    return stuck() if viewer.is_staff else []


def stuck(*, tries: int = 3) -> list[SentMessage]:
    """Unsent messages that failed at least `tries` times, oldest first; unscoped, for `doctor`."""
    rows = Notification.objects.filter(sent_at__isnull=True, tries__gte=tries).exclude(problem="")
    rows = rows.select_related("payer__company", "payer__organization")
    return [_shown(row) for row in rows.order_by("created_at", "id")]


def _visible(viewer: Viewer) -> QuerySet[Notification]:
    return Notification.objects.filter(payer__in=visible_payers(viewer)).select_related(
        "payer__company", "payer__organization"
    )


def _shown(row: Notification) -> SentMessage:
    return SentMessage(
        id=row.id,
        kind=row.kind,
        payer_name=row.payer.name if row.payer else "Staff",
        subject_id=row.subject_id,
        recipient=row.recipient,
        subject=row.subject,
        text=row.body_text,
        html=row.body_html,
        created_at=row.created_at,
        sent_at=row.sent_at,
        tries=row.tries,
        problem=row.problem,
    )
