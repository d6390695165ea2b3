"""Taking a bank payment back in Chromium: on a small phone, by keyboard, with nothing for axe to find."""

from __future__ import annotations

from datetime import date

from django.urls import reverse
from playwright.sync_api import Page

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations
from callbill.rules.money import Money
from tests.domain import world
from tests.domain.payments.shop import Shop
from tests.web.console.test_credits_in_a_browser import look_at
from tests.web.console.test_in_a_browser import as_customer, page

__all__ = ["page"]


def test_a_cheque_bounces(page: Page, shop: Shop) -> None:
    invoice = shop.bill()
    operations.record_bank_payment(
        invoice_id=invoice.id,
        method="cheque",
        amount=Money(150_00, "USD"),
        reference="cheque 77",
        received_on=date(2026, 2, 2),
        reason="Came in the mail",
        actor_id=shop.staff.user_id,
        now=world.at("2026-02-03T15:00"),
    )
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(reverse("console:invoice", args=[invoice.number]))
    page.get_by_role("link", name="Take back $150.00, Cheque, received 2 February 2026").click()
    assert page.get_by_role("heading", name=f"Take back $150.00 from invoice {invoice.number}").is_visible()
    look_at(page)
    page.get_by_label("Returned on").fill("2026-02-05")
    page.get_by_label("Reason").fill("The bank did not pay the cheque.")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Invoice {invoice.number}", exact=True).wait_for()
    assert "Taken back: $150.00" in page.get_by_role("status").first.inner_text()
    assert page.get_by_text("Returned 5 February 2026: The bank did not pay the cheque.").first.is_visible()
    look_at(page)
    assert Invoice.objects.get(id=invoice.id).due_minor == 135_00
    page.go_back()
    page.reload()
    assert page.get_by_role("heading", name="This cannot be done now").is_visible()
    look_at(page)

    as_customer(page, shop)
    page.goto(f"/invoices/{invoice.number}/")
    assert page.get_by_text("Returned 5 February 2026: The bank did not pay the cheque.").is_visible()
    assert page.get_by_role("link", name="CIC-R-000001").is_visible()
    look_at(page)
