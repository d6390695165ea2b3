"""The card form's page, coming back from it, and paying now: against the running sandbox."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from callbill.domain.invoicing.operations import fall_past_due
from callbill.domain.payments.models import CardSetup, PaymentMethod
from callbill.domain.users.models import User
from callbill.web.portal.views_cards import stripe_sources
from stripe_sandbox.handle import Handle
from tests.domain import world
from tests.domain.payments.shop import DECLINES, ISSUED, VISA, Shop
from tests.web.portal.conftest import browser, text_of
from tests.web.portal.test_every_page import policy


@pytest.fixture
def ann(shop: Shop, clock_stands: None) -> Client:
    """Acme's billing administrator, signed in."""
    return browser(User.objects.get(email="ann@acme.example"))


def open_form(ann: Client, shop: Shop) -> CardSetup:
    """Visit the page; the form it opened."""
    answer = ann.get(f"/company/payment-methods/add/?payer={shop.payer.id}")
    assert answer.status_code == 200
    return CardSetup.objects.latest("started_at", "id")


def come_back(ann: Client, shop: Shop, reference: str) -> Any:
    """Where the form's script goes when Stripe is done."""
    return ann.get(f"/company/payment-methods/added/?payer={shop.payer.id}&setup_intent={reference}")


def fill_in(shop: Shop, setup: CardSetup, token: str) -> str:
    """As the browser does it, at Stripe."""
    reference = str(setup.reference)
    shop.stripe.v1.setup_intents.confirm(reference, {"payment_method": token})
    return reference


def test_the_form_is_stripes_and_only_this_page_lets_stripe_in(ann: Client, shop: Shop) -> None:
    answer = ann.get(f"/company/payment-methods/add/?payer={shop.payer.id}")
    html, said = answer.content.decode(), policy(answer)
    origin = shop.sandbox.url
    for directive in ("script-src", "frame-src", "connect-src"):
        assert origin in said[directive].split(), directive
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    setup = CardSetup.objects.get()
    assert f'data-client-secret="{setup.reference}_secret_' in html
    assert f'data-publishable-key="{shop.sandbox.publishable_key}"' in html
    assert shop.sandbox.secret_key not in html
    assert "By saving this card you allow CIC to charge it" in html
    assert setup.ip_address == "127.0.0.1"
    assert not re.search(r"<input[^>]*(card|cvc|number)", html), "card data has no field of ours"
    assert origin not in ann.get("/company/").headers["Content-Security-Policy"]


def test_with_stripe_itself_only_stripes_hosts_are_let_in(settings: Any) -> None:
    settings.STRIPE_API_BASE = ""
    assert stripe_sources() == {
        "script-src": ["https://js.stripe.com", "https://*.js.stripe.com"],
        "frame-src": ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"],
        "connect-src": ["https://api.stripe.com"],
        "img-src": ["https://*.stripe.com"],
    }


def test_a_completed_form_saves_the_card_once(ann: Client, shop: Shop) -> None:
    reference = fill_in(shop, open_form(ann, shop), VISA)
    for _ in range(2):
        said = text_of(come_back(ann, shop, reference))
        assert "Card saved Visa •••• 4242 is on file for Acme Dental. It will be charged" in said
    assert PaymentMethod.objects.count() == 1


def test_a_form_closed_half_way_saves_nothing(ann: Client, shop: Shop) -> None:
    setup = open_form(ann, shop)
    said = text_of(come_back(ann, shop, str(setup.reference)))
    assert "Card not saved The card form was not completed, so no card was saved." in said
    assert not PaymentMethod.objects.exists()
    assert fill_in(shop, open_form(ann, shop), VISA), "and the next visit works"


def test_somebody_elses_form_is_not_there(ann: Client, shop: Shop) -> None:
    reference = fill_in(shop, open_form(ann, shop), VISA)
    zenith = world.company("zenith", "Zenith Law")
    zoe = browser(world.person("zoe@zenith.example", company=zenith, administrator=True))
    payer = world.payer_of(zenith).id
    for address in (
        f"/company/payment-methods/added/?payer={payer}&setup_intent={reference}",
        f"/company/payment-methods/added/?payer={shop.payer.id}&setup_intent={reference}",
        f"/company/payment-methods/added/?payer={payer}&setup_intent=seti_made_up",
        f"/company/payment-methods/added/?payer={payer}",
        f"/company/payment-methods/add/?payer={shop.payer.id}",
    ):
        assert zoe.get(address).status_code == 404, address
    assert not PaymentMethod.objects.exists()


def test_when_stripe_does_not_answer_the_page_says_so(ann: Client, shop: Shop, sandbox: Handle) -> None:
    sandbox.fault("503", path="/v1/setup_intents", times=20)
    answer = ann.get(f"/company/payment-methods/add/?payer={shop.payer.id}")
    assert answer.status_code == 503
    said = text_of(answer)
    assert "The card form cannot be opened at the moment" in said
    assert "Nothing was saved or charged." in said
    sandbox.clear_faults()
    assert open_form(ann, shop).reference


def test_past_due_another_card_pay_now_paid(ann: Client, shop: Shop) -> None:
    shop.add_card(DECLINES)
    invoice = shop.bill()
    fall_past_due(invoice_id=invoice.id, now=ISSUED)
    said = text_of(ann.post(f"/invoices/{invoice.number}/pay/", follow=True))
    assert "Not paid. The bank declined the payment." in said
    assert "Past due" in said

    reference = fill_in(shop, open_form(ann, shop), VISA)
    said = text_of(come_back(ann, shop, reference))
    assert "Another card is the default" in said
    assert f"{invoice.number} : $135.00" in said
    assert "Make this card the default first." in said
    visa = PaymentMethod.objects.get(is_default=False)
    said = text_of(ann.post(f"/company/payment-methods/{visa.id}/default/", follow=True))
    assert f"Pay now {invoice.number}" in said

    said = text_of(ann.post(f"/invoices/{invoice.number}/pay/", follow=True))
    assert "Paid: $135.00 with Visa •••• 4242. Thank you." in said
    assert "Receipt PDF" in said
    assert "Pay now" not in said
    receipt = ann.get(f"/invoices/{invoice.number}/receipt/")
    assert receipt.content.startswith(b"%PDF-")
    assert len(shop.charges(paid=True)) == 1


def test_paying_what_is_paid_says_so_and_charges_nothing(ann: Client, shop: Shop) -> None:
    shop.add_card(VISA)
    invoice = shop.bill()
    ann.post(f"/invoices/{invoice.number}/pay/")
    said = text_of(ann.post(f"/invoices/{invoice.number}/pay/", follow=True))
    assert "is paid; there is nothing to pay." in said
    assert len(shop.charges()) == 1
    assert ann.get(f"/invoices/{invoice.number}/pay/").status_code == 405


def test_a_saved_card_says_which_open_invoice_it_will_pay_and_when(ann: Client, shop: Shop) -> None:
    invoice = shop.bill()
    reference = fill_in(shop, open_form(ann, shop), VISA)
    said = text_of(come_back(ann, shop, reference))
    assert f"{invoice.number} : $135.00" in said
    assert "will be charged within a few hours" in said
