"""Books and reconciliation in Chromium, with content: axe, small phones, the dark, the keyboard, paper."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect

from callbill.domain.payments.models import CollectionStop
from callbill.lib import clock
from stripe_sandbox.handle import Handle
from tests.domain.reconciliation.conftest import NIGHT, Counter
from tests.web.console.test_in_a_browser import page

__all__ = ["page"]


@pytest.fixture
def shop(sandbox: Handle, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Acme on a night with an incident, a note, and an invoice that is still owed."""
    monkeypatch.setattr(clock, "now", lambda: NIGHT)
    made = Counter(sandbox)
    made.paid()
    made.bill(10, month=2)
    made.charge_by_hand(1_234_50)
    made.charge_by_hand(20_00, customer=made.stranger())
    made.reconcile()
    return made


def test_every_page_of_the_books_is_for_everybody(page: Page, shop: Counter) -> None:
    stop = CollectionStop.objects.get()
    addresses = [
        reverse("console:books"),
        reverse("console:books") + "?as_of=2026-03-31",
        reverse("console:account", args=["stripe_clearing", "USD"]),
        reverse("console:ageing"),
        reverse("console:reconciliation"),
        reverse("console:lift_stop", args=[stop.id]),
    ]
    for address in addresses:
        page.set_viewport_size({"width": 320, "height": 800})
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], (address, scheme)
        page.emulate_media(color_scheme="light", media="print")
        assert page.get_by_role("heading", level=1).is_visible()
        assert not page.get_by_role("navigation").first.is_visible(), "no menu on paper"
        assert page.locator("form:visible").count() == 0, "nothing to press on paper"
        page.emulate_media(media="screen")


def test_a_stop_is_lifted_with_the_keyboard_alone(page: Page, shop: Counter) -> None:
    page.goto(reverse("console:reconciliation"))
    page.get_by_role("link", name="Lift the stop of Acme Dental").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Reason").focus()
    page.keyboard.type("It was our own test")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(
        "Lifted. What waited for it is charged within the hour"
    )
    page.get_by_role("link", name="Books", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Stripe clearing").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Stripe clearing")).to_be_visible()
