"""Crediting, voiding, writing off, refunding in the console: every step, its words, what is refused."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import credit_lines
from callbill.domain.payments import gateway
from callbill.domain.payments import operations as paying
from callbill.domain.payments.models import PaymentAttempt, Refund
from callbill.domain.payments.queries import books_differences
from callbill.domain.users.models import StaffAction, User
from tests.domain.payments.shop import ALWAYS_3DS, ISSUED, Shop
from tests.house.rules_of_the_house import unsafe_markup
from tests.web.console.conftest import Cast


def said(answer: Any) -> str:
    """The page's words."""
    html = answer.content.decode()
    assert unsafe_markup("page", html) == []
    plain = unescape(re.sub(r"<[^>]+>", " ", html)).replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r"\s+([.,;:])", r"\1", re.sub(r"\s+", " ", plain))


def hidden(answer: Any) -> dict[str, str]:
    """What the confirmation page sends on."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.content.decode())
    return {name: unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}


def test_from_choosing_lines_to_the_credit_note(staff: Client, cast: Cast) -> None:
    address = reverse("console:credit", args=[cast.invoice.number])
    page = staff.get(address)
    assert page.status_code == 200
    assert "Inbound calls" in said(page)
    # 8.875 % of 10.00, out of the line's share
    typed = {f"amount-{cast.line.id}": "10.00", "reason": "The first ten were test calls"}
    preview = staff.post(address, typed)
    assert preview.status_code == 200
    assert "Issue a credit note over $10.89?" in said(preview)
    assert "$10.89 is taken off what is to be paid." in said(preview)
    assert CreditNote.objects.count() == 0, "looking is not doing"

    confirmed = {**hidden(preview), "confirmed": "yes"}
    assert confirmed["reason"] == "The first ten were test calls"
    done = staff.post(address, confirmed, follow=True)
    note = CreditNote.objects.get()
    assert str(note.id) == confirmed["note"]
    words = said(done)
    assert f"Credit note {note.number}: $10.89. $10.89 was taken off what was to be paid." in words
    assert f"Credit note {note.number} -$10.89" in words
    assert "Credited lines" in words
    assert "Credit note: CIC-CN-000001." in words, "the audit log has its number"
    staff.post(address, confirmed, follow=True)
    assert CreditNote.objects.count() == StaffAction.objects.count() == 1, (
        "a second click issues no second one"
    )
    pdf = staff.get(reverse("console:credit_note_pdf", args=[note.number]))
    assert pdf.content.startswith(b"%PDF-")
    assert books_differences() == []


def test_all_of_it_is_settled_and_nothing_is_left(staff: Client, cast: Cast) -> None:
    address = reverse("console:credit", args=[cast.invoice.number])
    preview = staff.post(address, {"everything": "on", "reason": "All wrong"})
    staff.post(address, {**hidden(preview), "confirmed": "yes"})
    invoice = Invoice.objects.get(id=cast.invoice.id)
    assert (invoice.status, invoice.due_minor) == ("paid", 0)
    answer = staff.get(address)
    assert answer.status_code == 409
    assert "All of invoice" in said(answer)
    page = said(staff.get(reverse("console:invoice", args=[invoice.number])))
    assert "of it by credit note. There is nothing to do." in page


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({}, "Choose at least one line"),
        ({"amount": "1e3"}, "not an amount in USD"),
        ({"amount": "9999"}, "is not part of the"),
        ({"amount": "0"}, "is not part of the"),
        ({"amount": "5.00", "reason": " "}, "Say why"),
    ],
)
def test_what_cannot_be_credited_comes_back_with_the_reason(
    staff: Client, cast: Cast, typed: dict[str, str], words: str
) -> None:
    data = {"reason": "Because", **{k: v for k, v in typed.items() if k == "reason"}}
    if "amount" in typed:
        data[f"amount-{cast.line.id}"] = typed["amount"]
    for extra in ({}, {"confirmed": "yes", "note": "01990000-0000-7000-8000-000000000000"}):
        answer = staff.post(reverse("console:credit", args=[cast.invoice.number]), {**data, **extra})
        assert answer.status_code == 422
        assert words in said(answer)
    assert CreditNote.objects.count() == StaffAction.objects.count() == 0


def test_void_and_bill_again(staff: Client, cast: Cast) -> None:
    address = reverse("console:void", args=[cast.invoice.number])
    page = said(staff.get(address))
    assert "A credit note takes back" in page
    assert "This cannot be undone." in page
    missing = staff.post(address, {"reason": ""})
    assert missing.status_code == 422
    assert "Say why" in said(missing)
    done = staff.post(address, {"reason": "The wrong rate"}, follow=True)
    fresh = Invoice.objects.get(replaces=cast.invoice)
    assert f"Invoice {fresh.number}" in said(done)
    assert f"It takes the place of invoice {cast.invoice.number}, which was voided." in said(done)
    old = said(staff.get(reverse("console:invoice", args=[cast.invoice.number])))
    assert f"Invoice {fresh.number} took its place." in old
    assert "Voided the invoice" in old
    assert "Retry now" not in old
    verified = said(staff.get(reverse("console:verification", args=[cast.invoice.number])))
    assert "Void, so not recomputed" in verified
    again = said(staff.get(address))
    assert "An invoice that is void cannot be voided." in again
    assert "Say why" not in again
    answer = staff.post(address, {"reason": "Twice"}, follow=True)
    assert "Not done. An invoice that is void cannot be voided." in said(answer)
    assert books_differences() == []


def test_write_off_and_record_what_came(staff: Client, cast: Cast) -> None:
    number = cast.invoice.number
    due = Invoice.objects.get(number=number).due_minor
    asked = staff.get(reverse("console:write_off", args=[number]))
    answer = staff.post(reverse("console:write_off", args=[number]), {"reason": "Bankrupt"}, follow=True)
    assert "is written off. No card is charged for it any more." in said(answer)
    assert "Uncollectible" in said(answer)
    assert "Retry now" not in said(answer)
    assert "The customer is not told of the write-off." in said(asked)
    address = reverse("console:bank_payment", args=[number])
    assert "was written off; what comes is no longer bad debt" in said(staff.get(address))
    typed = {
        "method": "bank_transfer",
        "received_on": "2026-03-02",
        "amount": "5.00",
        "reference": "wire 1",
        "reason": "The estate paid",
    }
    assert "Recorded: $5.00" in said(staff.post(address, typed, follow=True))
    twice = staff.post(address, typed)
    assert twice.status_code == 422
    assert "was recorded for" in said(twice)
    rest = f"{(due - 500) // 100}.{(due - 500) % 100:02d}"
    staff.post(address, {**typed, "amount": rest, "reference": "wire 2"})
    assert Invoice.objects.get(number=number).status == "paid"
    assert books_differences() == []
    actions = list(StaffAction.objects.order_by("at").values_list("action", flat=True))
    assert actions == ["write_off", "record_bank_payment", "record_bank_payment"]


def test_customers_find_none_of_it(customer: Client, cast: Cast) -> None:
    for name in ("credit", "void", "write_off", "bank_payment"):
        address = reverse(f"console:{name}", args=[cast.invoice.number])
        assert customer.get(address).status_code == 404
        assert (
            customer.post(address, {"reason": "-", "everything": "on", "confirmed": "yes"}).status_code == 404
        )
    assert CreditNote.objects.count() == 0


@pytest.fixture
def refunding(shop: Shop) -> Client:
    """A browser of staff beside a shop that talks to the sandbox."""
    browser = Client()
    browser.force_login(User.objects.get(id=shop.staff.user_id))
    return browser


def test_the_rest_goes_back_to_the_card(refunding: Client, shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    paying.collect_due(now=ISSUED)
    line = InvoiceLine.objects.get()
    address = reverse("console:credit", args=[invoice.number])
    typed = {f"amount-{line.id}": "35.00", "reason": "Wrong", "rest": "card"}
    preview = refunding.post(address, typed)
    assert "$35.00 goes back to the card that paid" in said(preview)
    done = said(refunding.post(address, {**hidden(preview), "confirmed": "yes"}, follow=True))
    kept, gone = "$35.00 went to the credit balance.", "Refunded: $35.00 to the Visa •••• 4242."
    assert 0 < done.index(kept) < done.index(gone), "it went into the balance before it went out of it"
    assert Refund.objects.get().state == "succeeded"
    preview = refunding.post(address, {**typed, f"amount-{line.id}": "10.00", "rest": "balance"})
    kept = said(refunding.post(address, {**hidden(preview), "confirmed": "yes"}, follow=True))
    assert "$10.00 went to the credit balance." in kept
    assert "Refund it to the card" in kept
    later = reverse("console:refund", args=["CIC-CN-000002"])
    assert "$10.00 goes back to the card" in said(refunding.get(later))
    assert refunding.post(later, {"reason": "", "amount": "10.00"}).status_code == 422
    typed = {"reason": "They asked", "amount": "10.00"}
    assert "Refunded: $10.00" in said(refunding.post(later, typed, follow=True))
    assert "can go back to a card now" in said(refunding.get(later, follow=True))
    assert [row.amount for row in shop.stripe.v1.refunds.list({}).data] == [10_00, 35_00]
    assert books_differences() == []


def test_a_payment_that_waits_for_its_cardholder_is_taken_back_first(refunding: Client, shop: Shop) -> None:
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    paying.collect_due(now=ISSUED)
    address = reverse("console:void", args=[invoice.number])
    page = said(refunding.get(address))
    assert "A payment waits for the cardholder to confirm it" in page
    assert "Give the waiting up" in page
    for name in ("credit", "hold", "invoice"):
        assert "Give the waiting up" in said(refunding.get(reverse(f"console:{name}", args=[invoice.number])))
    stop = reverse("console:stop_waiting", args=[invoice.number])
    assert "Say why" in said(refunding.post(stop, {"reason": ""}, follow=True))
    assert "Given up: the payment can no longer be made." in said(
        refunding.post(stop, {"reason": "Voiding it"}, follow=True)
    )
    assert PaymentAttempt.objects.get().state == "canceled"
    assert [there.status for there in shop.stripe.v1.payment_intents.list({}).data] == ["canceled"]
    assert "No payment of this invoice waits" in said(refunding.post(stop, {"reason": "Again"}, follow=True))
    refunding.post(address, {"reason": "Wrong"})
    invoice.refresh_from_db()
    assert invoice.status == "void"
    assert books_differences() == []


def test_a_live_payment_is_waited_for(refunding: Client, shop: Shop) -> None:
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    paying.collect_due(now=ISSUED)
    PaymentAttempt.objects.update(state="processing")
    for name in ("credit", "void", "write_off"):
        page = said(refunding.get(reverse(f"console:{name}", args=[invoice.number])))
        assert "Try again in a few minutes" in page, name
        assert "Give the waiting up" not in page, name
    assert CreditNote.objects.count() == 0
    PaymentAttempt.objects.update(state="declined")
    credit_lines(invoice_id=invoice.id, amounts=None, reason="-", actor_id=shop.staff.user_id, now=ISSUED)
    assert CreditNote.objects.count() == 1


def test_giving_up_says_what_came_of_it(refunding: Client, shop: Shop) -> None:
    card = shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    paying.collect_due(now=ISSUED)
    stop = reverse("console:stop_waiting", args=[invoice.number])
    shop.sandbox.fault("500_before", path="/cancel$", method="POST")
    told = said(refunding.post(stop, {"reason": "Voiding it"}, follow=True))
    assert "Given up, but not over yet: Stripe did not cancel the payment of $135.00." in told
    assert "Stripe is asked again by itself until it is over" in told
    reference = str(PaymentAttempt.objects.get().intent.reference)
    there = shop.stripe.v1.payment_intents.confirm(reference, {"payment_method": card.reference})
    shop.sandbox.authenticate(reference, str(there.client_secret))
    told = said(refunding.post(stop, {"reason": "Voiding it"}, follow=True))
    assert "Not given up: meanwhile it was paid, $135.00 from the Visa •••• 3184." in told


def test_what_was_given_up_is_not_offered_as_if_it_were_not(
    refunding: Client, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe refuses to cancel it: the wish is kept, and every page says so."""
    shop.add_card(ALWAYS_3DS)
    invoice = shop.bill()
    paying.collect_due(now=ISSUED)
    page = reverse("console:invoice", args=[invoice.number])
    assert "Waits for the cardholder" in said(refunding.get(page))

    def refuse(self: Any, *, reference: str, key: str) -> Any:
        raise gateway.OurMistake("A wrong request")

    monkeypatch.setattr(type(gateway.gateway()), "cancel_intent", refuse)
    stop = reverse("console:stop_waiting", args=[invoice.number])
    told = said(refunding.post(stop, {"reason": "Voiding it"}, follow=True))
    assert "Stripe refused the request. The payment counts as given up, and Stripe is asked again" in told
    assert PaymentAttempt.objects.get().given_up_at is not None
    assert "Given up, and not over yet" in told
    assert "It was given up, and Stripe is asked again by itself." in told
    assert "If Stripe does not know it, look there and tick below." in told
    assert "Give it up again" in told
    assert "Give the waiting up" not in told
    for name in ("credit", "void", "write_off", "bank_payment", "hold"):
        assert "Give the waiting up" not in said(
            refunding.get(reverse(f"console:{name}", args=[invoice.number]))
        )


