"""What seldom happens, in Chromium: a payment given up, part of a credit refunded, a letter that fails."""

from __future__ import annotations

from datetime import timedelta

from django.urls import reverse
from playwright.sync_api import Page

from callbill.domain.notifications.models import Notification
from callbill.domain.payments import operations
from callbill.domain.payments.models import PaymentAttempt
from callbill.lib import clock
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop
from tests.domain.payments.test_confirming import token_in_mail
from tests.domain.payments.test_refunds import credit, paid
from tests.web.console.test_credits_in_a_browser import look_at
from tests.web.console.test_in_a_browser import as_customer, page

__all__ = ["page"]


def test_a_payment_in_doubt_is_given_up(page: Page, shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("500_before", path="/confirm$", method="POST")
    operations.collect_due(now=ISSUED)
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(reverse("console:invoice", args=[invoice.number]))
    assert page.get_by_role("heading", name="In doubt").is_visible()
    look_at(page)
    shop.sandbox.fault("503", path="/cancel$", method="POST", times=3)
    doubt = page.get_by_role("form", name="In doubt")
    doubt.get_by_label("Reason").fill("A cheque comes")
    doubt.get_by_role("button", name="Give the payment up").click()
    assert (
        "Given up, but not over yet: Stripe did not cancel" in page.get_by_role("status").first.inner_text()
    )
    assert page.get_by_text("We gave this payment up").is_visible()
    assert page.get_by_role("heading", name="Given up, and not over yet").is_visible()
    look_at(page)
    as_customer(page, shop)
    page.goto(f"/invoices/{invoice.number}/")
    assert page.get_by_text("We gave a payment up, and wait for that to be confirmed.").is_visible()
    look_at(page)
    operations.sweep_attempts(now=clock.now() + timedelta(minutes=3))
    assert PaymentAttempt.objects.get().state == "canceled"
    page.reload()
    assert page.get_by_text("We gave this payment up; nothing was charged.").is_visible()
    look_at(page)


def test_a_part_of_a_credit_goes_back_to_the_card(page: Page, shop: Shop) -> None:
    invoice = paid(shop)
    credit(shop, invoice)
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(reverse("console:invoice", args=[invoice.number]))
    page.get_by_role("link", name="Refund it to the card").click()
    look_at(page)
    page.get_by_label("Amount").fill("35")
    page.get_by_label("Reason").fill("They asked")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Invoice {invoice.number}", exact=True).wait_for()
    assert page.get_by_text("Refunded: $35.00 to the Visa •••• 4242").first.is_visible()
    look_at(page)


def test_a_letter_that_does_not_arrive(page: Page, shop: Shop) -> None:
    shop.bill()
    Notification.objects.update(problem="550 no such mailbox", tries=4)
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(reverse("console:overview"))
    assert page.get_by_text("550 no such mailbox").first.is_visible()
    look_at(page)


def test_a_link_that_is_too_old_and_invoices_that_wait(page: Page, shop: Shop) -> None:
    shop.add_card(ALWAYS_3DS)
    first = shop.bill()
    operations.collect_due(now=ISSUED)
    page.set_viewport_size({"width": 320, "height": 800})
    stranger = page.context.new_page()  # whose console may say 410
    stranger.set_viewport_size({"width": 320, "height": 800})
    stranger.goto(reverse("portal:confirm_payment", args=[token_in_mail(shop)]))
    assert stranger.get_by_text("too old").first.is_visible()
    look_at(stranger)
    second = shop.bill(month=2)
    page.goto(reverse("console:overview"))
    as_customer(page, shop)
    page.goto(reverse("portal:pay_several") + f"?number={first.number}&number={second.number}")
    assert page.get_by_text("Not among them").is_visible()
    look_at(page)


def test_what_is_held_fits_the_list_of_a_small_phone(page: Page, shop: Shop) -> None:
    shop.hold_some(shop.bill())
    page.goto(reverse("console:overview"))
    as_customer(page, shop)
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto("/invoices/")
    assert page.get_by_text("$135.00 still to be paid, $35.00 of it on hold").is_visible()
    look_at(page)
