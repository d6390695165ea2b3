"""Who is looking, and what that person may see."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from callbill.domain.customers.models import BillableEntity, Company, Membership
from callbill.domain.users.models import User


class NotAllowed(Exception):
    """The person may see this but not do that; the message says who may."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person's rights, read once per request."""

    user_id: UUID
    name: str
    email: str
    is_staff: bool
    company_ids: frozenset[UUID]
    organization_ids: frozenset[UUID]
    administers_company_ids: frozenset[UUID]
    administers_organization_ids: frozenset[UUID]


def viewer_of(user: User) -> Viewer:
    """The rights of a signed-in user. Members of an organization see all of its companies."""
    memberships = list(Membership.objects.filter(user=user))
    administrator = Membership.Role.BILLING_ADMINISTRATOR
    organizations = frozenset(m.organization_id for m in memberships if m.organization_id)
    companies = {m.company_id for m in memberships if m.company_id}
    companies.update(Company.objects.filter(organization_id__in=organizations).values_list("id", flat=True))
    return Viewer(
        user_id=user.id,
        name=user.name or user.email,
        email=user.email,
        is_staff=user.is_staff and user.is_active,
        company_ids=frozenset(companies),
        organization_ids=organizations,
        administers_company_ids=frozenset(
            m.company_id for m in memberships if m.company_id and m.role == administrator
        ),
        administers_organization_ids=frozenset(
            m.organization_id for m in memberships if m.organization_id and m.role == administrator
        ),
    )


def visible_payers(viewer: Viewer) -> QuerySet[BillableEntity]:
    """The payers whose whole invoices and cards the viewer may see."""
    payers = BillableEntity.objects.select_related("company", "organization")
    if viewer.is_staff:
        return payers
    return payers.filter(
        Q(company_id__in=viewer.company_ids) | Q(organization_id__in=viewer.organization_ids)
    )


def administers(viewer: Viewer, payer: BillableEntity) -> bool:
    """Whether the viewer is a billing administrator of this payer (M32)."""
    if payer.company_id:
        return payer.company_id in viewer.administers_company_ids
    return payer.organization_id in viewer.administers_organization_ids


def require_administrator(viewer: Viewer, payer: BillableEntity) -> None:
    """Raise NotAllowed unless the viewer handles this payer's billing."""
    if not administers(viewer, payer):
        raise NotAllowed(f"Only a billing administrator of {payer.name} can do this.")
