"""Answers about customers, scoped by who asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Q

from callbill.domain.customers._dated import (
    QuantityRow,
    TaxStatusRow,
    quantity_histories,
    quantity_rows,
    tax_status_rows,
    tax_treatment,
)
from callbill.domain.customers._tax_ids import country_problem, tax_id_problem
from callbill.domain.customers._viewer import (
    NotAllowed,
    Viewer,
    administers,
    require_administrator,
    viewer_of,
    visible_payers,
)
from callbill.domain.customers.models import (
    BillableEntity,
    BillingContact,
    Company,
    Membership,
    Organization,
    PayerAssignment,
    Seller,
)

__all__ = [
    "CompanyView",
    "CustomerView",
    "NotAllowed",
    "NotFound",
    "PersonView",
    "QuantityRow",
    "TaxStatusRow",
    "Viewer",
    "administers",
    "billing_contacts",
    "companies_for",
    "company_for",
    "company_keys",
    "company_keys_of",
    "contact_addresses",
    "country_problem",
    "customer_company",
    "customer_organization",
    "payer_for",
    "payer_seen_by",
    "quantity_histories",
    "quantity_rows",
    "require_administrator",
    "search",
    "seller",
    "tax_id_problem",
    "tax_status_rows",
    "tax_treatment",
    "viewer_of",
    "visible_payers",
]


class NotFound(Exception):
    """There is no such thing, or not for this person."""


@dataclass(frozen=True, slots=True)
class CompanyView:
    """A company as its page shows it."""

    id: UUID
    key: str
    name: str
    organization_name: str
    payer_id: UUID | None
    payer_name: str
    payer_kind: str
    currency: str
    account_manager_name: str
    account_manager_email: str
    viewer_sees_payer: bool
    viewer_administers: bool


def seller() -> Seller:
    """The operator; "CIC" until `load-customers` says otherwise."""
    return Seller.objects.filter(key="default").first() or Seller(name="CIC", legal_name="CIC")


def payer_for(company_id: UUID, day: date) -> BillableEntity | None:
    """Who pays for the company on `day` (M31), or None before the first assignment."""
    assignment = (
        PayerAssignment.objects.filter(company_id=company_id, from_date__lte=day)
        .select_related("payer__company", "payer__organization")
        .order_by("-from_date")
        .first()
    )
    return assignment.payer if assignment else None


def payer_seen_by(viewer: Viewer, payer_id: UUID) -> BillableEntity:
    """The payer, if the viewer may see its cards and whole invoices. Raises NotFound."""
    payer = visible_payers(viewer).filter(id=payer_id).first()
    if payer is None:
        raise NotFound("There is no such billable entity.")
    return payer


def companies_for(viewer: Viewer, *, day: date) -> list[CompanyView]:
    """The viewer's companies by name, each with who pays for it on `day`. Staff have none of their own."""
    companies = (
        Company.objects.filter(id__in=viewer.company_ids)
        .select_related("organization", "account_manager")
        .order_by("name")
    )
    return [_company_view(viewer, company, day) for company in companies]


def company_for(viewer: Viewer, company_id: UUID, *, day: date) -> CompanyView:
    """One company the viewer may see (staff: any). Raises NotFound."""
    companies = Company.objects.select_related("organization", "account_manager")
    if not viewer.is_staff:
        companies = companies.filter(id__in=viewer.company_ids)
    company = companies.filter(id=company_id).first()
    if company is None:
        raise NotFound("There is no such company.")
    return _company_view(viewer, company, day)


def _company_view(viewer: Viewer, company: Company, day: date) -> CompanyView:
    payer = payer_for(company.id, day)
    manager = company.account_manager
    sees = payer is not None and (
        viewer.is_staff
        or payer.company_id in viewer.company_ids
        or payer.organization_id in viewer.organization_ids
    )
    return CompanyView(
        id=company.id,
        key=company.key,
        name=company.name,
        organization_name=company.organization.name if company.organization else "",
        payer_id=payer.id if payer else None,
        payer_name=payer.name if payer else "",
        payer_kind=payer.kind if payer else "",
        currency=payer.currency if payer else "",
        account_manager_name=manager.name or manager.email if manager else "",
        account_manager_email=manager.email if manager else "",
        viewer_sees_payer=sees,
        viewer_administers=payer is not None and administers(viewer, payer),
    )


