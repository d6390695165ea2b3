"""Every page in every state: accessible, light and dark, 320 px, keyboard, within its budget."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Request, expect

from callbill.domain.payments.models import PaymentMethod
from tests.browser.conftest import World, assert_accessible
from tests.domain.world import calls, company, organization, person

pytestmark = pytest.mark.django_db(transaction=True)

PORTAL = ("/company/", "/invoices/", "/usage/", "/notifications/", "/settings/", "/mailbox/")


def weigh(page: Page, address: str) -> tuple[int, int]:
    """Bytes and requests of a page opened with an empty cache."""
    page.goto("about:blank")
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    fetched: list[Request] = []

    def note(request: Request) -> None:
        fetched.append(request)

    page.on("requestfinished", note)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.remove_listener("requestfinished", note)
    return sum(request.sizes()["responseBodySize"] for request in fetched), len(fetched)


@pytest.mark.parametrize("address", PORTAL)
def test_portal_pages_of_a_new_customer(world: World, address: str) -> None:
    person("ana@acme.example", company=company(), administrator=True)
    page = world.sign_in("ana@acme.example")
    page.goto(address)
    expect(page.get_by_role("main")).to_be_visible()
    assert_accessible(page)


def test_portal_pages_of_an_organization_and_of_one_of_its_companies(world: World) -> None:
    harbor = organization()
    north, south = company("n", "Harbor North", of=harbor), company("s", "Harbor South", of=harbor)
    calls(north, 30)
    calls(south, 20)
    person("olga@harbor.example", organization=harbor, administrator=True)
    person("ned@north.example", company=north)
    world.at("2026-02-01T09:00")

    olga = world.sign_in("olga@harbor.example")
    for address in (*PORTAL, "/invoices/CIC-000001/"):
        olga.goto(address)
        assert_accessible(olga)
    expect(olga.get_by_role("main")).to_contain_text("Harbor South")

    ned = world.sign_in("ned@north.example")
    expect(ned.get_by_role("main")).to_contain_text("Cards are kept on Harbor Group")
    assert_accessible(ned)
    ned.goto("/invoices/CIC-000001/")
    expect(ned.get_by_role("main")).to_contain_text("Harbor North")
    assert "Harbor South" not in ned.content()
    assert_accessible(ned)


def test_console_pages(world: World) -> None:
    acme = company()
    calls(acme, 30)
    person("mia@cic.example", staff=True)
    world.at("2026-02-01T09:00")
    page = world.sign_in("mia@cic.example")
    for address in (
        "/console/",
        "/console/search/?q=acme",
        "/console/companies/acme/",
        "/console/invoices/CIC-000001/",
        "/console/runs/",
        "/console/imports/",
        "/console/audit/",
    ):
        page.goto(address)
        expect(page.get_by_role("main")).to_be_visible()
        assert_accessible(page)


def test_a_portal_page_is_light(world: World) -> None:
    acme = company()
    calls(acme, 30)
    person("ana@acme.example", company=acme, administrator=True)
    world.at("2026-02-01T09:00")
    page = world.sign_in("ana@acme.example")
    for address in (*PORTAL, "/invoices/CIC-000001/"):
        size, requests = weigh(page, address)
        # Nothing is compressed here; in production WhiteNoise sends the static files at about a third.
        assert 2 <= requests <= 8, f"{address}: {requests} requests"
        assert 1_000 < size <= 100_000, f"{address}: {size} bytes before compression"


def test_the_keyboard_reaches_the_content(world: World) -> None:
    person("ana@acme.example", company=company(), administrator=True)
    page = world.sign_in("ana@acme.example")
    page.goto("/company/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_card_form_closed_half_way_leaves_nothing_and_can_be_opened_again(world: World) -> None:
    person("ana@acme.example", company=company(), administrator=True)
    page = world.sign_in("ana@acme.example")
    page.goto("/company/")
    page.get_by_role("link", name="Add payment method").click()
    expect(page.get_by_role("button", name="Save card")).to_be_enabled()
    page.frame_locator('iframe[title="Secure card form"]').locator('[name="number"]').fill("4242")
    page.goto("/company/")
    expect(page.get_by_text("No payment method on file")).to_be_visible()
    assert PaymentMethod.objects.count() == 0
    page.get_by_role("link", name="Add payment method").click()
    expect(page.get_by_role("button", name="Save card")).to_be_enabled()
    world.fill_in_card(page, "4242424242424242")
    expect(page.get_by_role("heading", name="Card saved")).to_be_visible()


@pytest.mark.parametrize(
    ("number", "words"),
    [("4242424242424241", "number"), ("4000000000000002", "declined"), ("4000000000000069", "expired")],
)
def test_a_card_that_cannot_be_saved_says_why(world: World, number: str, words: str) -> None:
    person("ana@acme.example", company=company(), administrator=True)
    page = world.sign_in("ana@acme.example")
    page.get_by_role("link", name="Add payment method").click()
    expect(page.get_by_role("button", name="Save card")).to_be_enabled()
    world.fill_in_card(page, number)
    expect(page.get_by_role("alert").first).to_contain_text(words)
    assert PaymentMethod.objects.count() == 0
    world.complaints.clear()  # the browser itself notes the sandbox's answer 402
