"""Tables of payments."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from callbill.domain.customers.models import BillableEntity
from callbill.domain.invoicing.models import CreditNote, Invoice
from callbill.domain.payments._chargeback_tables import Chargeback, FraudWarning
from callbill.domain.payments._collection_tables import (
    BankPayment,
    CardConsent,
    CollectionRun,
    CollectionStop,
)
from callbill.domain.payments._event_tables import EventCursor
from callbill.lib.fields import CurrencyField, IdField, MinorField

__all__ = [
    "LIVE_REFUNDS",
    "LIVE_STATES",
    "BankPayment",
    "CardConsent",
    "CardSetup",
    "Chargeback",
    "CollectionPlan",
    "CollectionRun",
    "CollectionStop",
    "EventCursor",
    "FraudWarning",
    "GatewayCustomer",
    "GatewayEvent",
    "PaymentAttempt",
    "PaymentIntent",
    "PaymentMethod",
    "Receipt",
    "Refund",
    "StaffAlert",
]


class GatewayCustomer(models.Model):
    """The payer as Stripe knows it."""

    id = IdField()
    payer = models.OneToOneField(BillableEntity, on_delete=models.PROTECT, related_name="gateway_customer")
    reference = models.CharField(max_length=64, unique=True, null=True)
    environment = models.CharField(max_length=40, blank=True, help_text="As its metadata says; frozen.")

    def __str__(self) -> str:
        return self.reference or str(self.id)


class CardSetup(models.Model):
    """Somebody opened the card form: Stripe's SetupIntent, and what was agreed to (mandate)."""

    id = IdField()
    payer = models.ForeignKey(BillableEntity, on_delete=models.PROTECT, related_name="+")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reference = models.CharField(max_length=64, unique=True, null=True)
    started_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    mandate_version = models.CharField(max_length=20)
    mandate_text = models.TextField(
        blank=True, help_text="The words as they were shown, with the names of then."
    )
    ip_address = models.GenericIPAddressField(null=True)

    def __str__(self) -> str:
        return self.reference or str(self.id)


class PaymentMethod(models.Model):
    """A saved card: brand, last four, expiry and Stripe's reference; never card data."""

    id = IdField()
    payer = models.ForeignKey(BillableEntity, on_delete=models.PROTECT, related_name="payment_methods")
    reference = models.CharField(max_length=64, unique=True)
    brand = models.CharField(max_length=30)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False)
    added_at = models.DateTimeField()
    setup = models.OneToOneField(
        CardSetup, null=True, on_delete=models.PROTECT, related_name="payment_method"
    )
    removed_at = models.DateTimeField(null=True)
    detached_at = models.DateTimeField(null=True, help_text="When the gateway had forgotten it, too.")
    needs_consent_since = models.DateTimeField(
        null=True, help_text="The issuer put another brand in its place: a new agreement is needed first."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payer"], condition=Q(is_default=True), name="one_default_card_a_payer"
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(removed_at__isnull=True), name="default_card_is_there"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}"


