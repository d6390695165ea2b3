"""Tables of what a cardholder's bank says against a charge: chargebacks and warnings of fraud."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from callbill.lib.fields import CurrencyField, IdField, MinorField


class Chargeback(models.Model):
    """A charge that its cardholder disputes at the bank (Stripe: a dispute; docs.stripe.com/disputes).

    An inquiry only asks; with a chargeback the bank takes the money while the question is open.
    """

    class State(models.TextChoices):
        INQUIRY = "inquiry", "The bank asks"
        OPEN = "open", "Disputed"
        WON = "won", "Won"
        LOST = "lost", "Lost"
        INQUIRY_CLOSED = "inquiry_closed", "The bank asked; closed"

    id = IdField()
    reference = models.CharField(max_length=64, unique=True)
    attempt = models.ForeignKey(
        "payments.PaymentAttempt", on_delete=models.PROTECT, related_name="chargebacks"
    )
    state = models.CharField(max_length=16, choices=State.choices)
    reason = models.CharField(max_length=60, blank=True)
    amount_minor = MinorField()
    currency = CurrencyField()
    withdrawn_minor = MinorField(default=0, help_text="What the bank holds of the amount at this time.")
    lost_minor = MinorField(default=0, help_text="What the bank took for good: owed again.")
    surplus_minor = MinorField(
        default=0, help_text="What of that it gave back when nothing was owed any more: credit balance."
    )
    evidence_due_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="chargeback_of_something"),
            models.CheckConstraint(condition=Q(lost_minor__gte=0), name="chargeback_lost_not_negative"),
            models.CheckConstraint(
                condition=Q(surplus_minor__gte=0, surplus_minor__lte=F("lost_minor")),
                name="chargeback_surplus_of_what_was_lost",
            ),
        ]
        ordering = ["opened_at"]

    def __str__(self) -> str:
        return f"{self.reference} {self.state}"


class FraudWarning(models.Model):
    """The bank says that a charge may be fraud; a chargeback often follows (early fraud warning)."""

    id = IdField()
    reference = models.CharField(max_length=64, unique=True)
    attempt = models.ForeignKey(
        "payments.PaymentAttempt", on_delete=models.PROTECT, related_name="fraud_warnings"
    )
    kind = models.CharField(max_length=60, blank=True)
    warned_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.reference
