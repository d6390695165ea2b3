"""Tables of invoicing."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from callbill.domain.contracts.models import ContractVersion
from callbill.domain.customers.models import BillableEntity, Company
from callbill.domain.invoicing._credit_tables import CreditNote, CreditNoteLine, CreditProposal, Outage
from callbill.domain.invoicing._verification_tables import VerificationFinding, VerificationRun
from callbill.lib.fields import CurrencyField, IdField, MinorField
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import local_day

__all__ = [
    "DUE",
    "Adjustment",
    "BillingRun",
    "CreditNote",
    "CreditNoteLine",
    "CreditProposal",
    "Invoice",
    "InvoiceDocument",
    "InvoiceLine",
    "InvoiceSection",
    "NumberSeries",
    "Outage",
    "Stretch",
    "VerificationFinding",
    "VerificationRun",
]


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


# What is still to be paid, in SQL, of an invoice that is not void; `Invoice.due_minor` is the same for one
# that was read.
DUE = (
    F("total_minor")
    + F("brought_minor")
    + F("charged_back_minor")
    - F("balance_applied_minor")
    - F("paid_minor")
    - F("credited_minor")
    - F("carried_minor")
)


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
    brought_minor = MinorField(
        default=0, help_text="Brought forward at issue from earlier invoices that were too small for a card."
    )
    carried_minor = MinorField(default=0, help_text="Carried forward to a later invoice of the payer.")
    carried_to = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="brought_from", help_text="That invoice."
    )
    charged_back_minor = MinorField(
        default=0, help_text="Payments taken back by the cardholder's bank for good: owed again."
    )
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
            models.CheckConstraint(condition=Q(brought_minor__gte=0), name="brought_not_negative"),
            models.CheckConstraint(
                condition=Q(carried_minor__gte=0) & (Q(carried_minor=0) | Q(carried_to__isnull=False)),
                name="carried_somewhere",
            ),
            models.CheckConstraint(
                condition=Q(charged_back_minor__gte=0) & Q(charged_back_minor__lte=F("paid_minor")),
                name="charged_back_was_paid",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_date"],
                condition=Q(status__in=[InvoiceStatus.OPEN.value, InvoiceStatus.PAST_DUE.value]),
                name="invoice_owed",
            ),
            models.Index(fields=["payer", "-issue_date"], name="invoice_payer_date"),
            # Looked through every minute for what lacks a receipt.
            models.Index(
                fields=["number"],
                condition=Q(status=InvoiceStatus.PAID.value)
                & (Q(credited_minor__gt=0) | Q(carried_minor__gt=0)),
                name="invoice_settled_otherwise",
            ),
        ]

    def __str__(self) -> str:
        return self.number or "draft"

    @property
    def due_minor(self) -> int:
        """What is still to be paid, in minor units; nothing for negative totals and for what is void."""
        if self.status == InvoiceStatus.VOID.value:
            return 0  # a credit note answers it, and what it brought forward went back
        owed = self.total_minor + self.brought_minor + self.charged_back_minor
        settled = self.balance_applied_minor + self.paid_minor + self.credited_minor + self.carried_minor
        return max(owed - settled, 0)

    def due_day_is_over(self, now: datetime) -> bool:
        """Whether the day by which it is to be paid has gone by, on the payer's calendar (M27)."""
        return self.due_date is not None and local_day(now, self.time_zone) > self.due_date


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
