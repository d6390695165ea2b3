"""The stand-in for Stripe.js in a real Chromium, on a page with a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import axe_playwright_python
import pytest
import stripe
from playwright.sync_api import FrameLocator, Page, expect

from stripe_sandbox.handle import Handle

from .shop import Shop

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
Saved = Callable[..., tuple[str, str]]


def fill(page: Page, number: str, expiry: str = "12 / 44", cvc: str = "123") -> FrameLocator:
    """Type a card into the form, as a person would."""
    frame = page.frame_locator("iframe[title='Secure card form']")
    frame.get_by_label("Card number").press_sequentially(number)
    frame.get_by_label("Expiry MM / YY").press_sequentially(expiry)
    frame.get_by_label("CVC").press_sequentially(cvc)
    return frame


def save(page: Page, shop: Shop, secret: str, number: str, **more: str) -> None:
    page.goto(f"{shop.url}/?secret={secret}")
    fill(page, number, **more)
    page.get_by_role("button", name="Save card").click()


def test_a_card_is_saved(
    page: Page, shop: Shop, setup: stripe.SetupIntent, client: stripe.StripeClient
) -> None:
    page.goto(f"{shop.url}/?secret={setup.client_secret}")
    expect(page.locator("#state")).to_have_text("ready")
    frame = fill(page, "4242424242424242", expiry="1244")
    expect(frame.locator("[name=number]")).to_have_value("4242 4242 4242 4242")
    expect(frame.locator("[name=expiry]")).to_have_value("12 / 44")
    expect(page.locator("#state")).to_have_text("complete")
    page.get_by_role("button", name="Save card").click()
    expect(page.locator("#result")).to_have_text("succeeded")
    saved = client.v1.payment_methods.list({"customer": setup.customer}).data
    assert [(card.card.last4, card.card.exp_month, card.card.exp_year) for card in saved] == [
        ("4242", 12, 2044)
    ]


def test_a_press_counts_though_a_mistake_appears_under_it(
    page: Page, shop: Shop, setup: stripe.SetupIntent
) -> None:
    """Leaving a field tells what is wrong with it, and the form grows: not while the button is pressed."""
    page.goto(f"{shop.url}/?secret={setup.client_secret}")
    frame = fill(page, "4242424242424242", cvc="1")
    page.get_by_role("button", name="Save card").hover()
    page.mouse.down()
    expect(frame.get_by_text("Your card's security code is incomplete.")).to_be_attached()
    page.wait_for_function("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    page.mouse.up()
    expect(page.locator("#result")).to_have_text("validation_error: Your card's security code is incomplete.")


@pytest.mark.parametrize(
    ("card", "message", "field"),
    [
        ({"number": "4242424242424241"}, "Your card number is invalid.", "number"),
        ({"number": "42424242"}, "Your card number is incomplete.", "number"),
        (
            {"number": "4242424242424242", "expiry": "12 / 20"},
            "Your card's expiration year is in the past.",
            "expiry",
        ),
        ({"number": "4242424242424242", "cvc": "1"}, "Your card's security code is incomplete.", "cvc"),
    ],
)
def test_mistakes_are_shown_beside_their_field_and_sent_nowhere(
    *,
    page: Page,
    shop: Shop,
    setup: stripe.SetupIntent,
    sandbox: Handle,
    card: dict[str, str],
    message: str,
    field: str,
) -> None:
    save(page, shop, setup.client_secret, **card)
    expect(page.locator("#result")).to_have_text(f"validation_error: {message}")
    frame = page.frame_locator("iframe[title='Secure card form']")
    expect(frame.locator(f"#{field}-error")).to_have_text(message)
    expect(frame.locator(f"[name={field}]")).to_have_attribute("aria-invalid", "true")
    assert not [entry for entry in sandbox.log() if entry["path"].endswith("/confirm")]


@pytest.mark.parametrize("typed", ["1244", "12/44", "12 / 44", "12/2044", "122044"])
def test_an_expiry_date_may_be_typed_in_any_way(
    page: Page, shop: Shop, setup: stripe.SetupIntent, typed: str
) -> None:
    page.goto(f"{shop.url}/?secret={setup.client_secret}")
    fill(page, "4242424242424242", expiry=typed)
    expect(page.locator("#state")).to_have_text("complete")
    expiry = page.frame_locator("iframe[title='Secure card form']").locator("[name=expiry]")
    expiry.press("End")
    for _ in range(6):
        expiry.press("Backspace")
    expect(expiry).to_have_value("")
    expiry.press_sequentially("3/45")
    expect(expiry).to_have_value("03 / 45")


def test_authentication_is_completed_in_a_modal(
    page: Page, shop: Shop, setup: stripe.SetupIntent, client: stripe.StripeClient
) -> None:
    save(page, shop, setup.client_secret, "4000002760003184")
    bank = page.frame_locator("iframe[title='Secure authentication']")
    bank.get_by_role("button", name="Complete authentication").click()
    expect(page.locator("#result")).to_have_text("succeeded")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert client.v1.setup_intents.retrieve(setup.id).status == "succeeded"


@pytest.mark.parametrize("way", ["button", "escape"])
def test_authentication_that_fails_leaves_the_form_usable(
    page: Page, shop: Shop, setup: stripe.SetupIntent, way: str
) -> None:
    save(page, shop, setup.client_secret, "4000002760003184")
    bank = page.frame_locator("iframe[title='Secure authentication']")
    expect(bank.get_by_role("button", name="Fail authentication")).to_be_visible()
    if way == "button":
        bank.get_by_role("button", name="Fail authentication").click()
    else:
        page.get_by_role("dialog").press("Escape")
    expect(page.locator("#result")).to_contain_text("setup_intent_authentication_failure")
    expect(page.locator("#result")).to_contain_text("requires_payment_method")
    page.frame_locator("iframe[title='Secure card form']").get_by_label("Card number").fill(
        "4242424242424242"
    )
    page.get_by_role("button", name="Save card").click()
    expect(page.locator("#result")).to_have_text("succeeded")


def test_a_refused_card_is_told_with_its_reason(page: Page, shop: Shop, setup: stripe.SetupIntent) -> None:
    save(page, shop, setup.client_secret, "4000000000009995")
    expect(page.locator("#result")).to_have_text(
        "card_error card_declined insufficient_funds: requires_payment_method"
    )


def test_a_payment_with_redirect_comes_back_to_the_shop(
    page: Page, shop: Shop, client: stripe.StripeClient
) -> None:
    intent = client.v1.payment_intents.create({"amount": 2500, "currency": "usd"})
    page.goto(f"{shop.url}/?secret={intent.client_secret}&redirect=always")
    fill(page, "378282246310005", cvc="1234")
    page.get_by_role("button", name="Save card").click()
    page.wait_for_url("**/back?*")
    assert f"payment_intent={intent.id}" in page.url
    assert "redirect_status=succeeded" in page.url
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_saved_card_is_confirmed_and_authenticated_without_a_form(
    page: Page, shop: Shop, sandbox: Handle, client: stripe.StripeClient, setup: stripe.SetupIntent
) -> None:
    customer = str(setup.customer)
    client.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_authenticationRequired"})
    sandbox.authenticate(setup.id, setup.client_secret)
    method = client.v1.setup_intents.retrieve(setup.id).payment_method
    intent = client.v1.payment_intents.create(
        {"amount": 2500, "currency": "usd", "customer": customer, "allowed_payment_method_types": ["card"]}
    )
    with pytest.raises(stripe.CardError):
        client.v1.payment_intents.confirm(intent.id, {"payment_method": method, "off_session": True})
    other = client.v1.setup_intents.create({"allowed_payment_method_types": ["card"]})
    page.goto(f"{shop.url}/?secret={other.client_secret}")
    page.evaluate(
        """([secret, method]) => {
            stripe.confirmPayment({ clientSecret: secret, redirect: "if_required",
                confirmParams: { payment_method: method, return_url: location.href } })
                .then(({ paymentIntent }) => say(`${paymentIntent.status} ${paymentIntent.customer}`));
        }""",
        [intent.client_secret, method],
    )
    bank = page.frame_locator("iframe[title='Secure authentication']")
    bank.get_by_role("button", name="Complete authentication").click()
    # A browser's key is told nothing about the customer.
    expect(page.locator("#result")).to_have_text("succeeded undefined")


@pytest.mark.parametrize(("button", "status"), [("Complete", "succeeded"), ("Fail", "failed")])
def test_a_bank_that_redirects_comes_back(
    *, page: Page, shop: Shop, client: stripe.StripeClient, button: str, status: str
) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 123456,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": f"{shop.url}/back",
        }
    )
    page.goto(intent.next_action.redirect_to_url.url)
    expect(page.get_by_text("pay 1,234.56 USD")).to_be_visible()
    page.get_by_role("button", name=f"{button} authentication").click()
    page.wait_for_url("**/back?*")
    assert f"redirect_status={status}" in page.url
    found = client.v1.payment_intents.retrieve(intent.id)
    assert found.status == ("succeeded" if status == "succeeded" else "requires_payment_method")


def test_a_lost_connection_is_told_and_the_form_can_be_sent_again(
    page: Page, shop: Shop, setup: stripe.SetupIntent, sandbox: Handle
) -> None:
    sandbox.fault("reset_before", path="/confirm$", times=100)  # Chromium tries again by itself
    save(page, shop, setup.client_secret, "4242424242424242")
    expect(page.locator("#result")).to_contain_text("api_connection_error")
    sandbox.clear_faults()
    page.get_by_role("button", name="Save card").click()
    expect(page.locator("#result")).to_have_text("succeeded")


def test_a_used_client_secret_is_refused(
    page: Page, shop: Shop, setup: stripe.SetupIntent, client: stripe.StripeClient
) -> None:
    client.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_visa"})
    page.goto(f"{shop.url}/?secret={setup.client_secret}")
    expect(page.locator("#result")).to_contain_text("loaderror: This client secret cannot be used again")


def test_wrong_keys_and_second_elements_throw(page: Page, shop: Shop, setup: stripe.SetupIntent) -> None:
    page.goto(f"{shop.url}/?secret={setup.client_secret}")
    throws = """(source) => { try { source(); return "nothing"; } catch (error) { return error.name; } }"""
    for source in (
        "() => Stripe('')",
        "() => Stripe('sk_test_x')",
        "() => Stripe('pk_live_x')",
        "() => elements.create('payment')",
        "() => stripe.elements({ clientSecret: 'seti_no' })",
        "() => stripe.elements({ clientSecret, paymentMethodTypes: ['card'] })",
        "() => stripe.elements({ clientSecret }).create('paymentRequestButton')",
        "() => stripe.elements({ clientSecret }).create('payment', { paymentMethodTypes: ['card'] })",
    ):
        assert page.evaluate(f"({throws})({source})") == "IntegrationError", source


@pytest.mark.parametrize("theme", ["stripe", "night"])
def test_form_and_bank_page_have_no_accessibility_faults(
    page: Page, shop: Shop, setup: stripe.SetupIntent, theme: str
) -> None:
    page.goto(f"{shop.url}/?secret={setup.client_secret}&theme={theme}")
    fill(page, "4242424242424241")
    page.get_by_role("button", name="Save card").click()
    expect(page.locator("#result")).to_contain_text("validation_error")
    assert axe_faults(page, "card-form") == []
    page.frame_locator("iframe[title='Secure card form']").get_by_label("Card number").fill(
        "4000002760003184"
    )
    page.get_by_role("button", name="Save card").click()
    bank = page.frame_locator("iframe[title='Secure authentication']")
    expect(bank.get_by_role("button", name="Fail authentication")).to_be_visible()
    assert axe_faults(page, "3ds") == []
    bank.get_by_role("button", name="Fail authentication").click()


def axe_faults(page: Page, part: str) -> list[str]:
    frame = next(frame for frame in page.frames if part in frame.url)
    frame.evaluate(AXE)
    return frame.evaluate(
        "async () => (await axe.run()).violations.map((one) => `${one.id}: ${one.nodes.map((n) => "
        "n.target)}`)"
    )