def billing_contacts(viewer: Viewer, payer_id: UUID) -> Sequence[BillingContact]:
    """The payer's billing contacts. Raises NotFound for somebody else's payer."""
    return list(payer_seen_by(viewer, payer_id).billing_contacts.order_by("email"))


def contact_addresses(payer_id: UUID) -> list[str]:
    """Where the payer's billing mails go; unscoped, for the outbox."""
    return list(
        BillingContact.objects.filter(payer_id=payer_id).order_by("email").values_list("email", flat=True)
    )


def company_keys() -> dict[str, UUID]:
    """Every company's id by its key, for imports."""
    return dict(Company.objects.values_list("key", "id"))


def company_keys_of(company_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The keys of some companies by their ids; callers have checked who may see them."""
    return dict(Company.objects.filter(id__in=list(company_ids)).values_list("id", "key"))


def search(text: str, *, limit: int = 30) -> tuple[list[Company], list[Organization]]:
    """Companies and organizations whose name or key contains `text`; for staff."""
    wanted = Q(name__icontains=text) | Q(key__icontains=text)
    companies = Company.objects.select_related("organization").filter(wanted).order_by("name")[:limit]
    organizations = Organization.objects.filter(wanted).order_by("name")[:limit]
    return list(companies), list(organizations)


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody with a role at a company or an organization; `of` is its name."""

    name: str
    email: str
    role: str
    of: str


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A company or an organization as staff see it. `payers`: who pays for a company from which day on."""

    id: UUID
    kind: str
    key: str
    name: str
    payer: BillableEntity | None
    payers: tuple[tuple[date, BillableEntity], ...]
    organization: Organization | None
    companies: tuple[Company, ...]
    people: tuple[PersonView, ...]
    account_manager: str


def customer_company(viewer: Viewer, key: str, *, day: date) -> CustomerView:
    """A company by its key with who pays for it on `day`, for staff. Raises NotFound, also for others."""
    company = Company.objects.select_related("organization", "account_manager").filter(key=key).first()
    if company is None or not viewer.is_staff:
        raise NotFound("There is no such company.")
    assignments = (
        PayerAssignment.objects.filter(company=company)
        .select_related("payer__company", "payer__organization")
        .order_by("from_date")
    )
    payers = tuple((assignment.from_date, assignment.payer) for assignment in assignments)
    return CustomerView(
        id=company.id,
        kind="company",
        key=company.key,
        name=company.name,
        payer=next((payer for since, payer in reversed(payers) if since <= day), None),
        payers=payers,
        organization=company.organization,
        companies=(),
        people=_people(Q(company=company) | Q(organization__companies=company)),
        account_manager=str(company.account_manager or ""),
    )


def customer_organization(viewer: Viewer, key: str) -> CustomerView:
    """An organization by its key, for staff. Raises NotFound, also for others."""
    organization = Organization.objects.filter(key=key).first()
    if organization is None or not viewer.is_staff:
        raise NotFound("There is no such organization.")
    payers = BillableEntity.objects.select_related("company", "organization")
    return CustomerView(
        id=organization.id,
        kind="organization",
        key=organization.key,
        name=organization.name,
        payer=payers.filter(organization=organization).first(),
        payers=(),
        organization=None,
        companies=tuple(organization.companies.order_by("name")),
        people=_people(Q(organization=organization) | Q(company__organization=organization)),
        account_manager="",
    )


def _people(where: Q) -> tuple[PersonView, ...]:
    memberships = (
        Membership.objects.filter(where)
        .select_related("user", "company", "organization")
        .order_by("user__email", "id")
    )
    return tuple(
        PersonView(
            name=membership.user.name,
            email=membership.user.email,
            role=membership.get_role_display(),
            of=str(membership.company or membership.organization),
        )
        for membership in memberships
    )
