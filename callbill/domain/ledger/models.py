"""Tables of the ledger."""

from __future__ import annotations

from django.db import models

from callbill.domain.customers.models import BillableEntity
from callbill.lib.fields import CurrencyField, IdField, MinorField


class Account(models.TextChoices):
    """The accounts of the books. Debit is positive."""

    RECEIVABLE = "receivable", "Accounts receivable"
    CUSTOMER_BALANCE = "customer_balance", "Customer balance (credit held)"
    REVENUE = "revenue", "Revenue"
    TAX_PAYABLE = "tax_payable", "Tax payable"
    STRIPE_CLEARING = "stripe_clearing", "Stripe clearing"
    BAD_DEBT = "bad_debt", "Bad debt"
    REFUNDS_PAYABLE = "refunds_payable", "Refunds on their way"
    BANK = "bank", "Bank"
    STRIPE_FEES = "stripe_fees", "Stripe fees"
    CHARGEBACKS = "chargebacks", "Charges disputed at the bank"


class Entry(models.Model):
    """One fact that moved money, told once under its key."""

    id = IdField()
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(db_index=True)
    description = models.CharField(max_length=255)
    sides = models.PositiveSmallIntegerField(
        help_text="How many postings it has, for good; the database holds it to that."
    )

    def __str__(self) -> str:
        return self.key


class Posting(models.Model):
    """One side of an entry: a debit (positive) or a credit (negative)."""

    id = IdField()
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings")
    account = models.CharField(max_length=30, choices=Account.choices)
    payer = models.ForeignKey(
        BillableEntity,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Null where no one payer is behind it: payouts.",
    )
    amount_minor = MinorField()
    currency = CurrencyField()

    class Meta:
        indexes = [
            models.Index(fields=["payer", "account"], name="posting_payer_account"),
            models.Index(fields=["account", "currency"], name="posting_account_currency"),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(amount_minor=0), name="posting_moves_something")
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount_minor} {self.currency}"
