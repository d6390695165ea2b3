"""Tables of credit: notes and their lines, proposals that wait for staff, outages."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from callbill.domain.customers.models import Company
from callbill.lib.fields import CurrencyField, IdField, MinorField


class CreditNote(models.Model):
    """A document that takes something off named lines of an issued invoice, with their tax (M4, M23).

    It first lowers what is owed (`lowered_due_minor`); the rest is balance (`to_balance_minor`).
    """

    id = IdField()
    number = models.CharField(max_length=40, unique=True)
    invoice = models.ForeignKey("invoicing.Invoice", on_delete=models.PROTECT, related_name="credit_notes")
    reason = models.TextField()
    currency = CurrencyField()
    subtotal_minor = MinorField()
    tax_minor = MinorField()
    total_minor = MinorField()
    lowered_due_minor = MinorField()
    to_balance_minor = MinorField()
    issued_at = models.DateTimeField()
    issue_date = models.DateField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    pdf = models.BinaryField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor"))
                & Q(total_minor=F("lowered_due_minor") + F("to_balance_minor")),
                name="credit_note_adds_up",
            )
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """What a credit note takes off one line, the tax from the stored shares (M4); the sign is the line's."""

    id = IdField()
    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey("invoicing.InvoiceLine", on_delete=models.PROTECT, related_name="credits")
    amount_minor = MinorField(help_text="Net of the line's discount shares.")
    tax_minor = MinorField()
    taxes = models.JSONField(default=list, help_text="The tax by rate: name, percent, minor units.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["credit_note", "line"], name="line_once_a_credit_note")
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.amount_minor}"


class CreditProposal(models.Model):
    """A credit that was computed and waits for staff: corrected calls (M21) or an outage (M22)."""

    class Cause(models.TextChoices):
        CORRECTED_CALLS = "corrected_calls", "Calls corrected after billing"
        OUTAGE = "outage", "Outage"

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"

    id = IdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    invoice = models.ForeignKey("invoicing.Invoice", null=True, on_delete=models.PROTECT, related_name="+")
    stretch = models.ForeignKey(
        "invoicing.Stretch",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The days it is about.",
    )
    cause = models.CharField(max_length=20, choices=Cause.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    title = models.CharField(max_length=200)
    explanation = models.TextField(help_text="The formula in plain words with its figures.")
    amount_minor = MinorField(help_text="What would be credited before tax; negative: charged.")
    tax_minor = MinorField(default=0)
    currency = CurrencyField()
    lines = models.JSONField(
        default=list, help_text="By charge: kind, charge, name, amount and tax in minor units."
    )
    calls = models.JSONField(default=list, help_text="The calls behind it: ids, what was, what is.")
    incident = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decision_reason = models.TextField(blank=True)
    credit_note = models.OneToOneField(
        CreditNote, null=True, on_delete=models.PROTECT, related_name="proposal"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stretch"],
                condition=Q(state="proposed", cause="corrected_calls"),
                name="one_open_correction_a_stretch",
            )
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state="proposed"), name="proposal_waiting")
        ]

    def __str__(self) -> str:
        return self.title


class Outage(models.Model):
    """Minutes in which a service was not there, as staff entered them; they add up over the month (M22)."""

    id = IdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    service = models.CharField(max_length=60, blank=True, help_text="Empty: every service.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    incident = models.CharField(max_length=60)
    outcome = models.TextField(help_text="The availability and the credit, or why there is none, in words.")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    proposal = models.OneToOneField(
        CreditProposal, null=True, on_delete=models.PROTECT, related_name="outage"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="outage_ends_after")
        ]
        indexes = [models.Index(fields=["company", "starts_at"], name="outage_company")]

    def __str__(self) -> str:
        return f"{self.incident}: {self.service or 'every service'}"
