"""Tables of verification: its runs, and the invoices that do not come out the same."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from callbill.lib.fields import IdField


class VerificationRun(models.Model):
    """One pass over issued invoices, all of them or a sample. It goes on where it stopped."""

    class Scope(models.TextChoices):
        ALL = "all", "Every invoice"
        SAMPLE = "sample", "The nightly sample"

    id = IdField()
    scope = models.CharField(max_length=10, choices=Scope.choices)
    reason = models.TextField(blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    numbers = models.JSONField(default=list, help_text="The invoices of a sample, in order; empty for all.")
    to_check = models.PositiveIntegerField()
    checked = models.PositiveIntegerField(default=0)
    differing = models.PositiveIntegerField(default=0)
    last_number = models.CharField(max_length=40, blank=True, help_text="The last invoice that was checked.")

    class Meta:
        app_label = "invoicing"
        constraints = [
            models.UniqueConstraint(
                fields=["scope"], condition=Q(finished_at__isnull=True), name="one_verification_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()}, {self.asked_at:%Y-%m-%d %H:%M}"


class VerificationFinding(models.Model):
    """An invoice that did not come out the same; cleared when it does again."""

    id = IdField()
    invoice = models.OneToOneField(
        "invoicing.Invoice", on_delete=models.PROTECT, related_name="verification_finding"
    )
    first_difference = models.TextField()
    differences = models.PositiveIntegerField()
    found_at = models.DateTimeField()
    last_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "invoicing"
        indexes = [
            models.Index(fields=["found_at"], condition=Q(cleared_at__isnull=True), name="finding_open")
        ]

    def __str__(self) -> str:
        return self.first_difference
