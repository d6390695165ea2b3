"""The lists staff look through."""

from __future__ import annotations

import pytest

from callbill.domain.invoicing.operations import fall_past_due, run_billing
from callbill.domain.invoicing.queries import invoices_for
from tests.domain.world import at, calls, company, organization, person, viewer
from tests.web.portal.conftest import browser, text_of

pytestmark = pytest.mark.django_db


def test_invoices_by_status_and_customers_by_name() -> None:
    acme, north = company(), company("n", "Harbor North", of=organization())
    calls(acme, 1)
    calls(north, 1)
    run_billing(now=at("2026-02-01T09:00"))
    first, second = invoices_for(viewer("v@cic.example", staff=True)).invoices
    fall_past_due(invoice_id=first.id, now=at("2026-02-20T09:00"))
    staff = browser(person("mia@cic.example", staff=True))

    every = text_of(staff.get("/console/invoices/"))
    assert first.number in every
    assert second.number in every
    past_due = text_of(staff.get("/console/invoices/?status=past_due"))
    assert first.number in past_due
    assert second.number not in past_due
    assert "No such invoice" in text_of(staff.get("/console/invoices/?status=void"))
    names = text_of(staff.get("/console/customers/"))
    assert all(name in names for name in ("Acme Dental", "Harbor North", "Harbor Group"))