def test_staff_give_a_payment_in_doubt_up_on_the_invoices_page(refunding: Client, shop: Shop) -> None:
    shop.add_card()
    invoice = shop.bill()
    shop.sandbox.fault("500_before", path="/confirm$", method="POST")
    paying.collect_due(now=ISSUED)
    page = reverse("console:invoice", args=[invoice.number])
    assert "Give the payment up" in said(refunding.get(page))
    stop = reverse("console:stop_waiting", args=[invoice.number])
    assert "Given up: the payment can no longer be made." in said(
        refunding.post(stop, {"reason": "Voiding it"}, follow=True)
    )
    told = said(refunding.get(page))
    assert "Give the payment up" not in told
    assert "Gave the payment up" in told


def test_a_second_click_on_retry_charges_nothing(refunding: Client, shop: Shop) -> None:
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, times=2)
    invoice = shop.bill()
    paying.collect_due(now=ISSUED)
    page = refunding.get(reverse("console:invoice", args=[invoice.number]))
    assert b'name="seen" value="1"' in page.content
    address = reverse("console:retry", args=[invoice.number])
    typed = {"reason": "They called", "seen": "1"}
    assert "Declined" in said(refunding.post(address, typed, follow=True))
    told = said(refunding.post(address, typed, follow=True))
    assert "was tried just now, so it is not tried again" in told
    assert PaymentAttempt.objects.count() == 2
