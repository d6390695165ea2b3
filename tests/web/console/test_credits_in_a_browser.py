"""Crediting and voiding in Chromium: by keyboard, on a small phone, with nothing for axe to find."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page

from callbill.domain.invoicing.models import CreditNote, Invoice
from tests.domain.payments.shop import Shop
from tests.web.console.test_in_a_browser import page

__all__ = ["page"]


def look_at(page: Page) -> None:
    """The page fits and axe finds nothing, in light and in dark."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in found] == [], (page.url, scheme)


def test_credit_a_line_and_then_void_the_invoice(page: Page, shop: Shop) -> None:
    invoice = shop.bill()
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(reverse("console:invoice", args=[invoice.number]))
    page.get_by_role("link", name="Credit lines…").click()
    look_at(page)
    page.get_by_label("Credit this much of Inbound calls").fill("35")
    page.get_by_label("Reason").fill("Twenty-six calls were tests")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Issue a credit note over $35.00?").wait_for()
    look_at(page)
    page.get_by_role("button", name="Issue the credit note").click()
    assert "$35.00 was taken off what was to be paid." in page.get_by_role("status").inner_text()
    look_at(page)
    assert CreditNote.objects.get().total_minor == 35_00

    page.get_by_role("link", name="Write off…").click()
    look_at(page)
    page.go_back()
    page.get_by_role("link", name="Void and bill again…").click()
    look_at(page)
    page.get_by_label("Reason").fill("The wrong company")
    page.get_by_role("button", name="Void and bill again").click()
    fresh = Invoice.objects.get(replaces=invoice)
    assert page.get_by_role("heading", name=f"Invoice {fresh.number}", exact=True).is_visible()
    look_at(page)
    page.goto(reverse("console:bank_payment", args=[invoice.number]))
    assert page.get_by_role("heading", name="This cannot be done now").is_visible()
    look_at(page)