class PaymentIntent(models.Model):
    """What is to be collected for an invoice: one PaymentIntent at Stripe.

    Stripe lets each succeed once, so it forbids a second charge itself. What it is created with is frozen
    here, so that the call can be repeated under its key.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SUCCEEDED = "succeeded", "Succeeded"
        CANCELED = "canceled", "Canceled"

    id = IdField()
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payment_intents")
    amount_minor = MinorField()
    currency = CurrencyField()
    description = models.CharField(max_length=200, blank=True)
    statement_suffix = models.CharField(max_length=22, blank=True)
    environment = models.CharField(max_length=40, blank=True, help_text="As its metadata says; frozen.")
    generation = models.PositiveSmallIntegerField(default=1)
    reference = models.CharField(max_length=64, unique=True, null=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(state="open"), name="one_open_intent_an_invoice"
            ),
            models.UniqueConstraint(fields=["invoice", "generation"], name="intent_generations"),
        ]

    def __str__(self) -> str:
        return self.reference or str(self.id)


LIVE_STATES = ("prepared", "submitted", "processing", "action_required")


class PaymentAttempt(models.Model):
    """One try to charge one card for one invoice (M26; stripe.md 5.3)."""

    class State(models.TextChoices):
        PREPARED = "prepared", "Prepared"
        SUBMITTED = "submitted", "Submitted"
        PROCESSING = "processing", "Processing"
        ACTION_REQUIRED = "action_required", "Action required"
        SUCCEEDED = "succeeded", "Succeeded"
        DECLINED = "declined", "Declined"
        ERROR = "error", "Error of ours"
        CANCELED = "canceled", "Canceled"

    class Trigger(models.TextChoices):
        ISSUE = "issue", "At issue"
        CYCLE = "cycle", "Automatic retry"
        STAFF = "staff", "By staff"
        CUSTOMER = "customer", "By the customer"
        NEW_CARD = "new_card", "Automatic, for a new card"

    id = IdField()
    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, related_name="attempts")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payment_attempts")
    payment_method = models.ForeignKey(PaymentMethod, on_delete=models.PROTECT, related_name="attempts")
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.PREPARED)
    amount_minor = MinorField()
    currency = CurrencyField()
    previous_charge = models.CharField(max_length=64, blank=True)
    charge = models.CharField(max_length=64, unique=True, null=True)
    code = models.CharField(max_length=60, blank=True)
    decline_code = models.CharField(max_length=60, blank=True)
    advice_code = models.CharField(max_length=60, blank=True)
    network_decline_code = models.CharField(max_length=60, blank=True, help_text="For staff only.")
    problem = models.TextField(blank=True, help_text="Our own mistake, for staff (M29).")
    given_up_at = models.DateTimeField(null=True, help_text="When staff did; what is not over is canceled.")
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(state__in=LIVE_STATES), name="one_live_attempt_an_invoice"
            )
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=Q(state__in=LIVE_STATES), name="attempt_in_doubt")
        ]
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.invoice} {self.state}"


class CollectionPlan(models.Model):
    """When an invoice is tried next by itself, and how often that already happened (M28)."""

    id = IdField()
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="collection_plan")
    next_attempt_at = models.DateTimeField(null=True)
    automatic_attempts = models.PositiveSmallIntegerField(default=0)
    new_card = models.BooleanField(default=False, help_text="Planned because of a new default card.")
    stopped_because = models.CharField(max_length=40, blank=True)
    planned_because = models.CharField(max_length=40, blank=True, help_text="Why then: a `dunning.Why`.")

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="collection_due",
            )
        ]

    def __str__(self) -> str:
        return f"plan of {self.invoice}"


class Receipt(models.Model):
    """Proof of what settled an invoice, numbered then; its PDF is made on first asking and kept.

    One stands at a time. When a payment that it names is taken back it is kept as it was given out, with when
    and how much; what settles the invoice next has a receipt of its own.
    """

    id = IdField()
    number = models.CharField(max_length=40, unique=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="receipts")
    attempt = models.OneToOneField(
        PaymentAttempt, null=True, on_delete=models.PROTECT, related_name="receipt"
    )
    amount_minor = MinorField()
    currency = CurrencyField()
    paid_at = models.DateTimeField()
    taken_back_at = models.DateTimeField(null=True, help_text="When a payment it names was, last.")
    taken_back_minor = MinorField(default=0, help_text="How much of it, until the next receipt.")
    pdf = models.BinaryField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(taken_back_at=None), name="one_standing_receipt"
            ),
            models.CheckConstraint(
                condition=Q(taken_back_at=None, taken_back_minor=0)
                | Q(taken_back_at__isnull=False, taken_back_minor__gt=0),
                name="receipt_taken_back_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.number


LIVE_REFUNDS = ("prepared", "pending")


class Refund(models.Model):
    """Money of a credit note going back to the card that paid its invoice (M23)."""

    class State(models.TextChoices):
        PREPARED = "prepared", "Being made"
        PENDING = "pending", "On its way"
        SUCCEEDED = "succeeded", "Refunded"
        FAILED = "failed", "Not refunded"

    id = IdField()
    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, related_name="refunds")
    attempt = models.ForeignKey(PaymentAttempt, on_delete=models.PROTECT, related_name="refunds")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PREPARED)
    amount_minor = MinorField()
    currency = CurrencyField()
    reference = models.CharField(max_length=64, unique=True, null=True)
    environment = models.CharField(max_length=40, blank=True, help_text="As its metadata says; frozen.")
    problem = models.TextField(blank=True, help_text="For staff.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_of_something"),
            models.UniqueConstraint(
                fields=["credit_note"], condition=Q(state__in=LIVE_REFUNDS), name="one_live_refund_a_note"
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=Q(state__in=LIVE_REFUNDS), name="refund_in_doubt")
        ]
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.credit_note} {self.state}"


class GatewayEvent(models.Model):
    """A webhook that was received: stored once, applied later by re-fetching."""

    id = IdField()
    event_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=80)
    object_id = models.CharField(max_length=64)
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    try_after = models.DateTimeField(null=True, help_text="Not before; set while being handled too.")
    flagged_at = models.DateTimeField(null=True, help_text="Given up: staff must look.")
    problem = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["received_at"], condition=Q(handled_at__isnull=True), name="event_to_handle")
        ]

    def __str__(self) -> str:
        return self.event_id


class StaffAlert(models.Model):
    """Something only staff can mend: our own mistake, a key that is refused, an event nobody knows (M29)."""

    id = IdField()
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=40)
    message = models.TextField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)
    times = models.PositiveIntegerField(default=1)
    settled_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True, help_text="When staff were written to about it.")

    def __str__(self) -> str:
        return self.key
