"""Tables of calls and of their imports."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from callbill.domain.customers.models import Company
from callbill.lib.fields import IdField


class CallImport(models.Model):
    """One run over one file: what came in and what became of it."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = IdField()
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    file_name = models.CharField(max_length=255)
    file_sha256 = models.CharField(max_length=64, blank=True)
    profile_name = models.CharField(max_length=255)
    profile = models.JSONField()
    rows = models.PositiveIntegerField(default=0)
    accepted = models.PositiveIntegerField(default=0)
    revised = models.PositiveIntegerField(default=0)
    repeated = models.PositiveIntegerField(default=0)
    corrected = models.PositiveIntegerField(default=0, help_text="Rows that correct a billed call (M21).")
    set_aside = models.PositiveIntegerField(default=0)
    set_aside_before = models.PositiveIntegerField(
        default=0, help_text="Of those set aside: how many an earlier import keeps already."
    )
    retry_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="retries"
    )
    problem = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.file_name} at {self.started_at:%Y-%m-%d %H:%M}"


class SetAsideRow(models.Model):
    """A row that could not be used: kept whole, with the reason, until it is retried."""

    id = IdField()
    call_import = models.ForeignKey(CallImport, on_delete=models.PROTECT, related_name="set_aside_rows")
    line = models.PositiveIntegerField()
    row = models.JSONField()
    fingerprint = models.CharField(
        max_length=64, default="", help_text="The same row of the same feed has the same one."
    )
    code = models.CharField(max_length=40)
    reason = models.TextField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by_import = models.ForeignKey(
        CallImport, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["call_import", "line"], name="row_set_aside_once"),
            models.UniqueConstraint(
                fields=["fingerprint"], condition=Q(resolved_at__isnull=True), name="row_kept_once_while_open"
            ),
        ]
        indexes = [
            models.Index(fields=["call_import"], condition=Q(resolved_at__isnull=True), name="set_aside_open")
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class Call(models.Model):
    """One handled contact: the only thing counted, rated and shown (M10)."""

    id = IdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=60)
    source_call_id = models.CharField(max_length=255)
    started_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    talk_ms = models.BigIntegerField()
    wrap_ms = models.BigIntegerField(null=True)
    hold_ms = models.BigIntegerField(null=True)
    queue_ms = models.BigIntegerField(null=True)
    direction = models.CharField(max_length=10)
    disposition = models.CharField(max_length=12)
    service = models.CharField(max_length=60, null=True)
    queue = models.CharField(max_length=60, null=True)
    number = models.CharField(max_length=20, null=True)
    from_number = models.CharField(max_length=20, null=True)
    to_number = models.CharField(max_length=20, null=True)
    flags = ArrayField(models.CharField(max_length=20), default=list)
    call_import = models.ForeignKey(
        CallImport, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    import_line = models.PositiveIntegerField(null=True)
    received_at = models.DateTimeField()
    source_updated_at = models.DateTimeField(null=True, help_text="Orders revisions, where the source tells.")
    revision = models.PositiveSmallIntegerField(default=1)
    settlement_id = models.UUIDField(null=True, help_text="The stretch of an invoice that settled this call.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "source", "source_call_id"], name="call_once"),
            models.CheckConstraint(condition=Q(ended_at__gte=models.F("started_at")), name="call_ends_after"),
            models.CheckConstraint(condition=Q(talk_ms__gte=0), name="call_talk_not_negative"),
        ]
        indexes = [
            models.Index(fields=["company", "started_at"], name="call_company_started"),
            models.Index(fields=["company", "ended_at"], name="call_company_ended"),
            models.Index(  # late calls are looked for in every old period and are few
                fields=["company", "started_at", "ended_at"],
                condition=Q(settlement_id__isnull=True),
                name="call_unsettled",
            ),
            models.Index(
                fields=["settlement_id", "started_at"],
                condition=Q(settlement_id__isnull=False),
                name="call_settlement",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.source_call_id}"


class CallCorrection(models.Model):
    """What became known of a call after an invoice had settled it: the call's own row stays as billed (M21).

    The corrections of a call apply in the order of their number, unless staff refused the credit.
    """

    class Kind(models.TextChoices):
        IMPORTED = "imported", "Sent again by the source with other content"
        FLAGGED = "flagged", "Flagged by staff"
        REMOVED = "removed", "Removed by staff"

    id = IdField()
    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="corrections", db_index=False)
    number = models.PositiveSmallIntegerField(help_text="1 for the first correction of the call.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    said = models.JSONField(default=dict, help_text="The content that the source sent, or the flag added.")
    before = models.JSONField(help_text="The call's content as it held until then.")
    after = models.JSONField(null=True, help_text="Its content from then on; null: the call is removed.")
    reason = models.TextField()
    call_import = models.ForeignKey(
        CallImport, null=True, on_delete=models.PROTECT, related_name="corrections"
    )
    import_line = models.PositiveIntegerField(null=True)
    source_updated_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    examined_at = models.DateTimeField(null=True, help_text="When invoicing found out what it changes.")
    proposal_id = models.UUIDField(null=True, db_index=True, help_text="The proposed credit it is part of.")
    refused_at = models.DateTimeField(null=True, help_text="Staff refused the credit: it does not apply.")

    class Meta:
        ordering = ["call", "number"]
        constraints = [models.UniqueConstraint(fields=["call", "number"], name="correction_in_order")]
        indexes = [
            models.Index(fields=["made_at"], condition=Q(examined_at__isnull=True), name="correction_waiting")
        ]

    def __str__(self) -> str:
        return f"correction {self.number} of {self.call}"
