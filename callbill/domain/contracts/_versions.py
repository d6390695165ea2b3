"""Dated versions of a contract: which one holds, and what a new one must respect (M8, M31)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from callbill.domain.contracts._calendars import unknown_calendars
from callbill.domain.contracts.models import Contract, ContractVersion
from callbill.domain.customers.models import Company, Organization
from callbill.lib.transactions import in_transaction
from callbill.rules.document import read_terms, write_terms
from callbill.rules.period import Period, period_containing
from callbill.rules.problem import Problem
from callbill.rules.rating import unpriced
from callbill.rules.terms import Terms


class ContractRefused(Exception):
    """The version cannot be taken; every reason with its key."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@lru_cache(maxsize=4096)
def _terms_of_text(text: str) -> Terms:
    return read_terms(json.loads(text))


def terms_of_document(document: dict[str, Any]) -> Terms:
    """The terms of a stored document (read once per text; terms are frozen)."""
    return _terms_of_text(json.dumps(document, sort_keys=True))


def terms_of(version: ContractVersion) -> Terms:
    """The terms of a version."""
    return terms_of_document(version.document)


@dataclass(frozen=True, slots=True)
class VersionStretch:
    """The days of a period that one version prices."""

    version: ContractVersion
    terms: Terms
    period: Period  # the whole billing period
    span: Period  # the days of it under this version


def contract_of(company: Company) -> Contract | None:
    """The company's own contract, or the one of its organization."""
    own = Contract.objects.filter(company=company).first()
    if own is not None or company.organization_id is None:
        return own
    return Contract.objects.filter(organization_id=company.organization_id).first()


def versions_of(contract: Contract) -> list[ContractVersion]:
    """The versions by effective date."""
    return list(contract.versions.order_by("effective_from"))


def stretches(versions: list[ContractVersion], period: Period) -> list[VersionStretch]:
    """The versions that hold in `period`, each with its days; days before the first version have none."""
    found = []
    for index, version in enumerate(versions):
        ends = versions[index + 1].effective_from if index + 1 < len(versions) else None
        span = period.overlap(version.effective_from, ends)
        if span is not None:
            found.append(VersionStretch(version, terms_of(version), period, span))
    return found


@in_transaction
def add_version(
    *,
    holder: Company | Organization,
    terms: Terms,
    now: datetime,
    created_by: UUID | None = None,
    billed_until: date | None = None,
) -> tuple[ContractVersion, str]:
    """Save terms as a version of the holder's contract. Returns it and "added", "changed" or "unchanged".

    A version may begin inside a billing period, which is then priced in parts (M8). One with the same date
    that was not billed yet is replaced. `billed_until`: the first day under the contract that no invoice has
    billed; None if none was. Raises ContractRefused for terms that cannot be priced, for holiday calendars
    that nobody keeps, and for what `_objections` names.
    """
    if isinstance(holder, Company):
        contract, _ = Contract.objects.get_or_create(company=holder)
    else:
        contract, _ = Contract.objects.get_or_create(organization=holder)
    contract = Contract.objects.select_for_update().get(id=contract.id)
    versions = versions_of(contract)
    same_day = next((v for v in versions if v.effective_from == terms.effective_from), None)
    document = write_terms(terms)
    if same_day is not None and same_day.document == document:
        return same_day, "unchanged"
    problems = [
        *unpriced(terms),
        *unknown_calendars(terms),
        *_objections(holder, versions, same_day, terms, billed_until),
    ]
    if problems:
        raise ContractRefused(problems)
    fields = {
        "currency": terms.currency,
        "time_zone": terms.time_zone,
        "billing_day": terms.billing_day,
        "document": document,
    }
    if same_day is not None:
        ContractVersion.objects.filter(id=same_day.id).update(**fields)
        same_day.refresh_from_db()
        return same_day, "changed"
    version = ContractVersion.objects.create(
        contract=contract,
        effective_from=terms.effective_from,
        created_at=now,
        created_by_id=created_by,
        **fields,
    )
    return version, "added"


def _objections(
    holder: Company | Organization,
    versions: list[ContractVersion],
    same_day: ContractVersion | None,
    terms: Terms,
    billed_until: date | None,
) -> list[Problem]:
    """What speaks against the version beside its own text."""
    problems = []
    if isinstance(holder, Organization) and terms.payer != "organization":
        problems.append(
            Problem("payer", 'a contract of an organization is billed to it: write payer = "organization"')
        )
    if isinstance(holder, Company) and terms.payer == "organization" and holder.organization_id is None:
        problems.append(Problem("payer", f"{holder.name} belongs to no organization that could pay"))
    if same_day is not None and same_day.first_billed_at is not None:
        problems.append(
            Problem(
                "effective_from",
                f"the version of {same_day.effective_from} has been billed and is never edited; "
                "give the new terms a later date",
            )
        )
    others = [version for version in versions if version is not same_day]
    if others:
        problems += _against_neighbours(others, terms, billed_until)
    return problems


def _against_neighbours(
    others: list[ContractVersion], terms: Terms, billed_until: date | None
) -> list[Problem]:
    problems = []
    nearest = others[-1]
    if (nearest.time_zone, nearest.billing_day) != (terms.time_zone, terms.billing_day):
        problems.append(
            Problem(
                "time_zone" if nearest.time_zone != terms.time_zone else "billing_day",
                f"all versions of a contract share one cycle: {nearest.time_zone}, "
                f"billing day {nearest.billing_day}",
            )
        )
    billed = [version for version in others if version.first_billed_at is not None]
    if billed and terms.effective_from <= billed[-1].effective_from:
        problems.append(
            Problem(
                "effective_from",
                f"a version from {billed[-1].effective_from} has been billed; choose a later date",
            )
        )
    elif billed_until is not None and terms.effective_from < billed_until:
        problems.append(
            Problem(
                "effective_from",
                f"the days before {billed_until} have been billed; let it begin on that day or later",
            )
        )
    earlier = [version for version in others if version.effective_from < terms.effective_from]
    if earlier:
        problems += _against_the_one_before(terms_of(earlier[-1]), terms)
    return problems


def _against_the_one_before(before: Terms, terms: Terms) -> list[Problem]:
    """What may not change, or not inside a billing period (M1, M7, M31)."""
    problems = []
    period = period_containing(terms.effective_from, terms.billing_day, terms.time_zone)
    if period.first_day != terms.effective_from:
        for key, what, was, becomes in (
            ("currency", "the currency", before.currency, terms.currency),
            ("payer", "who pays", before.payer, terms.payer),
        ):
            if was != becomes:
                problems.append(
                    Problem(
                        key,
                        f"{what} changes from {was} to {becomes} only where a billing period begins; let the "
                        f"version begin on {period.first_day} or {period.end_day}",
                    )
                )
    if (before.billable.anchor, terms.billable.anchor) == ("ended_at", "started_at"):
        problems.append(
            Problem(
                "billable.anchor",
                "calls in progress when this version begins would be in no period: the version before takes "
                'calls that ended before it, this one calls that started under it; keep "ended_at"',
            )
        )
    return problems
