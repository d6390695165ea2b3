"""The viewer, used by a person in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import requests
import stripe
from playwright.sync_api import Page, expect

from stripe_sandbox.handle import Handle

from .receiver import Receiver
from .test_browser import axe_faults

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]


def test_a_person_makes_a_card_fail_and_forgives_it(
    sandbox: Handle, page: Page, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    page.goto(f"{sandbox.url}/")
    expect(page.get_by_text("SANDBOX, no real money")).to_be_visible()
    page.get_by_role("link", name="Customers and cards").click()
    expect(page.get_by_role("heading", name="Acme Dental")).to_be_visible()
    page.get_by_role("button", name="Insufficient funds").click()
    expect(page.get_by_text("fails: insufficient_funds")).to_be_visible()
    with pytest.raises(stripe.CardError, match="insufficient funds"):
        charge(customer, method)
    page.get_by_role("link", name="Payments").click()
    expect(page.get_by_text("Your card has insufficient funds.")).to_be_visible()
    page.get_by_role("link", name="Customers and cards").click()
    page.get_by_role("button", name="Expired card").click()
    page.get_by_role("button", name="Let it succeed").click()
    assert charge(customer, method).status == "succeeded"


def test_a_person_delivers_an_event_again_and_moves_the_clock(
    sandbox: Handle, page: Page, client: stripe.StripeClient, receiver: Receiver
) -> None:
    client.v1.customers.create({"name": "<script>alert(1)</script>"})
    sandbox.wait_for_deliveries()
    page.goto(f"{sandbox.url}/events")
    expect(page.get_by_text("delivered", exact=True)).to_have_count(1)
    page.get_by_role("button", name="Deliver again").click()
    sandbox.wait_for_deliveries()
    assert len(receiver.received) == 2
    page.get_by_role("link", name="customer.created").click()
    expect(page.get_by_text("<script>alert(1)</script>")).to_be_visible()
    page.goto(f"{sandbox.url}/")
    page.get_by_role("button", name="30 days").click()
    assert sandbox.control("GET", "/clock")["offset"] == 30 * 86400


def test_events_that_were_lost_are_shown_and_made_good(
    sandbox: Handle, page: Page, client: stripe.StripeClient, receiver: Receiver
) -> None:
    sandbox.chaos("customer.created", drop=True)
    client.v1.customers.create({})
    page.goto(f"{sandbox.url}/events")
    expect(page.get_by_text("dropped", exact=True)).to_have_count(1)
    page.get_by_role("button", name="Deliver again").click()
    sandbox.wait_for_deliveries()
    page.reload()
    for words in ("made good", "delivered"):
        expect(page.get_by_text(words, exact=True)).to_have_count(1)
    assert len(receiver.received) == 1


def test_a_person_plays_the_bank(
    sandbox: Handle, page: Page, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    first, second = charge(customer, method), charge(customer, method, amount=7000)
    sandbox.advance(3 * 86400)
    page.goto(f"{sandbox.url}/charges")
    page.get_by_role("button", name="Dispute").last.click()
    page.get_by_role("button", name="Inquiry").first.click()
    page.get_by_role("button", name="Fraud warning").first.click()
    page.get_by_role("link", name="Disputes").click()
    expect(page.get_by_text("warning needs response")).to_be_visible()
    page.get_by_role("button", name="Escalate it").click()
    page.get_by_role("button", name="We win").first.click()
    page.get_by_role("button", name="We lose").click()
    statuses = {one.payment_intent: one.status for one in client.v1.disputes.list().data}
    assert statuses == {second.id: "won", first.id: "lost"}
    assert len(client.v1.radar.early_fraud_warnings.list().data) == 1
    page.get_by_role("link", name="Payouts").click()
    expect(page.get_by_text("50.92 USD")).to_be_visible()  # 48.25 and 67.67 less 50.00 and 15.00
    page.get_by_role("button", name="Pay out now").click()
    expect(page.get_by_text("pending", exact=True)).to_be_visible()
    assert [one.status for one in client.v1.payouts.list().data] == ["pending"]
    page.get_by_role("link", name="Customers and cards").click()
    page.get_by_role("button", name="New brand").click()
    expect(page.get_by_text("Mastercard ending 5353")).to_be_visible()
    page.get_by_role("button", name="Account closed").click()
    expect(page.get_by_text("account closed", exact=True)).to_be_visible()
    with pytest.raises(stripe.CardError):
        charge(customer, method)


def test_long_lists_have_older_pages(sandbox: Handle, page: Page, client: stripe.StripeClient) -> None:
    for number in range(30):
        client.v1.payment_intents.create({"amount": 1000 + number, "currency": "usd"})
    page.goto(f"{sandbox.url}/payments")
    expect(page.get_by_text("10.29 USD")).to_be_visible()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("10.00 USD")).to_be_visible()
    expect(page.get_by_role("link", name="Older")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("dark", 320), ("light", 1280)])
def test_the_pages_have_no_accessibility_faults(
    *, sandbox: Handle, page: Page, saved_card: Saved, charge: Charge, scheme: str, width: int
) -> None:
    customer, method = saved_card()
    paid = charge(customer, method)
    sandbox.decline_next(method)
    with pytest.raises(stripe.CardError):
        charge(customer, method)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 800})
    sandbox.advance(3 * 86400)
    sandbox.control("POST", "/disputes", {"charge": paid.latest_charge, "amount": 100})
    sandbox.control("POST", "/early_fraud_warnings", {"charge": paid.latest_charge})
    sandbox.control("POST", "/payouts/close", {})
    plain = ("", "customers", "payments", "charges", "disputes", "payouts", "events", "requests")
    for path in (*plain, f"objects/{paid.id}"):
        page.goto(f"{sandbox.url}/{path}")
        assert axe_faults(page, sandbox.url) == [], path
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, path


def test_what_is_not_there_is_said_so(sandbox: Handle) -> None:
    assert requests.get(f"{sandbox.url}/nowhere", timeout=5).status_code == 404
    assert requests.get(f"{sandbox.url}/objects/pi_no", timeout=5).status_code == 404
    assert requests.get(f"{sandbox.url}/endive/../server.py", timeout=5).status_code == 404
    for button, words in (
        ("dance", "no button dance"),
        ("bank", "sent no charge"),
        ("update", "sent no method"),
    ):
        answer = requests.post(f"{sandbox.url}/do/{button}", {}, timeout=5)
        assert (answer.status_code, words in answer.text) == (400, True)
    answer = requests.post(f"{sandbox.url}/do/decline", {"method": "pm_no", "decline_code": "x"}, timeout=5)
    assert answer.status_code == 400
    assert re.search("no payment method pm_no", answer.text)
    away = requests.post(
        f"{sandbox.url}/do/clock",
        {"advance": "1", "back": "//evil.example"},
        timeout=5,
        allow_redirects=False,
    )
    assert away.headers["location"] == "/"


def test_secrets_are_not_shown(sandbox: Handle, client: stripe.StripeClient) -> None:
    intent = client.v1.setup_intents.create({})
    assert intent.client_secret not in requests.get(f"{sandbox.url}/objects/{intent.id}", timeout=5).text
