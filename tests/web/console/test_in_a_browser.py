"""The console in Chromium: nothing for axe to find, nothing wider than a small phone, no policy broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page

from callbill.domain.payments import operations
from callbill.domain.payments.models import CollectionRun
from callbill.domain.users.models import User
from tests.domain.payments.shop import DECLINES, ISSUED, Shop


@pytest.fixture
def page(shop: Shop, live_server: object, chrome: Browser) -> Iterator[Page]:
    """A browser in which staff are signed in; its console must stay free of errors."""
    client = Client()
    client.force_login(User.objects.get(id=shop.staff.user_id))
    context = chrome.new_context(base_url=str(live_server), reduced_motion="reduce")
    context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": str(live_server)}]
    )
    made = context.new_page()
    problems: list[str] = []
    made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    context.close()
    assert problems == []


def as_customer(page: Page, shop: Shop) -> None:
    """From here on the billing administrator is signed in. The page must be one of ours."""
    client = Client()
    client.force_login(User.objects.get(id=shop.admin.user_id))
    here = page.evaluate("location.origin")
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": here}])


def test_staff_find_an_invoice_and_retry_it(page: Page, shop: Shop) -> None:
    invoice = shop.bill()
    shop.add_card(DECLINES)
    page.goto(reverse("console:overview"))
    page.get_by_label("Find a company, organization or invoice by name or number").fill("acme")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Acme Dental").click()
    page.get_by_role("link", name=str(invoice.number)).click()
    page.get_by_label("Reason").fill("They said the card works again")
    page.get_by_role("button", name="Retry now").click()
    assert "Declined: $135.00" in page.get_by_role("status").inner_text()
    shop.add_card(default=True)
    page.get_by_label("Reason").fill("A new card is there")
    page.get_by_role("button", name="Retry now").click()
    assert "Paid: $135.00 from the Visa •••• 4242." in page.get_by_role("status").inner_text()
    page.get_by_role("link", name="Verify").click()
    assert page.get_by_role("heading", name="Recomputed to the cent").is_visible()
    assert page.get_by_role("button", name="Retry now").count() == 0


@pytest.mark.parametrize("width", [320, 560, 700, 900, 1000, 1100, 1280])
def test_nothing_of_a_list_is_beside_its_card(page: Page, shop: Shop, width: int) -> None:
    invoice = shop.bill()
    shop.add_card(DECLINES, default=True)
    operations.collect_due(now=ISSUED)
    shop.hold_some(invoice)
    started = invoice.issued_at
    CollectionRun.objects.create(
        started_at=started, to_charge=2500, charged=1250, outcomes={"succeeded": 1000}, unanswered=True
    )
    page.set_viewport_size({"width": width, "height": 800})
    # On a small phone invoices, whose numbers and amounts are not broken, are pushed aside in their region.
    for name in ("collections", "runs", *(("invoices",) if width > 320 else ())):
        page.goto(reverse(f"console:{name}"))
        tables = page.locator(".scroll")
        assert tables.count(), name
        for table in tables.all():
            assert table.evaluate("t => t.scrollWidth - t.clientWidth") == 0, name


def test_every_page_is_accessible_and_fits_a_small_phone(page: Page, shop: Shop) -> None:
    invoice = shop.bill()
    shop.add_card()
    run = CollectionRun.objects.create(started_at=invoice.issued_at, to_charge=2500, charged=1250)
    page.set_viewport_size({"width": 320, "height": 800})
    pages = ["overview", "customers", "invoices", "runs", "imports", "audit", "backtest", "verifications"]
    addresses = [reverse(f"console:{name}") for name in pages]
    addresses += [
        reverse("console:company", args=["acme"]),
        reverse("console:invoice", args=[invoice.number]),
        reverse("console:bank_payment", args=[invoice.number]),
        reverse("console:collections"),
        reverse("console:collection", args=[run.id]),
        reverse("console:search") + "?q=acme",
    ]
    for address in addresses:
        page.goto(address)
        for summary in page.locator("summary").all():
            if summary.is_visible():
                summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            assert [(v["id"], v["nodes"][0]["html"]) for v in found] == [], (address, scheme)
