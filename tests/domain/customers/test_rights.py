"""Who sees what: another tenant's things do not exist, a company's people see their section only."""

from __future__ import annotations

import pytest

from callbill.domain.customers.operations import (
    BadContact,
    NotAllowed,
    add_billing_contact,
    remove_billing_contact,
)
from callbill.domain.customers.queries import NotFound, billing_contacts, companies_for, company_for
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import invoice_for, invoices_for, totals_for
from tests.domain.world import PER_CALL, at, calls, company, organization, payer_of, terms, viewer

pytestmark = pytest.mark.django_db

NOW = at("2026-02-01T09:00")


@pytest.fixture
def world() -> dict[str, object]:
    """Acme alone; North and South of Harbor Group, which pays."""
    harbor = organization()
    acme = company("acme", "Acme")
    north, south = company("n", "North", of=harbor), company("s", "South", of=harbor)
    calls(acme, 1)
    calls(north, 2)
    calls(south, 4)
    run_billing(now=NOW)
    return {"harbor": harbor, "acme": acme, "north": north, "south": south}


def numbers(viewer_: object) -> dict[str, int]:
    return {i.payer_name: i.total.minor for i in invoices_for(viewer_).invoices}  # type: ignore[arg-type]


def test_each_sees_their_own(world: dict[str, object]) -> None:
    assert numbers(viewer("a@acme.example", company=world["acme"])) == {"Acme": 1_35}
    assert numbers(viewer("o@harbor.example", organization=world["harbor"])) == {"Harbor Group": 8_10}
    assert numbers(viewer("nobody@example.com")) == {}
    assert len(numbers(viewer("mia@cic.example", staff=True))) == 2


def test_a_companys_people_see_their_section_only(world: dict[str, object]) -> None:
    north = viewer("n@north.example", company=world["north"])
    assert numbers(north) == {"Harbor Group": 2_70}
    number = invoices_for(north).invoices[0].number
    detail = invoice_for(north, number)
    assert [section.company_name for section in detail.sections] == ["North"]
    assert detail.summary.partial
    assert detail.summary.total.minor == detail.subtotal.minor == 2_70
    assert totals_for(north).open[0].minor == 2_70
    assert "South" not in repr(detail)


def test_a_companys_arithmetic_does_not_tell_what_the_others_used() -> None:
    """Tax is found once on the whole invoice (M4); its step names that sum to those who may see it."""
    harbor = organization()
    taxed = terms(
        PER_CALL + '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "10"\n', payer="organization"
    )
    north, south = company("n", "North", taxed, of=harbor), company("s", "South", taxed, of=harbor)
    calls(north, 2)
    calls(south, 4)
    run_billing(now=NOW)
    whole = viewer("o@harbor.example", organization=harbor)
    number = invoices_for(whole).invoices[0].number
    assert "8.10" in repr(invoice_for(whole, number).sections)
    part = invoice_for(viewer("n@north.example", company=north), number)
    assert part.tax.text == "0.27"
    assert "8.1" not in repr(part)
    assert "5.4" not in repr(part)


def test_another_tenants_invoice_is_not_found(world: dict[str, object]) -> None:
    acme = viewer("a@acme.example", company=world["acme"])
    harbors = invoices_for(viewer("mia@cic.example", staff=True), search="").invoices
    theirs = next(i for i in harbors if i.payer_name == "Harbor Group")
    with pytest.raises(NotFound):
        invoice_for(acme, theirs.number)
    with pytest.raises(NotFound):
        company_for(acme, world["north"].id, day=NOW.date())  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        billing_contacts(acme, payer_of(world["north"]).id)  # type: ignore[arg-type]
    assert [c.name for c in companies_for(acme, day=NOW.date())] == ["Acme"]


def test_billing_contacts_are_changed_by_billing_administrators_only(world: dict[str, object]) -> None:
    payer = payer_of(world["acme"])  # type: ignore[arg-type]
    administrator = viewer("boss@acme.example", company=world["acme"], administrator=True)
    member = viewer("a@acme.example", company=world["acme"])
    stranger = viewer("x@example.com")

    made = add_billing_contact(viewer=administrator, payer_id=payer.id, email=" Books@Acme.example ")
    assert made.email == "books@acme.example"
    again = add_billing_contact(viewer=administrator, payer_id=payer.id, email="BOOKS@acme.example")
    assert again.id == made.id
    with pytest.raises(NotAllowed):
        add_billing_contact(viewer=member, payer_id=payer.id, email="x@acme.example")
    with pytest.raises(NotFound):
        add_billing_contact(viewer=stranger, payer_id=payer.id, email="x@acme.example")
    with pytest.raises(BadContact, match="not an e-mail address"):
        add_billing_contact(viewer=administrator, payer_id=payer.id, email="books")

    remove_billing_contact(viewer=administrator, payer_id=payer.id, contact_id=made.id)
    (last,) = billing_contacts(administrator, payer.id)
    with pytest.raises(BadContact, match="last billing contact"):
        remove_billing_contact(viewer=administrator, payer_id=payer.id, contact_id=last.id)


def test_an_organizations_administrator_handles_its_contacts_but_a_companys_does_not(
    world: dict[str, object],
) -> None:
    payer = payer_of(world["north"])  # type: ignore[arg-type]
    of_harbor = viewer("olga@harbor.example", organization=world["harbor"], administrator=True)
    of_north = viewer("n@north.example", company=world["north"], administrator=True)
    add_billing_contact(viewer=of_harbor, payer_id=payer.id, email="x@harbor.example")
    with pytest.raises(NotFound):
        add_billing_contact(viewer=of_north, payer_id=payer.id, email="y@north.example")
