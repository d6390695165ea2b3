"""Tables of customers and the people around them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from callbill.lib.fields import CurrencyField, IdField

_EXACTLY_ONE = Q(company__isnull=False, organization__isnull=True) | Q(
    company__isnull=True, organization__isnull=False
)


class Seller(models.Model):
    """The operator: whose name and address stand on invoices and mails."""

    id = IdField()
    key = models.SlugField(unique=True, default="default")
    name = models.CharField(max_length=100)
    legal_name = models.CharField(max_length=200)
    address = models.TextField(blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)
    tax_id = models.CharField(max_length=60, blank=True)
    number_prefix = models.CharField(max_length=10, default="CIC")
    statement_suffix = models.CharField(max_length=22, blank=True)
    retry_ladder_days = models.JSONField(default=list, help_text="Extra retries, days after a decline (M28).")
    pay_on_new_card = models.BooleanField(
        default=False, help_text="A new default card is charged at once for what is past due (M28)."
    )

    def __str__(self) -> str:
        return self.name


class Organization(models.Model):
    """Several companies under one parent."""

    id = IdField()
    key = models.SlugField(unique=True)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.name


class Company(models.Model):
    """A business whose calls are handled."""

    id = IdField()
    key = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="companies"
    )
    account_manager = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return self.name


class BillableEntity(models.Model):
    """Who is billed: exactly one of company or organization (the payer)."""

    id = IdField()
    company = models.OneToOneField(
        Company, null=True, blank=True, on_delete=models.PROTECT, related_name="billable_entity"
    )
    organization = models.OneToOneField(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="billable_entity"
    )
    currency = CurrencyField()
    legal_name = models.CharField(max_length=200)
    address = models.TextField(blank=True)
    tax_id = models.CharField(max_length=60, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166 alpha-2; whose tax id it is.")
    pay_on_new_card = models.BooleanField(null=True, help_text="Null: as the seller does it.")

    class Meta:
        constraints = [models.CheckConstraint(condition=_EXACTLY_ONE, name="payer_company_or_organization")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The company's or the organization's name."""
        holder = self.company or self.organization
        return holder.name if holder else ""

    @property
    def kind(self) -> str:
        """ "company" or "organization"."""
        return "company" if self.company_id else "organization"


class PayerAssignment(models.Model):
    """From `from_date` on (a period boundary), `payer` pays for `company` (M31)."""

    id = IdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="payer_assignments")
    payer = models.ForeignKey(BillableEntity, on_delete=models.PROTECT, related_name="assignments")
    from_date = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "from_date"], name="one_payer_a_day")]

    def __str__(self) -> str:
        return f"{self.payer} pays for {self.company} from {self.from_date}"


class TaxStatus(models.Model):
    """From `from_date` to `until_date` (its last day; null: on and on) the payer is not charged tax (M5)."""

    class Kind(models.TextChoices):
        EXEMPT = "exempt", "Exempt"
        REVERSE_CHARGE = "reverse_charge", "Reverse charge"

    id = IdField()
    payer = models.ForeignKey(BillableEntity, on_delete=models.PROTECT, related_name="tax_statuses")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    certificate = models.CharField(max_length=100, blank=True, help_text="The exemption's certificate.")
    reason = models.CharField(max_length=200, blank=True, help_text="Printed beside the zero tax.")
    from_date = models.DateField()
    until_date = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["from_date"]
        constraints = [
            models.UniqueConstraint(fields=["payer", "from_date"], name="one_tax_status_a_day"),
            models.CheckConstraint(
                condition=Q(until_date__isnull=True) | Q(until_date__gte=F("from_date")),
                name="tax_status_has_a_day",
            ),
            models.CheckConstraint(
                condition=Q(kind="reverse_charge") | (Q(kind="exempt") & ~Q(certificate="")),
                name="exempt_by_a_certificate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payer}: {self.get_kind_display()} from {self.from_date}"


class QuantityHistory(models.Model):
    """How much of something a company has from a day on, such as seats; fees take their quantity from it."""

    id = IdField()
    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="quantities")
    key = models.SlugField()
    from_date = models.DateField()
    value = models.DecimalField(max_digits=30, decimal_places=12)

    class Meta:
        ordering = ["key", "from_date"]
        constraints = [
            models.UniqueConstraint(fields=["company", "key", "from_date"], name="one_quantity_a_day"),
            models.CheckConstraint(condition=Q(value__gte=0), name="quantity_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.company}: {self.value} {self.key} from {self.from_date}"


class Membership(models.Model):
    """A person's role at a company or an organization."""

    class Role(models.TextChoices):
        BILLING_ADMINISTRATOR = "billing_administrator", "Billing administrator"
        MEMBER = "member", "Member"

    id = IdField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    company = models.ForeignKey(
        Company, null=True, blank=True, on_delete=models.CASCADE, related_name="memberships"
    )
    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=30, choices=Role.choices)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=_EXACTLY_ONE, name="member_of_company_or_organization"),
            models.UniqueConstraint(fields=["user", "company"], name="one_role_a_company"),
            models.UniqueConstraint(fields=["user", "organization"], name="one_role_an_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} of {self.company or self.organization}"


class BillingContact(models.Model):
    """An address that gets the payer's billing mails (Settings)."""

    id = IdField()
    payer = models.ForeignKey(BillableEntity, on_delete=models.CASCADE, related_name="billing_contacts")
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField()

    class Meta:
        constraints = [models.UniqueConstraint("payer", Lower("email"), name="contact_once_a_payer")]

    def __str__(self) -> str:
        return self.email
