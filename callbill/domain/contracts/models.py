"""Tables of contracts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from callbill.domain.customers.models import Company, Organization
from callbill.lib.fields import CurrencyField, IdField


class Contract(models.Model):
    """An agreement with one company, or with an organization for every company it pays for."""

    id = IdField()
    company = models.OneToOneField(
        Company, null=True, blank=True, on_delete=models.PROTECT, related_name="contract"
    )
    organization = models.OneToOneField(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="contract"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(company__isnull=False, organization__isnull=True)
                | Q(company__isnull=True, organization__isnull=False),
                name="contract_of_company_or_organization",
            )
        ]

    def __str__(self) -> str:
        return f"Contract of {self.company or self.organization}"


class ContractVersion(models.Model):
    """The terms from `effective_from` until the next version's date."""

    id = IdField()
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="versions")
    effective_from = models.DateField()
    currency = CurrencyField()
    time_zone = models.CharField(max_length=64)
    billing_day = models.PositiveSmallIntegerField()
    document = models.JSONField(help_text="The contract file's image in JSON.")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    first_billed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contract", "effective_from"], name="one_version_a_day")
        ]
        ordering = ["effective_from"]

    def __str__(self) -> str:
        return f"{self.contract} from {self.effective_from}"


class HolidayCalendar(models.Model):
    """Named days that staff keep; a charge whose scope names the calendar does not hold on them (M14)."""

    id = IdField()
    key = models.SlugField(unique=True)
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Holiday(models.Model):
    """A day of a calendar, on the wall of the contract that names it."""

    id = IdField()
    calendar = models.ForeignKey(HolidayCalendar, on_delete=models.CASCADE, related_name="holidays")
    day = models.DateField()

    class Meta:
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["calendar", "day"], name="holiday_once_a_calendar")]

    def __str__(self) -> str:
        return f"{self.calendar}: {self.day}"
