"""Loading a customers file: all of it in one transaction, and twice is like once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from callbill.domain.contracts._loading_dated import (
    BilledUntil,
    billed_until_of,
    check_quantities,
    save_calendars,
    save_quantities,
    save_tax_statuses,
)
from callbill.domain.contracts._loading_file import CustomersFile, FileRefused, PartySpec
from callbill.domain.contracts._versions import (
    ContractRefused,
    add_version,
    contract_of,
    terms_of,
    versions_of,
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
from callbill.domain.ledger.models import Account
from callbill.domain.ledger.queries import balance
from callbill.domain.users.operations import ensure_user
from callbill.lib.transactions import in_transaction
from callbill.rules.problem import Problem
from callbill.rules.terms import Terms


@dataclass(slots=True)
class LoadReport:
    """What a load did: counts of added, changed and unchanged things by kind."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, kind: str, outcome: str) -> None:
        """Count one thing."""
        self.counts[(kind, outcome)] += 1

    @property
    def changes(self) -> int:
        """How many things were added or changed."""
        return sum(count for (_, outcome), count in self.counts.items() if outcome != "unchanged")


@in_transaction
def load_customers(*, file: CustomersFile, now: datetime, billed_until: BilledUntil) -> LoadReport:
    """Bring customers, people, contacts, contracts, calendars, quantities, taxes and payers to the file.

    `billed_until` tells the first day of a company that no invoice has billed (`invoicing.queries`): what
    priced the days before it stays. Nothing is removed that the file does not name, but a calendar that it
    names has the days that it names. Raises FileRefused, and then nothing is changed.
    """
    loader = _Loader(now, billed_until)
    loader.load(file)
    if loader.problems:
        raise FileRefused(loader.problems)
    return loader.report


