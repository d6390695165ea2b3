"""Tables of disputes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from callbill.domain.invoicing.models import Invoice
from callbill.lib.fields import IdField


class Hold(models.Model):
    """What of an invoice is not collected for now (M30); null as amount: all that is owed on it."""

    class Kind(models.TextChoices):
        CHARGEBACK = "chargeback", "Disputed at the bank"
        FRAUD_WARNING = "fraud_warning", "Warning of fraud"
        QUESTION = "question", "Question of the customer"
        STAFF = "staff", "Held by staff"

    id = IdField()
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="holds")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    cause = models.CharField(max_length=64, help_text="What it is about, such as a chargeback's reference.")
    amount_minor = models.BigIntegerField(null=True)
    reason = models.TextField()
    placed_at = models.DateTimeField()
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_because = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "kind", "cause"],
                condition=Q(lifted_at__isnull=True),
                name="one_open_hold_a_cause",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__isnull=True) | Q(amount_minor__gt=0), name="hold_of_something"
            ),
        ]
        indexes = [models.Index(fields=["invoice"], condition=Q(lifted_at__isnull=True), name="hold_open")]

    def __str__(self) -> str:
        return f"{self.invoice}: {self.get_kind_display()}"
