"""Tables around collection: its runs, its stops, money that came without a card, renewed consent."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing.models import Invoice
from callbill.lib.fields import CurrencyField, IdField, MinorField


class CollectionRun(models.Model):
    """One pass of charging what is due, with how far it is. A run that died is gone on with by the next."""

    id = IdField()
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    to_charge = models.PositiveIntegerField(default=0)
    charged = models.PositiveIntegerField(default=0, help_text="Invoices looked at, whatever came of it.")
    outcomes = models.JSONField(default=dict, help_text="Attempts by the state they ended in.")
    past_due = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list)
    stopped = models.BooleanField(default=False, help_text="A mistake of ours ended it early (M29).")
    unanswered = models.BooleanField(default=False, help_text="A Stripe that gave no answer ended it early.")
    broken_off_at = models.DateTimeField(null=True, help_text="When a later run found that it had died.")

    def __str__(self) -> str:
        return f"Collection run {self.started_at:%Y-%m-%d %H:%M}"


class CollectionStop(models.Model):
    """Nothing is charged for this payer until staff lift it: something at Stripe cannot be explained."""

    id = IdField()
    payer = models.ForeignKey(BillableEntity, on_delete=models.PROTECT, related_name="collection_stops")
    key = models.CharField(max_length=120, help_text="What it is about, so that it is stopped for it once.")
    reason = models.TextField()
    stopped_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["payer", "key"], name="stopped_once_for_a_thing")]
        indexes = [
            models.Index(fields=["payer"], condition=Q(lifted_at__isnull=True), name="collection_stopped")
        ]

    def __str__(self) -> str:
        return f"{self.payer}: {self.reason}"


class BankPayment(models.Model):
    """Money that came by bank transfer or cheque, as staff recorded it."""

    class Method(models.TextChoices):
        BANK_TRANSFER = "bank_transfer", "Bank transfer"
        CHEQUE = "cheque", "Cheque"

    id = IdField()
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="bank_payments")
    method = models.CharField(max_length=16, choices=Method.choices)
    amount_minor = MinorField()
    currency = CurrencyField()
    surplus_minor = MinorField(default=0, help_text="What was more than due: it is in the credit balance.")
    reference = models.CharField(max_length=60, help_text="The bank's, or the cheque's number.")
    received_on = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    returned_on = models.DateField(null=True, help_text="The bank's day, when it was taken back.")
    returned_at = models.DateTimeField(null=True)
    returned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    returned_because = models.TextField(blank=True, help_text="The customer reads it.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="bank_payment_of_something"),
            models.CheckConstraint(
                condition=Q(returned_on=None, returned_at=None, returned_by=None, returned_because="")
                | Q(returned_on__isnull=False, returned_at__isnull=False, returned_by__isnull=False)
                & ~Q(returned_because=""),
                name="bank_payment_returned_whole",
            ),
            models.CheckConstraint(
                condition=Q(surplus_minor__gte=0) & Q(surplus_minor__lte=F("amount_minor")),
                name="bank_surplus_was_paid",
            ),
            # A cheque that came back may be presented again: its number is free once it was taken back.
            models.UniqueConstraint(
                fields=["invoice", "reference"], condition=Q(returned_at=None), name="bank_payment_once"
            ),
        ]
        ordering = ["recorded_at"]

    def __str__(self) -> str:
        return f"{self.get_method_display()} {self.reference}"


class CardConsent(models.Model):
    """A new agreement for a saved card after its issuer replaced it: who, when, from where, to which text."""

    id = IdField()
    payment_method = models.ForeignKey(
        "payments.PaymentMethod", on_delete=models.PROTECT, related_name="consents"
    )
    mandate_version = models.CharField(max_length=20)
    mandate_text = models.TextField(
        blank=True, help_text="The words as they were shown, with the names of then."
    )
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField()
    ip_address = models.GenericIPAddressField(null=True)

    def __str__(self) -> str:
        return f"{self.payment_method} {self.mandate_version}"
