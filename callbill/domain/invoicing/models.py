"""Tables of invoicing."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from callbill.domain.contracts.models import ContractVersion
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.invoicing._verification_tables import VerificationFinding, VerificationRun  # noqa: F401
from callbill.lib.fields import CurrencyField, IdField, MinorField
from callbill.rules.lifecycle import InvoiceStatus


class NumberSeries(models.Model):
    """The counter behind gapless numbers: one locked row per series (M24)."""

    key = models.CharField(max_length=40, primary_key=True)
    next_number = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return self.key


class BillingRun(models.Model):
    """One pass over every payer: what was due, what was issued, what went wrong."""

    id = IdField()
    trigger = models.CharField(max_length=20)
    as_of = models.DateTimeField()
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    payers_looked_at = models.PositiveIntegerField(default=0)
    invoices_issued = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"Billing run {self.as_of:%Y-%m-%d %H:%M}"


class Invoice(models.Model):
    """What a payer owes for one period. Frozen at issue; only its being paid goes on."""

    id = IdField()
    number = models.CharField(max_length=40, unique=True, null=True)
    payer = models.ForeignKey(BillableEntity, on_delete=models.PROTECT, related_name="invoices")
    status = models.CharField(max_length=20, choices=[(s.value, s.value) for s in InvoiceStatus])
    currency = CurrencyField()
    first_day = models.DateField()
    end_day = models.DateField()
    time_zone = models.CharField(max_length=64)
    issued_at = models.DateTimeField(null=True)
    issue_date = models.DateField(null=True)
    due_date = models.DateField(null=True)
    subtotal_minor = MinorField(default=0)
    tax_minor = MinorField(default=0)
    total_minor = MinorField(default=0)
    balance_applied_minor = MinorField(default=0, help_text="Credit balance used at issue (M23).")
    paid_minor = MinorField(default=0)
    credited_minor = MinorField(default=0, help_text="What credit notes took off what was owed (M23).")
    payer_snapshot = models.JSONField(default=dict)
    seller_snapshot = models.JSONField(default=dict)
    run = models.ForeignKey(BillingRun, null=True, on_delete=models.PROTECT, related_name="invoices")
    paid_at = models.DateTimeField(null=True)
    past_due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True, help_text="When it was voided or written off.")
    replaces = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="replaced_by", help_text="A voided invoice."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payer", "first_day"],
                condition=~Q(status=InvoiceStatus.VOID.value),
                name="one_invoice_a_period",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")), name="invoice_adds_up"
            ),
            models.CheckConstraint(condition=Q(balance_applied_minor__gte=0), name="balance_not_negative"),
            models.CheckConstraint(condition=Q(paid_minor__gte=0), name="paid_not_negative"),
            models.CheckConstraint(condition=Q(credited_minor__gte=0), name="credited_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["due_date"],
                condition=Q(status__in=[InvoiceStatus.OPEN.value, InvoiceStatus.PAST_DUE.value]),
                name="invoice_owed",
            ),
            models.Index(fields=["payer", "-issue_date"], name="invoice_payer_date"),
        ]

    def __str__(self) -> str:
        return self.number or "draft"

    @property
    def due_minor(self) -> int:
        """What is still to be paid, in minor units; nothing for negative totals."""
        settled = self.balance_applied_minor + self.paid_minor + self.credited_minor
        return max(self.total_minor - settled, 0)


class InvoiceSection(models.Model):
    """One company's part of an invoice, with its own subtotal and tax (M31)."""

    id = IdField()
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="sections")
    position = models.PositiveSmallIntegerField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    company_name = models.CharField(max_length=200)
    subtotal_minor = MinorField()
    tax_minor = MinorField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "company"], name="one_section_a_company"),
        ]

    def __str__(self) -> str:
        return self.company_name

    @property
    def total_minor(self) -> int:
        """Subtotal and tax."""
        return self.subtotal_minor + self.tax_minor


