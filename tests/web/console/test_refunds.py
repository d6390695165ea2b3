"""Refunds in the console: a part, and one that somebody made at Stripe."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from callbill.domain.payments import operations as paying
from callbill.domain.payments.models import Refund
from callbill.domain.payments.queries import books_differences
from callbill.domain.users.models import User
from callbill.rules.money import Money
from tests.domain.payments.shop import Shop
from tests.domain.payments.test_refunds import NOW, credit, paid
from tests.domain.payments.test_refunds_by_hand import by_hand
from tests.web.console.test_credits import said


@pytest.fixture
def browser(shop: Shop) -> Client:
    """A browser of staff beside a shop that talks to the sandbox."""
    client = Client()
    client.force_login(User.objects.get(id=shop.staff.user_id))
    return client


def test_a_refund_made_at_stripe_is_taken_over(browser: Client, shop: Shop) -> None:
    invoice = paid(shop)
    made, note = by_hand(shop, invoice, 35_00), credit(shop, invoice, 20_00)
    address = reverse("console:take_over", args=[note.number])
    page = browser.get(reverse("console:invoice", args=[invoice.number]))
    assert address in page.content.decode()
    page = browser.get(address, {"refund": made})
    assert f'value="{made}"' in page.content.decode()
    assert "Nothing is refunded a second time here." in said(page)
    for typed, words in (
        ({"reference": "", "reason": "-"}, "Copy the refund's id"),
        ({"reference": "ch_1", "reason": "-"}, "is not the id of a refund"),
        ({"reference": made, "reason": ""}, "Say why"),
        ({"reference": "re_nothing", "reason": "-"}, "Stripe has no refund re_nothing."),
        ({"reference": made, "reason": "-"}, f"Credit lines of {invoice.number} for at least $15.00 first"),
    ):
        answer = browser.post(address, typed)
        assert answer.status_code == 422
        assert words in said(answer)
    assert Refund.objects.count() == 0
    credit(shop, invoice, 15_00)
    done = browser.post(address, {"reference": f" {made} ", "reason": "By phone"}, follow=True)
    assert "Taken over: $35.00 to the Visa •••• 4242." in said(done)
    assert "Took over a refund made at Stripe" in said(done)
    again = browser.post(address, {"reference": made, "reason": "Again"})
    assert "is in the books already" in said(again)
    assert books_differences() == []


def test_it_is_offered_also_where_another_invoice_used_the_credit(browser: Client, shop: Shop) -> None:
    invoice = paid(shop)
    note = credit(shop, invoice, 35_00)
    shop.bill(month=2)
    page = browser.get(reverse("console:invoice", args=[invoice.number])).content.decode()
    assert reverse("console:take_over", args=[note.number]) in page
    assert reverse("console:refund", args=[note.number]) not in page, "nothing of it is left to refund"


def test_without_an_answer_nothing_is_booked(browser: Client, shop: Shop) -> None:
    invoice = paid(shop)
    made, note = by_hand(shop, invoice, 35_00), credit(shop, invoice)
    shop.sandbox.fault("503", path="/v1/refunds", method="GET", times=9)
    address = reverse("console:take_over", args=[note.number])
    answer = browser.post(address, {"reference": made, "reason": "-"})
    assert "Stripe did not answer; nothing was booked." in said(answer)
    assert Refund.objects.count() == 0


def test_a_part_goes_back_and_the_rest_stays(browser: Client, shop: Shop) -> None:
    note = credit(shop, paid(shop), 35_00)
    address = reverse("console:refund", args=[note.number])
    page = browser.get(address)
    assert 'value="35.00"' in page.content.decode(), "all of it, unless something else is typed"
    for typed, words in (
        ("35.01", "at most $35.00"),
        ("0", "above zero"),
        ("-5", "above zero"),
        ("x", "is not an amount in USD"),
        ("", "Type how much"),
    ):
        answer = browser.post(address, {"amount": typed, "reason": "-"})
        assert answer.status_code == 422
        assert words in said(answer)
    for amount in ("20.00", "15"):
        browser.post(address, {"amount": amount, "reason": "They asked"})
    assert [refund.amount_minor for refund in Refund.objects.order_by("created_at")] == [20_00, 15_00]
    assert [row.amount for row in shop.stripe.v1.refunds.list({}).data] == [15_00, 20_00]
    assert books_differences() == []


def test_no_more_than_there_is_though_it_is_asked_for(shop: Shop) -> None:
    note = credit(shop, paid(shop), 35_00)
    for amount in (Money(35_01, "USD"), Money(0, "USD"), Money(1_00, "EUR")):
        with pytest.raises(paying.CannotRefund, match=r"At most \$35\.00"):
            paying.refund_to_card(
                note_id=note.id, actor_id=shop.staff.user_id, reason="-", now=NOW, amount=amount
            )
    assert Refund.objects.count() == 0
