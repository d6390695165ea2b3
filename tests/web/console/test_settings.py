"""How the seller collects, and who agreed to charges of a card: staff's pages."""

from __future__ import annotations

from django.test import Client

from callbill.domain.customers.models import Seller
from callbill.domain.payments import operations
from callbill.domain.users.models import User
from tests.domain.payments.shop import ISSUED, Shop
from tests.domain.payments.test_card_updater import replaced
from tests.web.portal.conftest import browser, text_of


def staff(shop: Shop) -> Client:
    return browser(User.objects.get(id=shop.staff.user_id))


def test_retry_days_and_new_cards_are_set_with_a_reason(shop: Shop) -> None:
    sam = staff(shop)
    assert "A declined invoice is always tried again" in text_of(sam.get("/console/settings/"))
    typed = {"retry_days": " 3,5 , 9", "pay_on_new_card": "on", "reason": "agreed with finance"}
    said = text_of(sam.post("/console/settings/", typed, follow=True))
    assert "Saved. Declines from now on follow it" in said
    assert "Changed how we collect" in said
    assert "agreed with finance" in said
    seller = Seller.objects.get()
    assert (seller.retry_ladder_days, seller.pay_on_new_card) == ([3, 5, 9], True)
    html = sam.get("/console/settings/").content.decode()
    assert 'value="3, 5, 9"' in html
    assert "checked" in html
    assert "Changed how we collect" in text_of(sam.get("/console/audit/"))
    sam.post("/console/settings/", {"retry_days": "", "reason": "too many calls"})
    seller.refresh_from_db()
    assert (seller.retry_ladder_days, seller.pay_on_new_card) == ([], False)


def test_every_mistake_comes_back_at_once_with_what_was_typed(shop: Shop) -> None:
    sam = staff(shop)
    for typed, words in (
        ("5, 3", "must go up"),
        ("0", "whole days from 1 to 30"),
        ("31", "whole days from 1 to 30"),
        ("three", "whole days from 1 to 30"),
        ("1,2,3,4,5,6,7,8", "at most 7 days"),
    ):
        answer = sam.post("/console/settings/", {"retry_days": typed, "reason": ""})
        assert answer.status_code == 422
        said = text_of(answer)
        assert words in said, typed
        assert "Say why" in said
        assert f'value="{typed}"' in answer.content.decode()
    assert not Seller.objects.exists()


def test_the_settings_are_for_staff(shop: Shop) -> None:
    ann = browser(User.objects.get(email="ann@acme.example"))
    assert ann.get("/console/settings/").status_code == 404
    assert ann.post("/console/settings/", {"retry_days": "3", "reason": "x"}).status_code == 404


def test_who_agreed_to_which_words_is_on_the_customers_page(shop: Shop) -> None:
    card = replaced(shop, shop.add_card(), brand="mastercard", last4="4444")
    said = text_of(staff(shop).get(f"/console/companies/{shop.company.key}/"))
    assert "Must be agreed to again" in said
    assert "A new default card pays what is past due only when somebody asks for it, as we collect" in said
    operations.agree_to_card(viewer=shop.admin, card_id=card.id, ip="192.0.2.9", now=ISSUED)
    said = text_of(staff(shop).get(f"/console/companies/{shop.company.key}/"))
    assert "Who agreed to charges" in said
    assert "ann · from 192.0.2.1 · text of 2026-11-past-due" in said
    assert "ann · from 192.0.2.9 · text of 2026-11-again" in said
    assert "By saving this card you allow CIC to charge it" in said


def test_staff_see_the_next_try_with_its_hour(shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference)
    invoice = shop.bill()
    operations.collect_due(now=ISSUED)
    said = text_of(staff(shop).get(f"/console/invoices/{invoice.number}/"))
    assert "Next : 1 Mar 2026, 00:00 EST Automatic retry, with the next billing cycle" in said