class _Loader:
    """One load: remembers what it did and what it could not do."""

    def __init__(self, now: datetime, billed_until: BilledUntil) -> None:
        self.now = now
        self.billed_until = billed_until
        self.report = LoadReport()
        self.problems: list[Problem] = []

    def done(self, kind: str, outcome: str) -> None:
        """Count one thing."""
        self.report.note(kind, outcome)

    def problem(self, path: str, message: str) -> None:
        """Note what could not be done."""
        self.problems.append(Problem(path, message))

    def load(self, file: CustomersFile) -> None:
        """All of the file, in the order in which one thing needs another."""
        if file.seller:
            self._save(Seller, {"key": "default"}, _seller_fields(file.seller), "seller")
        staff = {}
        for person in file.staff:
            user, made = ensure_user(
                email=person.email, name=person.name, is_staff=True, password=person.password
            )
            staff[person.email] = user
            self.report.note("staff", "added" if made else "unchanged")
        save_calendars(file.calendars, self, self.billed_until)
        organizations = {}
        for index, party in enumerate(file.organizations):
            organization = self._save(Organization, {"key": party.key}, {"name": party.name}, "organization")
            organizations[party.key] = organization
            self._contract(f"organization[{index}]", organization, party)
            self._people(party, organization=organization)
        for index, party in enumerate(file.companies):
            path = f"company[{index}]"
            company = self._save(
                Company,
                {"key": party.key},
                {
                    "name": party.name,
                    "organization": organizations.get(party.organization),
                    "account_manager": staff.get(party.account_manager),
                },
                "company",
            )
            self._contract(path, company, party)
            self._people(party, company=company)
            self._payers(path, company, party, file)
            save_quantities(path, company, party.quantities, self, self.billed_until)
            contract = contract_of(company)
            held = [terms_of(version) for version in versions_of(contract)] if contract else []
            check_quantities(path, company, held, self)
            self._taxes(path, party, company=company)
        for index, party in enumerate(file.organizations):
            self._taxes(f"organization[{index}]", party, organization=organizations[party.key])

    def _taxes(self, path: str, party: PartySpec, **holder: Company | Organization) -> None:
        """The tax statuses of a party, which must be one that is billed."""
        if not party.tax_statuses:
            return
        payer = BillableEntity.objects.filter(**holder).first()
        if payer is not None:
            save_tax_statuses(path, payer, party.tax_statuses, self, self.billed_until)
        elif not self.problems:
            self.problem(
                f"{path}.tax_status", f"{party.name} is not billed itself; write it where the payer stands"
            )

    def _contract(self, path: str, holder: Company | Organization, party: PartySpec) -> None:
        if isinstance(holder, Company):
            under_it = [holder.id]
        else:
            without_own = holder.companies.filter(contract__isnull=True)
            under_it = list(without_own.values_list("id", flat=True))
        billed = billed_until_of(under_it, self.billed_until)
        for terms in party.versions:
            try:
                _, outcome = add_version(holder=holder, terms=terms, now=self.now, billed_until=billed)
            except ContractRefused as refused:
                self.problems += [Problem(f"{path}.contract.{p.path}", p.message) for p in refused.problems]
            else:
                self.report.note("contract version", outcome)

    def _payers(self, path: str, company: Company, party: PartySpec, file: CustomersFile) -> None:
        """Who pays from when, as the versions that hold for the company say (M31)."""
        contract = contract_of(company)
        if contract is None:
            return
        previous: BillableEntity | None = None
        versions = versions_of(contract)
        for version in versions:
            # The payer has the currency of the latest version; an older one does not bring its own back.
            terms = replace(terms_of(version), currency=versions[-1].currency)
            payer = self._payer(path, company, party, terms, file)
            if payer is not None and payer != previous:
                self._assign(company, payer, version.effective_from)
                previous = payer

    def _payer(
        self, path: str, company: Company, party: PartySpec, terms: Terms, file: CustomersFile
    ) -> BillableEntity | None:
        organization = company.organization
        if terms.payer == "organization" and organization is not None:
            holder: dict[str, Any] = {"organization": organization}
            spec = next(o for o in file.organizations if o.key == organization.key)
        else:
            holder, spec = {"company": company}, party
        payer = BillableEntity.objects.filter(**holder).first()
        if payer is not None and payer.currency != terms.currency and self._still_owed(path, payer, terms):
            return None
        saved: BillableEntity = self._save(
            BillableEntity,
            holder,
            {
                "currency": terms.currency,
                "legal_name": spec.legal_name,
                "address": spec.address,
                "tax_id": spec.tax_id,
                "country": spec.country,
            },
            "billable entity",
        )
        for address in spec.contacts:
            if not BillingContact.objects.filter(payer=saved, email__iexact=address).exists():
                BillingContact.objects.create(payer=saved, email=address)
                self.report.note("billing contact", "added")
        if not saved.billing_contacts.exists():
            self.problems.append(
                Problem(
                    f"{path}.contacts" if "company" in holder else f"organization {spec.key}.contacts",
                    f"{saved.name} has no billing contact, so nobody would hear of a failed payment; add one",
                )
            )
        self._one_cycle(path, saved, company, terms)
        return saved

    def _still_owed(self, path: str, payer: BillableEntity, terms: Terms) -> bool:
        """A payer has one currency (M1), so it changes only when nothing is open in the old one."""
        owed = balance(payer.id, Account.RECEIVABLE, payer.currency)
        held = balance(payer.id, Account.CUSTOMER_BALANCE, payer.currency)
        if owed.minor == 0 and held.minor == 0:
            return False
        what = f"has {owed} open on invoices" if owed.minor else f"holds a credit balance of {-held}"
        self.problems.append(
            Problem(
                f"{path}.contract.currency",
                f"{payer.name} is billed in {payer.currency} and {what}; settle that before the currency "
                f"becomes {terms.currency}",
            )
        )
        return True

    def _one_cycle(self, path: str, payer: BillableEntity, company: Company, terms: Terms) -> None:
        """One invoice needs one currency, zone and billing day over all companies of the payer (M1, M31)."""
        for other in {a.company_id: a.company for a in payer.assignments.select_related("company")}.values():
            contract = contract_of(other) if other.id != company.id else None
            versions = versions_of(contract) if contract else []
            if not versions:
                continue
            theirs = versions[-1]
            mine = (terms.currency, terms.time_zone, terms.billing_day)
            if (theirs.currency, theirs.time_zone, theirs.billing_day) != mine:
                self.problems.append(
                    Problem(
                        f"{path}.contract",
                        f"{payer.name} gets one invoice for all its companies, so they share currency, time "
                        f"zone and billing day; {other.name} has {theirs.currency}, {theirs.time_zone}, "
                        f"day {theirs.billing_day}",
                    )
                )
                return

    def _assign(self, company: Company, payer: BillableEntity, from_date: date) -> None:
        existing = PayerAssignment.objects.filter(company=company, from_date=from_date).first()
        if existing is None:
            PayerAssignment.objects.create(company=company, payer=payer, from_date=from_date)
            self.report.note("payer assignment", "added")
        elif existing.payer_id != payer.id:
            existing.payer = payer
            existing.save(update_fields=["payer"])
            self.report.note("payer assignment", "changed")

    def _people(
        self, party: PartySpec, *, company: Company | None = None, organization: Organization | None = None
    ) -> None:
        for person in party.people:
            user, made = ensure_user(
                email=person.email, name=person.name, is_staff=False, password=person.password
            )
            self.report.note("person", "added" if made else "unchanged")
            self._save(
                Membership,
                {"user": user, "company": company, "organization": organization},
                {"role": person.role},
                "membership",
            )

    def _save(self, model: Any, key: dict[str, Any], fields: dict[str, Any], kind: str) -> Any:
        """Find by key and bring the fields to what they should be, saving only a difference."""
        row = model.objects.filter(
            **{name: value for name, value in key.items() if value is not None}
        ).first()
        if row is None:
            self.report.note(kind, "added")
            return model.objects.create(**key, **fields)
        changed = [name for name, value in fields.items() if getattr(row, name) != value]
        if not changed:
            self.report.note(kind, "unchanged")
            return row
        for name in changed:
            setattr(row, name, fields[name])
        row.save(update_fields=changed)
        self.report.note(kind, "changed")
        return row


def _seller_fields(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "legal_name": given.get("legal_name") or given.get("name", "CIC")}
