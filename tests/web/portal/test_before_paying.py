"""What the portal says before and after charging: what is charged at once, what waits, what is left."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments import gateway, operations, queries
from callbill.domain.payments.models import LIVE_STATES, PaymentAttempt, PaymentMethod
from callbill.web.portal import views_paying
from tests.domain.payments.shop import Shop
from tests.web.portal.conftest import text_of
from tests.web.portal.test_paying import NOW, ann, hidden, owed

__all__ = ["ann", "owed"]


def by_itself(shop: Shop, wanted: bool | None) -> None:
    shop.payer.pay_on_new_card = wanted
    shop.payer.save(update_fields=["pay_on_new_card"])


def test_making_a_card_the_default_says_what_it_charges_at_once(
    shop: Shop, ann: Client, owed: list[Invoice]
) -> None:
    card = shop.add_card("pm_card_mastercard", now=NOW)
    page = f"/company/payment-methods/{card.id}/default/"
    first, second = (str(invoice.number) for invoice in owed)
    by_itself(shop, False)
    assert "Charged at once" not in text_of(ann.get(page))
    by_itself(shop, True)
    assert f"Charged at once {first} , $135.00; {second} , $135.00: this card is charged" in text_of(
        ann.get(page)
    )
    ann.post(page)
    assert "Charged at once" not in text_of(ann.get(page)), "it is the default already"
    assert queries.charged_at_once(shop.admin, shop.payer.id) != []


def test_a_saved_card_becomes_the_default_only_by_the_page_that_says_what_it_charges(
    shop: Shop, ann: Client, owed: list[Invoice]
) -> None:
    by_itself(shop, True)
    form = operations.start_card_setup(viewer=shop.admin, payer_id=shop.payer.id, ip="192.0.2.1", now=NOW)
    setup = {"payer": str(shop.payer.id), "setup_intent": shop.fill_in(form, "pm_card_mastercard")}
    answer = ann.get("/company/payment-methods/added/", setup)
    card = PaymentMethod.objects.get(last4="4444")
    there = f"/company/payment-methods/{card.id}/default/"
    assert f'href="{there}">Make it the default</a>' in answer.content.decode()
    assert f'action="{there}"' not in answer.content.decode()
    assert "Past due Payments are made with the default card. Make this card the default first." in text_of(
        answer
    )
    assert f"Charged at once {owed[0].number}" in text_of(ann.get(there))


def test_adding_a_card_says_it_only_where_the_card_becomes_the_default(
    shop: Shop, ann: Client, owed: list[Invoice]
) -> None:
    by_itself(shop, True)
    assert "Charged at once" not in text_of(ann.get("/company/payment-methods/add/"))
    PaymentMethod.objects.update(is_default=False, removed_at=NOW)
    said = text_of(ann.get("/company/payment-methods/add/"))
    assert f"Charged at once {owed[0].number} , $135.00;" in said
    assert "for those that are past due, at once if this page lists them" in said


def test_while_the_bank_has_not_answered_it_does_not_say_not_paid(
    shop: Shop, ann: Client, owed: list[Invoice]
) -> None:
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    page = ann.get("/invoices/pay/", {"number": [str(invoice.number) for invoice in owed]})
    shop.sandbox.fault("reset_after", path="/confirm$", times=20)
    shop.sandbox.fault("503", path="/payment_intents/pi_", method="GET", times=40)
    said = text_of(ann.post("/invoices/pay/", hidden(page)))
    shop.sandbox.clear_faults()
    assert PaymentAttempt.objects.filter(state__in=LIVE_STATES).exists()
    assert "We wait for the bank The bank has not answered yet about 2 payments." in said
    assert "do not pay twice" in said
    assert "Not paid" not in said


def test_our_own_mistake_is_not_called_waiting_for_the_bank(
    shop: Shop, ann: Client, owed: list[Invoice], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(self: Any, **given: Any) -> Any:
        raise gateway.OurMistake("A wrong request")

    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    page = ann.get("/invoices/pay/", {"number": [str(owed[0].number)]})
    monkeypatch.setattr(type(gateway.gateway()), "confirm", wrong)
    said = text_of(ann.post("/invoices/pay/", hidden(page)))
    assert PaymentAttempt.objects.filter(state="error").exists()
    assert "Not paid" in said
    assert "nothing was charged" in said
    assert "We wait for the bank" not in said
    assert "do not pay twice" not in said


def test_so_many_at_once_and_the_rest_after_that(
    shop: Shop, ann: Client, owed: list[Invoice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_paying, "_MOST", 1)
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    asked: dict[str, Any] = {"number": [str(invoice.number) for invoice in owed], "seen": ["1", "1"]}
    assert "1 more is left" in text_of(ann.get("/invoices/pay/", asked))
    said = text_of(ann.post("/invoices/pay/", asked))
    assert "Paid. Thank you." in said
    assert "1 more is left" in said
    assert len(shop.charges(paid=True)) == 1


def test_a_number_that_no_database_takes(shop: Shop, ann: Client) -> None:
    assert ann.post("/invoices/pay/", {"number": "CIC\x00", "seen": "0"}).status_code == 302


def test_words_for_customers_name_no_staff(shop: Shop, ann: Client, owed: list[Invoice]) -> None:
    operations.stop_collection(payer_id=shop.payer.id, key="k", reason="Charged twice", now=NOW)
    shop.add_card("pm_card_mastercard", default=True, now=NOW)
    with pytest.raises(operations.CollectionStopped) as refused:
        operations.pay_now(viewer=shop.admin, number=str(owed[0].number), now=NOW)
    for word in ("gateway", "Staff"):
        assert word not in str(refused.value)
    assert "nothing to do" in str(refused.value)
