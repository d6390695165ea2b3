"""Both invoices of a balance that was brought forward, as staff and the customer see them."""

from __future__ import annotations

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from callbill.domain.invoicing.models import Invoice
from callbill.domain.invoicing.operations import run_billing
from tests.domain import world

CENTS = world.PER_CALL.replace('"1.35"', '"0.10"')


@pytest.mark.django_db
def test_both_say_where_it_went() -> None:
    acme = world.company(contract=world.terms(CENTS))
    staff, customer = Client(), Client()
    staff.force_login(world.person("sam@cic.example", staff=True))
    customer.force_login(world.person("ann@acme.example", company=acme, administrator=True))
    for month, calls in ((1, 3), (2, 100)):
        world.calls(acme, calls, on=date(2026, month, 15))
        run_billing(now=world.at(f"2026-{month + 1:02d}-01T09:00"))
    small, following = Invoice.objects.order_by("number").values_list("number", flat=True)
    for browser, place in ((staff, "console:invoice"), (customer, "portal:invoice")):
        first = browser.get(reverse(place, args=[small])).content.decode()
        assert f"$0.30 was carried forward to invoice {following}. There is nothing to do." in first
        assert f'Carried forward to <a href="{reverse(place, args=[following])}">{following}</a>' in first
        assert "-$0.30" in first
        second = browser.get(reverse(place, args=[following])).content.decode()
        assert f'Brought forward from {small}</th><td class="number">$0.30' in second
        assert 'Still to be paid</th><td class="number">$10.30' in second
    void = staff.get(reverse("console:void", args=[following])).content.decode()
    assert f"What it brought forward, $0.30 from {small}, goes back there" in void
    staff.post(reverse("console:void", args=[following]), {"reason": "Wrong rate"})
    assert Invoice.objects.get(number=small).carried_to == Invoice.objects.latest("number")
    gone = staff.get(reverse("console:invoice", args=[following])).content.decode()
    assert "Brought forward from earlier invoices" in gone
