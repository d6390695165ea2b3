"""Table of notifications; the rows not yet sent are the outbox."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from callbill.domain.customers.models import BillableEntity
from callbill.lib.fields import IdField


class Notification(models.Model):
    """One message to one address."""

    id = IdField()
    key = models.CharField(max_length=160)
    kind = models.CharField(max_length=40)
    payer = models.ForeignKey(
        BillableEntity,
        null=True,
        on_delete=models.PROTECT,
        related_name="notifications",
        help_text="Null: it is for staff.",
    )
    subject_id = models.UUIDField(null=True, help_text="The invoice or card it is about.")
    recipient = models.EmailField()
    subject = models.CharField(max_length=250)
    body_text = models.TextField()
    body_html = models.TextField()
    attachment = models.CharField(
        max_length=120, blank=True, help_text='What to attach, e.g. "receipt:<id>".'
    )
    created_at = models.DateTimeField(db_index=True)
    claimed_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "recipient"], name="told_once")]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(sent_at__isnull=True), name="notification_outbox"
            ),
            models.Index(fields=["payer", "-created_at"], name="notification_payer"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"
