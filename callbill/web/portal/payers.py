"""Who pays for the viewer's companies, as pages need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from callbill.domain.customers import queries
from callbill.domain.customers.queries import CompanyView, Viewer, administers
from callbill.domain.invoicing import queries as invoicing
from callbill.lib import clock


@dataclass(frozen=True, slots=True)
class PayerView:
    """A payer, the viewer's companies it pays for today, and whether its cards may be seen."""

    id: UUID
    name: str
    kind: str
    visible: bool
    administered: bool
    companies: list[CompanyView] = field(default_factory=list)

    @property
    def is_organization(self) -> bool:
        """True when an organization pays."""
        return self.kind == "organization"


def companies_of(viewer: Viewer) -> list[CompanyView]:
    """The viewer's companies with who pays for them today."""
    return queries.companies_for(viewer, day=clock.now().date())


def payers_of(viewer: Viewer, companies: list[CompanyView] | None = None) -> list[PayerView]:
    """The payers of the viewer's companies and those whose invoices the viewer may see, by name.

    A payer that pays for nothing today stays listed: it may still owe, and has contacts.
    """
    payers = {
        payer.id: PayerView(payer.id, payer.name, payer.kind, True, administers(viewer, payer))
        for payer in queries.visible_payers(viewer)
    }
    for company in companies if companies is not None else companies_of(viewer):
        if company.payer_id is None:
            continue
        payer = payers.setdefault(
            company.payer_id,
            PayerView(company.payer_id, company.payer_name, company.payer_kind, False, False),
        )
        payer.companies.append(company)
    return sorted(payers.values(), key=lambda payer: (payer.name, str(payer.id)))


def administered_payers(viewer: Viewer) -> frozenset[UUID]:
    """The payers whose billing the viewer handles."""
    return frozenset(payer.id for payer in queries.visible_payers(viewer) if administers(viewer, payer))


def zone_of(viewer: Viewer) -> str:
    """The time zone to show moments in that belong to no invoice: that of the first company's contract."""
    now = clock.now()
    for company in companies_of(viewer):
        period = invoicing.current_period_of(company.id, now=now)
        if period is not None:
            return period.zone
    return "UTC"
