"""Answers about contracts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from callbill.domain.contracts._calendars import CalendarView, calendars_for, names_in, views
from callbill.domain.contracts._versions import (
    VersionStretch,
    contract_of,
    stretches,
    terms_of,
    terms_of_document,
    versions_of,
)
from callbill.domain.contracts.models import ContractVersion
from callbill.domain.customers.models import Company
from callbill.rules.period import Period

__all__ = [
    "CalendarView",
    "VersionStretch",
    "calendars_for",
    "calendars_of",
    "stretches_for",
    "terms_of",
    "terms_of_document",
    "versions_for",
    "versions_of_organization",
]


def versions_for(company_id: UUID) -> Sequence[ContractVersion]:
    """The versions that hold for a company: its own contract's, or its organization's."""
    contract = contract_of(Company.objects.select_related("organization").get(id=company_id))
    return versions_of(contract) if contract else []


def stretches_for(company_id: UUID, period: Period) -> list[VersionStretch]:
    """The versions that price a company's `period`, each with its days (M8)."""
    return stretches(list(versions_for(company_id)), period)


def versions_of_organization(organization_id: UUID) -> Sequence[ContractVersion]:
    """The versions of the organization's own contract; none if its companies have theirs only."""
    versions = ContractVersion.objects.filter(contract__organization_id=organization_id)
    return list(versions.order_by("effective_from"))


def calendars_of(company_id: UUID) -> tuple[CalendarView, ...]:
    """The holiday calendars that the company's contract versions name; callers check who may see them."""
    names = [name for version in versions_for(company_id) for name in names_in(terms_of(version))]
    found = views(names)
    return tuple(found[name] for name in dict.fromkeys(names) if name in found)