class Stretch(models.Model):
    """The days of a section that one contract version prices, and the calls it settled.

    Its id is the settlement id on those calls; the count and the digest freeze the exact set (M19).
    """

    id = IdField()
    section = models.ForeignKey(InvoiceSection, on_delete=models.PROTECT, related_name="stretches")
    version = models.ForeignKey(ContractVersion, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, default="period", help_text='"period" or "late" (M20).')
    terms = models.JSONField(help_text="The version's document as it was at issue.")
    inputs = models.JSONField(
        default=dict, help_text="What else went into the price: advance parts, set-up fees, settlements."
    )
    first_day = models.DateField()
    end_day = models.DateField()
    received = models.PositiveIntegerField()
    billable = models.PositiveIntegerField()
    not_billable = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["first_day"]

    def __str__(self) -> str:
        return f"{self.section} {self.first_day} to {self.end_day}"


class InvoiceLine(models.Model):
    """One line: usage, fee, minimum, discount, adjustment or late calls, with its tax share (M4)."""

    id = IdField()
    section = models.ForeignKey(InvoiceSection, on_delete=models.PROTECT, related_name="lines")
    stretch = models.ForeignKey(Stretch, null=True, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=12)
    charge = models.CharField(max_length=60)
    name = models.CharField(max_length=200)
    quantity = models.DecimalField(max_digits=30, decimal_places=6)
    unit = models.CharField(max_length=12, blank=True)
    rate = models.DecimalField(max_digits=30, decimal_places=12, null=True)
    amount_minor = MinorField()
    discount_minor = MinorField(default=0)
    tax_minor = MinorField(default=0)
    first_day = models.DateField()
    end_day = models.DateField()
    derivation = models.JSONField(help_text="How the amount came about, as rules.rating wrote it.")
    calls = models.PositiveIntegerField(null=True, help_text="Usage: the number of billed calls behind it.")
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return self.name


class Adjustment(models.Model):
    """A credit or charge by staff that waits for the company's next invoice (M22)."""

    class Kind(models.TextChoices):
        OUTAGE_CREDIT = "outage_credit", "Outage credit"
        PROMOTION = "promotion", "Promotion"
        CORRECTION = "correction", "Manual correction"

    id = IdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=200)
    amount_minor = MinorField()
    currency = CurrencyField()
    reason = models.TextField()
    period = models.CharField(max_length=7, blank=True, help_text='The period it is about, e.g. "2026-03".')
    incident = models.CharField(max_length=60, blank=True)
    charge = models.CharField(
        max_length=60,
        null=True,
        blank=True,
        help_text="The charge it corrects and is taxed as; null: it is not taxed.",
    )
    proposal = models.ForeignKey(
        "CreditProposal", null=True, blank=True, on_delete=models.PROTECT, related_name="adjustments"
    )
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    line = models.OneToOneField(
        InvoiceLine, null=True, blank=True, on_delete=models.PROTECT, related_name="adjustment"
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(amount_minor=0), name="adjustment_not_zero")]
        indexes = [
            models.Index(fields=["company"], condition=Q(line__isnull=True), name="adjustment_waiting")
        ]

    def __str__(self) -> str:
        return self.name


class InvoiceDocument(models.Model):
    """The PDF of an invoice, kept as it was first given out."""

    id = IdField()
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="document")
    pdf = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"PDF of {self.invoice}"


class CreditNote(models.Model):
    """A document that takes something off named lines of an issued invoice, with their tax (M4, M23).

    It first lowers what is owed (`lowered_due_minor`); the rest is balance (`to_balance_minor`).
    """

    id = IdField()
    number = models.CharField(max_length=40, unique=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
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
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="credits")
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
    invoice = models.ForeignKey(Invoice, null=True, on_delete=models.PROTECT, related_name="+")
    stretch = models.ForeignKey(
        Stretch, null=True, on_delete=models.PROTECT, related_name="+", help_text="The days it is about."
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
