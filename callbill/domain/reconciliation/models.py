"""Tables of reconciliation."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from callbill.domain.customers.models import BillableEntity
from callbill.lib.fields import CurrencyField, IdField, MinorField


class Payout(models.Model):
    """Money that Stripe sent to our bank, or took back when the bank refused it."""

    id = IdField()
    reference = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=20)
    amount_minor = MinorField()
    currency = CurrencyField()
    created_at = models.DateTimeField()
    arrives_at = models.DateTimeField(null=True)
    matched_at = models.DateTimeField(null=True, help_text="When its transactions added up to its amount.")

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.reference


class BalanceTransaction(models.Model):
    """One movement on our balance at Stripe, as Stripe tells it: amount, fee, net."""

    id = IdField()
    reference = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=40, help_text="Stripe's reporting category.")
    source = models.CharField(max_length=64, blank=True, help_text="The charge, refund, dispute or payout.")
    amount_minor = MinorField()
    fee_minor = MinorField()
    net_minor = MinorField()
    currency = CurrencyField()
    created_at = models.DateTimeField(db_index=True)
    payout = models.ForeignKey(Payout, null=True, on_delete=models.PROTECT, related_name="transactions")

    class Meta:
        indexes = [models.Index(fields=["source"], name="transaction_source")]

    def __str__(self) -> str:
        return self.reference


class ReconciliationRun(models.Model):
    """One three-way comparison: our attempts, our books, Stripe. One that died begins anew with the next."""

    id = IdField()
    trigger = models.CharField(max_length=20)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField(blank=True)
    step = models.CharField(max_length=40, blank=True, help_text="How far it is; empty: nobody began it yet.")
    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    since = models.DateTimeField(help_text="How far back Stripe was asked.")
    charges = models.PositiveIntegerField(default=0)
    refunds = models.PositiveIntegerField(default=0)
    transactions = models.PositiveIntegerField(default=0)
    chargebacks = models.PositiveIntegerField(default=0)
    payouts = models.PositiveIntegerField(default=0)
    caught_up = models.PositiveIntegerField(default=0, help_text="What was merely late and was applied.")
    differences = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True, help_text="Why it could not be ended.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trigger"],
                condition=Q(finished_at__isnull=True, trigger="staff"),
                name="one_asked_reconciliation",
            )
        ]

    def __str__(self) -> str:
        return f"Reconciliation {self.started_at:%Y-%m-%d %H:%M}"


class Difference(models.Model):
    """Something on which the three do not agree; it is gone when a run no longer finds it."""

    id = IdField()
    key = models.CharField(max_length=160, help_text="What differs about which object; found again, kept.")
    kind = models.CharField(max_length=40)
    payer = models.ForeignKey(BillableEntity, null=True, on_delete=models.PROTECT, related_name="+")
    what = models.TextField(help_text="What each side says, in words.")
    what_to_do = models.TextField()
    amount_minor = models.BigIntegerField(null=True)
    currency = CurrencyField(blank=True)
    invoice_number = models.CharField(max_length=40, blank=True)
    objects_at_stripe = models.JSONField(
        default=list,
        help_text="Ids to ask for again; empty: it is found without, or Stripe's lists are read.",
    )
    found_in = models.ForeignKey(ReconciliationRun, on_delete=models.PROTECT, related_name="found")
    found_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(gone_at__isnull=True), name="one_open_difference_a_thing"
            )
        ]

    def __str__(self) -> str:
        return self.key
