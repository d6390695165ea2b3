"""Reading a customers file: the TOML that `load-customers` takes, with all its mistakes at once.

Contracts stand beside the customer: inline as a table, or as the name of a contract file next to it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callbill.domain.contracts._loading_facts import (
    CalendarSpec,
    QuantitySpec,
    TaxStatusSpec,
    calendars,
    quantities,
    tax_id_of,
    tax_statuses,
)
from callbill.domain.contracts._loading_tables import Tables
from callbill.rules.document import DocumentErrors, read_terms
from callbill.rules.dunning import ladder_problem
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms

ROLES = ("billing_administrator", "member")

_SELLER_KEYS = (
    "name",
    "legal_name",
    "address",
    "email",
    "phone",
    "tax_id",
    "number_prefix",
    "retry_ladder_days",
)
_STAFF_KEYS = ("email", "name", "password")
_PERSON_KEYS = ("email", "name", "password", "role")
_PARTY_KEYS = (
    "key",
    "name",
    "legal_name",
    "address",
    "tax_id",
    "country",
    "contacts",
    "people",
    "contract",
    "contracts",
    "tax_status",
)
_COMPANY_KEYS = (*_PARTY_KEYS, "organization", "account_manager", "quantity")


class FileRefused(Exception):
    """A customers file with mistakes: all of them, each with its place. Nothing was loaded."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(frozen=True, slots=True)
class PersonSpec:
    """Somebody who signs in; `role` is empty for staff."""

    email: str
    name: str
    password: str | None
    role: str = ""


@dataclass(frozen=True, slots=True)
class PartySpec:
    """A company or an organization with its people, contacts and contract versions."""

    key: str
    name: str
    legal_name: str
    address: str
    tax_id: str
    contacts: tuple[str, ...]
    people: tuple[PersonSpec, ...]
    versions: tuple[Terms, ...]
    organization: str = ""
    account_manager: str = ""
    country: str = ""
    tax_statuses: tuple[TaxStatusSpec, ...] = ()
    quantities: tuple[QuantitySpec, ...] = ()


@dataclass(slots=True)
class CustomersFile:
    """A whole file, checked."""

    seller: dict[str, Any] = field(default_factory=dict)
    staff: list[PersonSpec] = field(default_factory=list)
    organizations: list[PartySpec] = field(default_factory=list)
    companies: list[PartySpec] = field(default_factory=list)
    calendars: list[CalendarSpec] = field(default_factory=list)


