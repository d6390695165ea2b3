"""The page behind the link of a payment to be confirmed: who gets in, what it shows, what it allows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import operations
from callbill.domain.payments._confirming import IN_A_MAIL, confirm_path
from callbill.domain.payments.models import PaymentAttempt, PaymentMethod
from callbill.domain.users.models import User
from stripe_sandbox.handle import Handle
from tests.domain import world
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, VISA, Shop
from tests.domain.payments.test_confirming import in_browser
from tests.house.rules_of_the_house import unsafe_markup
from tests.web.portal.conftest import browser, text_of
from tests.web.portal.test_every_page import STRICT, policy


@pytest.fixture
def invoice(shop: Shop, clock_stands: None) -> Invoice:
    """January's, past due because the bank wants the cardholder."""
    shop.add_card(ALWAYS_3DS)
    made = shop.bill()
    operations.collect_due(now=ISSUED)
    return made


@pytest.fixture
def link(invoice: Invoice) -> str:
    """The address in the mail."""
    return confirm_path(PaymentAttempt.objects.get(invoice=invoice).id, now=ISSUED, lasts=IN_A_MAIL)


def test_anybody_with_the_link_sees_this_payment_and_nothing_else(
    shop: Shop, invoice: Invoice, link: str
) -> None:
    answer = Client().get(link)
    assert answer.status_code == 200
    said = text_of(answer)
    for words in ("To CIC", f"Invoice {invoice.number}", "$135.00 USD", "Visa •••• 3184"):
        assert words in said, words
    assert "Confirm and pay $135.00" in said
    html = answer.content.decode()
    assert unsafe_markup(link, html) == []
    for secret in (shop.sandbox.secret_key, "acme", "Acme", "billing@"):
        assert secret not in html, secret
    card = PaymentMethod.objects.get()
    assert f'data-card="{card.reference}"' in html
    assert 'data-client-secret="pi_' in html


def test_the_page_lets_stripe_in_and_keeps_its_address_to_itself(shop: Shop, link: str) -> None:
    answer = Client().get(link)
    said = policy(answer)
    for directive in ("script-src", "frame-src", "connect-src"):
        assert shop.sandbox.url in said[directive].split(), directive
    for directive in ("default-src", "style-src", "form-action", "frame-ancestors", "base-uri"):
        assert said[directive] == STRICT[directive]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "no-store" in answer.headers["Cache-Control"]
    assert Client().post(link).status_code == 405


def test_what_the_address_claims_is_not_believed(shop: Shop, invoice: Invoice, link: str) -> None:
    said = text_of(Client().get(f"{link}?redirect_status=succeeded&payment_intent=pi_made_up"))
    assert "Confirm and pay" in said
    invoice.refresh_from_db()
    assert invoice.status == "past_due"


def test_confirmed_it_says_paid_and_failed_it_says_so(shop: Shop, link: str) -> None:
    token = link.split("/")[3]
    _, form = operations.open_confirmation(token=token, now=ISSUED)
    assert form is not None
    in_browser(shop, form, passed=False)
    said = text_of(Client().get(link))
    assert "The confirmation at the bank did not succeed, and nothing was charged." in said
    assert "Confirm and pay $135.00" in said
    in_browser(shop, form)
    answer = Client().get(link)
    said = text_of(answer)
    assert "Paid The payment was made. Thank you." in said
    assert "Confirm and pay" not in said
    assert shop.sandbox.url not in answer.headers["Content-Security-Policy"]


def test_a_link_that_is_not_ours_is_not_found_in_words(link: str) -> None:
    for wrong in (link[:-2] + "x/", "/pay/confirm/abc/", "/pay/confirm/a:b/"):
        answer = Client().get(wrong)
        assert answer.status_code == 404, wrong
        assert "This link does not work" in text_of(answer)
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_when_stripe_does_not_answer_nothing_is_offered(sandbox: Handle, shop: Shop, link: str) -> None:
    sandbox.fault("503", path="/v1/payment_intents", times=20)
    answer = Client().get(link)
    assert answer.status_code == 503
    assert "Stripe does not answer us just now" in text_of(answer)
    sandbox.clear_faults()
    assert Client().get(link).status_code == 200


def test_the_administrator_is_offered_it_on_invoice_list_and_company_page(
    shop: Shop, invoice: Invoice
) -> None:
    to_confirm = f"/pay/confirm/{PaymentAttempt.objects.get().id}."
    ann = browser(User.objects.get(email="ann@acme.example"))
    joe = browser(world.person("joe@acme.example", company=shop.company))
    for page in ("/invoices/", "/company/", f"/invoices/{invoice.number}/"):
        html = ann.get(page).content.decode()
        assert f'href="{to_confirm}' in html, page
        assert "Use another card" in html
        assert to_confirm not in joe.get(page).content.decode(), page


def test_pay_now_goes_on_to_the_bank_when_the_bank_asks(shop: Shop, clock_stands: None) -> None:
    card = shop.add_card(VISA)
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    shop.sandbox.decline_next(card.reference, "authentication_required")
    ann = browser(User.objects.get(email="ann@acme.example"))
    answer = ann.post(f"/invoices/{invoice.number}/pay/")
    waiting = PaymentAttempt.objects.get(state="action_required")
    assert answer.headers["Location"].startswith(f"/pay/confirm/{waiting.id}.")
    assert waiting.created_at > ISSUED + timedelta(days=1)


def test_a_link_that_is_too_old_tells_nothing(shop: Shop, invoice: Invoice) -> None:
    attempt = PaymentAttempt.objects.get()
    link = confirm_path(attempt.id, now=ISSUED - timedelta(days=45), lasts=IN_A_MAIL)
    shop.sandbox.fault("503", path="/v1/", times=20)
    answer = Client().get(link)
    assert answer.status_code == 410
    said = text_of(answer)
    assert said.count("This link is too old") == 1
    assert "Nothing was charged by opening this page. Sign in, or open the newest mail." in said
    for fact in (str(invoice.number), "135.00", "3184"):
        assert fact not in answer.content.decode(), fact
    shop.sandbox.clear_faults()


def test_a_link_of_a_payment_that_is_over_tells_nothing(shop: Shop, invoice: Invoice, link: str) -> None:
    shop.add_card("pm_card_mastercard", default=True)
    operations.pay_now(viewer=shop.admin, number=str(invoice.number), now=ISSUED)
    said = text_of(Client().get(link))
    assert "Paid already This invoice is settled." in said
    for fact in (str(invoice.number), "135.00", "3184"):
        assert fact not in Client().get(link).content.decode(), fact
