"""What a page may ask of the stand-in for Stripe.js beside saving a card, in a real Chromium."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from playwright.sync_api import Page, expect

from stripe_sandbox.handle import Handle

from .shop import Shop
from .test_browser import fill

CARDS = {"allowed_payment_method_types": ["card"]}
# What a call came to: its answer, or the name of what it threw.
OUTCOME = "(call) => call.then((answer) => answer, (error) => ({ thrown: error.name }))"


@pytest.fixture
def opened(page: Page, shop: Shop, setup: stripe.SetupIntent) -> Page:
    """A page with a form to save a card."""
    page.goto(f"{shop.url}/?secret={setup.client_secret}")
    expect(page.locator("#state")).to_have_text("ready")
    return page


def outcome(page: Page, call: str, *given: Any) -> Any:
    """Await a call of Stripe.js; `a`, `b` are what is given."""
    return page.evaluate(f"([a, b]) => ({OUTCOME})({call})", [*given, None, None][:2])


def waiting(client: stripe.StripeClient, kind: str) -> Any:
    """An intent whose cardholder is to be asked."""
    given: Any = {"amount": 2500, "currency": "usd"} if kind == "payment_intents" else {}
    card = {"payment_method": "pm_card_authenticationRequired", "confirm": True}
    made = getattr(client.v1, kind).create({**given, **card, **CARDS})
    assert made.status == "requires_action"
    return made


@pytest.mark.parametrize("kind", ["payment_intents", "setup_intents"])
@pytest.mark.parametrize("button", ["Complete", "Fail"])
def test_the_next_action_is_handled_in_a_modal(
    opened: Page, client: stripe.StripeClient, kind: str, button: str
) -> None:
    made = waiting(client, kind)
    opened.evaluate(
        """(clientSecret) => {
            stripe.handleNextAction({ clientSecret }).then(({ error, paymentIntent, setupIntent }) => {
                const failed = error && (error.payment_intent || error.setup_intent);
                say(error ? `${error.code} ${failed.status}` : (paymentIntent || setupIntent).status);
            });
        }""",
        made.client_secret,
    )
    bank = opened.frame_locator("iframe[title='Secure authentication']")
    bank.get_by_role("button", name=f"{button} authentication").click()
    failure = f"{kind[:-1]}_authentication_failure requires_payment_method"
    expect(opened.locator("#result")).to_have_text("succeeded" if button == "Complete" else failure)


def test_the_next_action_of_an_intent_that_has_none_is_refused(
    opened: Page, client: stripe.StripeClient, on_console: list[str]
) -> None:
    on_console.append("status of 404")
    fresh = client.v1.payment_intents.create({"amount": 2500, "currency": "usd"})
    gone = client.v1.setup_intents.create({})
    client.v1.setup_intents.cancel(gone.id)
    done = client.v1.setup_intents.create({"payment_method": "pm_card_visa", "confirm": True, **CARDS})  # type: ignore[typeddict-item]
    for made in (fresh, gone, done):
        refused = outcome(opened, "stripe.handleNextAction({ clientSecret: a })", made.client_secret)
        assert refused == {"thrown": "IntegrationError"}
    unknown = outcome(opened, "stripe.handleNextAction({ clientSecret: a })", "pi_1_secret_1")
    assert unknown["error"]["code"] == "resource_missing"


def test_intents_are_read_by_their_secret(
    opened: Page, client: stripe.StripeClient, setup: stripe.SetupIntent, on_console: list[str]
) -> None:
    on_console.append("status of 400")
    payment = client.v1.payment_intents.create({"amount": 2500, "currency": "usd"})
    read = outcome(opened, "stripe.retrieveSetupIntent(a)", setup.client_secret)["setupIntent"]
    assert (read["id"], read["status"]) == (setup.id, "requires_payment_method")
    assert "customer" not in read
    read = outcome(opened, "stripe.retrievePaymentIntent(a)", payment.client_secret)["paymentIntent"]
    assert (read["id"], read["amount"]) == (payment.id, 2500)
    wrong = outcome(opened, "stripe.retrievePaymentIntent(a)", f"{payment.id}_secret_guessed")
    assert wrong["error"]["type"] == "invalid_request_error"
    for call, secret in (("Setup", payment.client_secret), ("Payment", setup.client_secret)):
        answer = outcome(opened, f"(async () => stripe.retrieve{call}Intent(a))()", secret)
        assert answer == {"thrown": "IntegrationError"}


def test_elements_are_updated_and_say_so(opened: Page, sandbox: Handle) -> None:
    opened.evaluate("elements.on('update-end', () => say('updated'))")
    assert outcome(opened, "elements.update({ locale: 'de' })") is None
    expect(opened.locator("#result")).to_have_text("updated")
    refused = outcome(opened, "elements.update({ clientSecret: 'pi_1_secret_1' })")
    assert refused == {"thrown": "IntegrationError"}
    assert outcome(opened, "elements.fetchUpdates()") == {}
    sandbox.fault("reset_before", path="/setup_intents/", times=100)
    assert "could not reach" in outcome(opened, "elements.fetchUpdates()")["error"]["message"]


def test_a_form_is_taken_away_and_put_back(opened: Page) -> None:
    form = opened.locator("iframe[title='Secure card form']")
    fill(opened, "4242424242424242")
    opened.evaluate("element.unmount()")
    expect(form).to_have_count(0)
    assert outcome(opened, "elements.submit()") == {"thrown": "IntegrationError"}
    opened.evaluate("element.mount('#card')")
    fill(opened, "4242424242424242")
    expect(opened.locator("#state")).to_have_text("complete")
    opened.evaluate("element.destroy()")
    expect(form).to_have_count(0)
    assert opened.evaluate("elements.getElement('payment')") is None
    again = outcome(opened, "(async () => element.mount('#card'))()")
    assert again == {"thrown": "IntegrationError"}
    opened.evaluate("elements.create('payment').mount('#card')")
    fill(opened, "4242424242424242")
    opened.get_by_role("button", name="Save card").click()
    expect(opened.locator("#result")).to_have_text("succeeded")


def test_who_listens_is_told_as_often_as_asked(opened: Page) -> None:
    opened.evaluate(
        """() => {
            window.told = { on: 0, once: 0, off: 0, dropped: 0 };
            const count = (name) => () => { window.told[name] += 1; };
            const [off, dropped] = [count("off"), count("dropped")];
            element.on("change", count("on")).once("change", count("once"));
            element.on("change", off).once("change", dropped);
            element.off("change", off).off("change", dropped);
        }"""
    )
    frame = fill(opened, "4242")
    expect(frame.locator("[name=cvc]")).to_have_value("123")
    told = opened.evaluate("window.told")
    assert (told["once"], told["off"], told["dropped"]) == (1, 0, 0)
    assert told["on"] > 4
    opened.evaluate("element.off('change')")
    frame.get_by_label("CVC").press("Backspace")
    expect(frame.locator("[name=cvc]")).to_have_value("12")
    assert opened.evaluate("window.told.on") == told["on"]
    refused = outcome(opened, "(async () => element.on('change', 'no function'))()")
    assert refused == {"thrown": "IntegrationError"}


def test_a_form_is_cleared_with_its_mistakes(opened: Page) -> None:
    frame = fill(opened, "4242424242424241")
    opened.get_by_role("button", name="Save card").click()
    expect(frame.locator("#number-error")).to_have_text("Your card number is invalid.")
    opened.evaluate(
        "element.on('change', ({ empty, complete }) => say(`empty ${empty} complete ${complete}`))"
    )
    opened.evaluate("element.clear()")
    expect(opened.locator("#result")).to_have_text("empty true complete false")
    for field in ("number", "expiry", "cvc"):
        expect(frame.locator(f"[name={field}]")).to_have_value("")
    expect(frame.locator("#number-error")).to_have_text("")


@pytest.mark.parametrize("way", ["form", "bank"])
def test_a_payment_its_bank_thinks_about_comes_back_as_pending(
    *, page: Page, shop: Shop, sandbox: Handle, client: stripe.StripeClient, way: str
) -> None:
    customer = client.v1.customers.create({"name": "Acme"}).id
    token = "pm_card_authenticationRequired" if way == "bank" else "pm_card_visa"
    card = client.v1.payment_methods.attach(token, {"customer": customer}).id
    made = client.v1.payment_intents.create({"amount": 2500, "currency": "usd", "customer": customer})
    slow = [{"outcome": "processing", "seconds": 60}]
    back = f"{shop.url}/back"
    if way == "bank":
        given: Any = {"payment_method": card, "return_url": back}
        asked = client.v1.payment_intents.confirm(made.id, given)
        sandbox.card(card, outcomes=slow)
        page.goto(asked.next_action.redirect_to_url.url)
        page.get_by_role("button", name="Complete authentication").click()
    else:
        sandbox.card(card, outcomes=slow)
        other = client.v1.setup_intents.create(CARDS)  # type: ignore[arg-type]
        page.goto(f"{shop.url}/?secret={other.client_secret}")
        page.evaluate(
            """([clientSecret, payment_method, return_url]) => {
                stripe.confirmPayment({ clientSecret, confirmParams: { payment_method, return_url } });
            }""",
            [made.client_secret, card, back],
        )
    page.wait_for_url("**/back?*")
    assert "redirect_status=pending" in page.url
    assert client.v1.payment_intents.retrieve(made.id).status == "processing"