def read_customers_file(path: Path) -> CustomersFile:
    """Read and check a file. Raises FileRefused with every mistake, each with the path of its key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileRefused([Problem(str(path), f"cannot be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileRefused([Problem(str(path), f"is not TOML: {error}")]) from None
    reader = _Reader(path.parent)
    result = reader.read(data)
    if reader.problems:
        raise FileRefused(reader.problems)
    return result


class _Reader(Tables):
    """Walks the file and collects what is wrong with it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def read(self, data: Mapping[str, Any]) -> CustomersFile:
        self.keys("", data, ("seller", "staff", "calendar", "organization", "company"))
        result = CustomersFile()
        result.seller = self._seller(data.get("seller", {}))
        for path, entry in self.tables("staff", data.get("staff", [])):
            self.keys(path, entry, _STAFF_KEYS)
            result.staff.append(self._person(path, entry))
        result.calendars = calendars(self, data.get("calendar", []))
        for path, entry in self.tables("organization", data.get("organization", [])):
            self.keys(path, entry, _PARTY_KEYS)
            result.organizations.append(self._party(path, entry))
        for path, entry in self.tables("company", data.get("company", [])):
            self.keys(path, entry, _COMPANY_KEYS)
            result.companies.append(self._party(path, entry))
        self._cross_check(result)
        return result

    def _cross_check(self, result: CustomersFile) -> None:
        organizations = {party.key for party in result.organizations}
        staff = {person.email for person in result.staff}
        for kind, parties in (("organization", result.organizations), ("company", result.companies)):
            keys = [party.key for party in parties]
            for key in sorted({key for key in keys if keys.count(key) > 1}):
                self.problem(kind, f"the key {key!r} is there twice; every {kind} has its own")
        for index, company in enumerate(result.companies):
            path = f"company[{index}]"
            if company.organization and company.organization not in organizations:
                self.problem(
                    f"{path}.organization",
                    f"there is no organization {company.organization!r} in this file; "
                    f"it has {', '.join(sorted(organizations)) or 'none'}",
                )
            if company.account_manager and company.account_manager not in staff:
                self.problem(
                    f"{path}.account_manager",
                    f"{company.account_manager} is not among the staff of this file",
                )
            with_contract = {party.key for party in result.organizations if party.versions}
            if not company.versions and company.organization not in with_contract:
                self.problem(path, "has no contract, and neither has its organization: add one")

    def _seller(self, entry: Any) -> dict[str, Any]:
        if not isinstance(entry, dict):
            self.problem("seller", "must be a table: write [seller]")
            return {}
        self.keys("seller", entry, _SELLER_KEYS)
        ladder = entry.get("retry_ladder_days", [])
        problem = ladder_problem(ladder) if isinstance(ladder, list) else "must be a list, such as [3, 5]"
        if problem:
            self.problem("seller.retry_ladder_days", problem)
        for key, value in entry.items():
            if key != "retry_ladder_days" and not isinstance(value, str):
                self.problem(f"seller.{key}", "must be text in quotes")
        return dict(entry)

    def _party(self, path: str, entry: Mapping[str, Any]) -> PartySpec:
        name = self.text(path, entry, "name", required=True)
        contacts = entry.get("contacts", [])
        if not isinstance(contacts, list) or not all(_is_address(contact) for contact in contacts):
            self.problem(f"{path}.contacts", "must be a list of e-mail addresses")
            contacts = []
        people = []
        for person_path, person in self.tables(f"{path}.people", entry.get("people", [])):
            self.keys(person_path, person, _PERSON_KEYS)
            people.append(self._person(person_path, person, with_role=True))
        tax_id, country = tax_id_of(self, path, entry)
        return PartySpec(
            key=self.key(path, entry),
            name=name,
            legal_name=self.text(path, entry, "legal_name") or name,
            address=self.text(path, entry, "address"),
            tax_id=tax_id,
            country=country,
            contacts=tuple(contact.strip().lower() for contact in contacts),
            people=tuple(people),
            versions=self._versions(path, entry),
            organization=self.text(path, entry, "organization"),
            account_manager=self.text(path, entry, "account_manager").lower(),
            tax_statuses=tax_statuses(self, path, entry.get("tax_status", []), tax_id=tax_id),
            quantities=quantities(self, path, entry.get("quantity", [])),
        )

    def _versions(self, path: str, entry: Mapping[str, Any]) -> tuple[Terms, ...]:
        given = [(f"{path}.contract", entry["contract"])] if "contract" in entry else []
        several = entry.get("contracts", [])
        if not isinstance(several, list):
            self.problem(f"{path}.contracts", "must be a list of contract files or tables")
            several = []
        given += [(f"{path}.contracts[{index}]", item) for index, item in enumerate(several)]
        found = [terms for item_path, item in given if (terms := self._contract(item_path, item)) is not None]
        dates = [terms.effective_from for terms in found]
        for day in sorted({day for day in dates if dates.count(day) > 1}):
            self.problem(path, f"two contract versions take effect on {day}; each needs its own date")
        return tuple(sorted(found, key=lambda terms: terms.effective_from))

    def _contract(self, path: str, item: Any) -> Terms | None:
        if isinstance(item, str):
            file = self.folder / item
            try:
                item = tomllib.loads(file.read_text(encoding="utf-8"))
            except OSError as error:
                self.problem(path, f"the contract file {item!r} cannot be read: {error.strerror}")
                return None
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                self.problem(path, f"the contract file {item!r} is not TOML: {error}")
                return None
        if not isinstance(item, dict):
            self.problem(path, "must be a contract table or the name of a contract file")
            return None
        try:
            return read_terms(item)
        except DocumentErrors as errors:
            for problem in errors.problems:
                self.problem(f"{path}.{problem.path}" if problem.path else path, problem.message)
            return None

    def _person(self, path: str, entry: Mapping[str, Any], *, with_role: bool = False) -> PersonSpec:
        email = self.text(path, entry, "email", required=True).lower()
        if email and not _is_address(email):
            self.problem(f"{path}.email", f"{email!r} is not an e-mail address")
        role = ""
        if with_role:
            role = self.text(path, entry, "role") or "member"
            if role not in ROLES:
                self.problem(f"{path}.role", f"{role!r} is not a role; write {' or '.join(ROLES)}")
        password = self.text(path, entry, "password")
        if password and len(password) < 10:
            self.problem(f"{path}.password", "must have at least 10 characters")
        return PersonSpec(email, self.text(path, entry, "name") or email, password or None, role)


def _is_address(value: Any) -> bool:
    return (
        isinstance(value, str) and value.count("@") == 1 and "." in value.split("@")[1] and " " not in value
    )
