"""Held and disputed: the list, the invoice's page, placing and lifting, for staff only."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page

from callbill.domain.disputes.models import Hold
from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations
from callbill.domain.payments.models import GatewayEvent
from callbill.domain.users.models import StaffAction, User
from tests.domain import world
from tests.domain.payments.shop import Shop

NOW = world.at("2026-02-10T15:00")
_events = itertools.count(1)


@pytest.fixture
def desk(shop: Shop) -> Client:
    """A browser of staff beside a shop that talks to the sandbox."""
    browser = Client()
    browser.force_login(User.objects.get(id=shop.staff.user_id))
    return browser


def paid(shop: Shop, month: int = 1) -> Invoice:
    shop.add_card(default=True)
    invoice = shop.bill(month=month)
    operations.collect_due(now=world.at(f"2026-{month + 1:02d}-10T15:00"))
    invoice.refresh_from_db()
    return invoice


def message(kind: str, reference: str) -> None:
    GatewayEvent.objects.create(
        event_id=f"evt_page_{next(_events)}", kind=kind, object_id=reference, received_at=NOW
    )
    operations.handle_events(now=NOW)


def disputed(shop: Shop, invoice: Invoice, outcome: str = "", **more: str) -> str:
    reference = str(shop.sandbox.dispute(str(shop.attempt(invoice).charge), **more)["id"])
    message("charge.dispute.created", reference)
    if outcome:
        shop.sandbox.close_dispute(reference, outcome)
        message("charge.dispute.closed", reference)
    return reference


def warned(shop: Shop, invoice: Invoice) -> None:
    warning = shop.sandbox.early_fraud_warning(str(shop.attempt(invoice).charge))
    message("radar.early_fraud_warning.created", str(warning["id"]))


def text(browser: Client, name: str, *args: object, status: int = 200) -> str:
    answer = browser.get(reverse(f"console:{name}", args=args))
    assert answer.status_code == status
    return re.sub(r"\s+", " ", answer.content.decode())


def plain(html: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", html).split())


def place(browser: Client, invoice: Invoice, **typed: str) -> str:
    """Fill the form in as it was given and read the page that follows."""
    address = reverse("console:hold", args=[invoice.number])
    cause = re.search(r'name="cause" value="([^"]+)"', browser.get(address).content.decode())
    assert cause
    form = {"cause": cause[1], "kind": "question", "amount": "", "reason": "They ask", **typed}
    return browser.post(address, form, follow=True).content.decode()


def test_a_hold_is_placed_shown_and_lifted(desk: Client, shop: Shop) -> None:
    invoice = shop.bill()
    page = place(desk, invoice, amount="35.00", reason="They ask about the calls of 12 January")
    assert "$35.00 is on hold. It is not charged until you lift the hold." in page
    assert "Question of the customer" in page
    assert "by sam" in page
    assert "They ask about the calls of 12 January" in text(desk, "disputes")
    assert "1 hold" in text(desk, "overview")
    hold = Hold.objects.get()
    page = text(desk, "lift_hold", hold.id)
    assert "What is due on the invoice and not held otherwise, up to $135.00, is charged" in page
    assert "Without a card nothing is charged; the invoice's page asks for one." in page
    answer = desk.post(
        reverse("console:lift_hold", args=[hold.id]), {"reason": "They were right"}, follow=True
    )
    page = answer.content.decode()
    assert "The hold is lifted. See below what happens next." in page
    assert "Lifted" in page
    assert [deed.action for deed in StaffAction.objects.order_by("at")] == ["place_hold", "lift_hold"]
    assert "Placed a hold" in page
    assert "It was lifted already" in text(desk, "lift_hold", hold.id)
    assert "hold" not in text(desk, "overview").partition("<main")[2].lower()


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("amount", "135.01", "$135.01 is more than the $135.00 of invoice"),
        ("amount", "0", "Hold an amount above zero"),
        ("amount", "-1", "Hold an amount above zero"),
        ("amount", "a lot", "not an amount in USD"),
        ("reason", " ", "Say why"),
        ("kind", "chargeback", "Choose what it is about"),
        ("cause", "x", "Enter a valid UUID"),
    ],
)
def test_what_cannot_be_held_comes_back_with_the_reason(
    desk: Client, shop: Shop, field: str, typed: str, words: str
) -> None:
    invoice = shop.bill()
    page = place(desk, invoice, **{field: typed})
    assert words in page
    assert Hold.objects.count() == StaffAction.objects.count() == 0


def test_a_second_click_holds_nothing_more(desk: Client, shop: Shop) -> None:
    invoice = shop.bill()
    cause = "0199f000-0000-7000-8000-000000000001"
    for _ in range(2):
        assert "is on hold" in place(desk, invoice, amount="100.00", cause=cause)
    assert Hold.objects.count() == StaffAction.objects.count() == 1


def test_a_disputed_charge_on_every_page(desk: Client, shop: Shop) -> None:
    invoice = paid(shop)
    reference = disputed(shop, invoice)
    page = text(desk, "disputes")
    assert f"{invoice.number}</a>" in page
    assert "the cardholder did not make the payment" in page
    assert f'href="{shop.sandbox.url}/disputes"' in page
    assert "1 hold, 1 of them for a disputed charge" in text(desk, "overview")
    page = text(desk, "invoice", invoice.number)
    assert "$135.00 disputed at the bank" in page
    assert "Answer at Stripe" in page
    assert "Place a hold" not in page, "nothing is due"
    hold = Hold.objects.get()
    assert "The bank has not decided yet" in text(desk, "lift_hold", hold.id)
    answer = desk.post(reverse("console:lift_hold", args=[hold.id]), {"reason": "-"}, follow=True)
    assert "Not lifted. The bank has not decided yet." in answer.content.decode()
    shop.sandbox.close_dispute(reference, "lost")
    message("charge.dispute.closed", reference)
    page = text(desk, "invoice", invoice.number)
    assert "Past due" in page
    assert "Taken back by the cardholder&#x27;s bank" in page or "Taken back by the cardholder's bank" in page
    page = text(desk, "disputes")
    assert "Lost" in page
    assert reverse("console:lift_hold", args=[hold.id]) in page


def test_a_bank_that_gives_no_reason(desk: Client, shop: Shop) -> None:
    invoice = paid(shop)
    disputed(shop, invoice, reason="general")
    assert "They gave no reason." in plain(text(desk, "invoice", invoice.number))
    page = plain(text(desk, "disputes"))
    assert "They gave no reason" in page
    assert "No reason given" in page


def test_the_credit_page_of_a_disputed_payment_says_that_the_card_gets_nothing(
    desk: Client, shop: Shop
) -> None:
    invoice = paid(shop)
    disputed(shop, invoice)
    form = {"everything": "on", "rest": "card", "reason": "They are right"}
    form |= {"confirmed": "yes", "note": "0199f000-0000-7000-8000-000000000002"}
    address = reverse("console:credit", args=[invoice.number])
    assert "A payment of this invoice is disputed" in desk.get(address).content.decode()
    answer = desk.post(address, form, follow=True)
    assert "cannot go to the card a second time" in answer.content.decode()


def test_a_warning_of_fraud(desk: Client, shop: Shop) -> None:
    invoice = paid(shop)
    warned(shop, invoice)
    page = text(desk, "disputes")
    assert "made with stolen card" in page
    assert reverse("console:credit", args=[invoice.number]) in page
    assert "1 hold, 1 of them for a warning of fraud" in text(desk, "overview")
    assert "On hold Besides the hold for what is named above. Nothing else." in plain(page)
    its_page = plain(text(desk, "invoice", invoice.number))
    assert "The payment that its bank warns of : Warning of fraud" in its_page
    assert "Credit the invoice and refund it to the card before that, or lift the hold" in its_page
    assert "All that is owed" not in its_page
    place(desk, shop.bill(month=2))
    assert "2 holds, 1 of them for a warning of fraud" in text(desk, "overview")
    assert "Besides the hold for what is named above. Invoice" in plain(text(desk, "disputes"))


def test_nobody_but_staff(desk: Client, shop: Shop) -> None:
    customer = Client()
    customer.force_login(User.objects.get(id=shop.admin.user_id))
    invoice = shop.bill()
    place(desk, invoice)
    for name, args in (
        ("disputes", []),
        ("hold", [invoice.number]),
        ("lift_hold", [Hold.objects.get().id]),
    ):
        address = reverse(f"console:{name}", args=args)
        assert customer.get(address).status_code == 404
        assert customer.post(address, {"reason": "-"}).status_code in (404, 405)
    assert Hold.objects.filter(lifted_at=None).count() == 1


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
    made.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    context.close()
    assert problems == []


def test_the_pages_are_accessible_fit_a_small_phone_and_need_no_mouse(
    page: Page, shop: Shop, desk: Client, tmp_path: Path
) -> None:
    lost = paid(shop)
    disputed(shop, lost, "lost")
    undecided = paid(shop, 2)
    disputed(shop, undecided)
    suspect = paid(shop, 3)
    warned(shop, suspect)
    owed = shop.bill(month=4)
    page.goto(reverse("console:hold", args=[owed.number]))
    page.get_by_label("Amount").focus()
    page.keyboard.type("35")
    page.keyboard.press("Tab")
    page.keyboard.type("They ask about a line")
    page.keyboard.press("Enter")
    assert "$35.00 is on hold" in page.get_by_role("status").inner_text()
    page.set_viewport_size({"width": 320, "height": 800})
    open_hold = Hold.objects.get(kind="question")
    addresses = [
        reverse("console:overview"),
        reverse("console:disputes"),
        *(reverse("console:invoice", args=[each.number]) for each in (lost, undecided, suspect, owed)),
        reverse("console:hold", args=[owed.number]),
        reverse("console:lift_hold", args=[open_hold.id]),
    ]
    for address in addresses:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
        if address == reverse("console:disputes"):
            assert page.get_by_text("Answer by").last.is_visible()
            assert page.get_by_role("link", name="Answer dispute").is_visible()
            wide = "[...document.querySelectorAll('.scroll')].filter(t => t.scrollWidth > t.clientWidth)"
            assert page.evaluate(f"{wide}.length") == 0, "nothing is beside the screen"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page).response["violations"]
            assert [(v["id"], v["nodes"][0]["html"]) for v in found] == [], (address, scheme)
