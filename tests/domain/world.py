"""The shared cast: companies with contracts, calls, people, made through the real operations.

Acme pays for itself; Harbor Group pays for its companies.
"""

from __future__ import annotations

import itertools
import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from callbill.domain.contracts.operations import add_version
from callbill.domain.customers.models import (
    BillableEntity,
    BillingContact,
    Company,
    Membership,
    Organization,
    PayerAssignment,
)
from callbill.domain.customers.queries import Viewer, viewer_of
from callbill.domain.usage.models import Call
from callbill.domain.users.models import User
from callbill.rules.document import read_terms
from callbill.rules.terms import Terms

_serial = itertools.count(1)

PER_CALL = """
currency = "USD"
time_zone = "America/New_York"
effective_from = 2026-01-01
[[usage]]
id = "inbound"
name = "Inbound calls"
unit = "call"
rate = "1.35"
"""

LOADED_AT = datetime(2025, 12, 1, tzinfo=UTC)


def terms(text: str = PER_CALL, **changes: Any) -> Terms:
    """Terms from contract TOML, with top-level keys changed."""
    return read_terms({**tomllib.loads(text), **changes})


def organization(key: str = "harbor", name: str = "Harbor Group") -> Organization:
    """An organization without companies."""
    return Organization.objects.create(key=key, name=name)


def company(
    key: str = "acme",
    name: str = "Acme Dental",
    contract: Terms | None = None,
    of: Organization | None = None,
) -> Company:
    """A company with its contract (default: 1.35 a call), its payer and one billing contact."""
    agreed = contract or terms(payer="organization" if of else "company")
    made = Company.objects.create(key=key, name=name, organization=of)
    add_version(holder=made, terms=agreed, now=LOADED_AT)
    holder: dict[str, Any] = {"organization": of} if agreed.payer == "organization" else {"company": made}
    payer, fresh = BillableEntity.objects.get_or_create(
        **holder,
        defaults={"currency": agreed.currency, "legal_name": (of or made).name, "address": "1 Main Street"},
    )
    if fresh:
        BillingContact.objects.create(payer=payer, email=f"billing@{(of or made).key}.example")
    PayerAssignment.objects.create(company=made, payer=payer, from_date=agreed.effective_from)
    return made


def payer_of(made: Company) -> BillableEntity:
    """Who pays for the company."""
    return PayerAssignment.objects.filter(company=made).latest("from_date").payer


def calls(
    made: Company,
    count: int,
    *,
    on: date = date(2026, 1, 15),
    talk_seconds: int = 60,
    zone: str = "America/New_York",
    **fields: Any,
) -> list[Call]:
    """So many calls on a local day, a minute apart from nine in the morning."""
    start = datetime(on.year, on.month, on.day, 9, tzinfo=ZoneInfo(zone))
    return Call.objects.bulk_create(
        Call(
            **{
                "company": made,
                "source": "test",
                "source_call_id": f"c{next(_serial)}",
                "started_at": start + timedelta(minutes=index),
                "ended_at": start + timedelta(minutes=index, seconds=talk_seconds),
                "talk_ms": talk_seconds * 1000,
                "direction": "inbound",
                "disposition": "answered",
                "received_at": start + timedelta(hours=12),
                **fields,
            }
        )
        for index in range(count)
    )


def person(
    email: str,
    *,
    company: Company | None = None,
    organization: Organization | None = None,
    administrator: bool = False,
    staff: bool = False,
) -> User:
    """Somebody who signs in, with a role at a company or an organization."""
    name, _, _ = email.partition("@")
    user = User.objects.create_user(email, "correct horse battery", name=name, is_staff=staff)
    if company or organization:
        role = Membership.Role.BILLING_ADMINISTRATOR if administrator else Membership.Role.MEMBER
        Membership.objects.create(user=user, company=company, organization=organization, role=role)
    return user


def viewer(*args: Any, **kwargs: Any) -> Viewer:
    """The rights of a new person; see `person`."""
    return viewer_of(person(*args, **kwargs))


def at(text: str) -> datetime:
    """A UTC moment from ISO text."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
