"""The clerk's form for money that came by bank, and what the customer then sees on the invoice."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments.models import BankPayment
from tests.web.console.conftest import Cast

TYPED = {
    "method": "bank_transfer",
    "received_on": "2026-02-03",
    "amount": "40.00",
    "reference": "X-17",
    "reason": "On the statement",
}


def said(answer: object) -> str:
    return answer.content.decode().replace("&#x27;", "'")  # type: ignore[attr-defined]


def test_a_part_is_recorded_and_shown(staff: Client, customer: Client, cast: Cast) -> None:
    number = cast.invoice.number
    page = said(staff.get(reverse("console:invoice", args=[number])))
    address = reverse("console:bank_payment", args=[number])
    assert address in page
    assert "is still to be paid. If less came, the rest is charged as planned." in said(staff.get(address))
    answer = said(staff.post(address, TYPED, follow=True))
    assert f"Recorded: $40.00 for invoice {number}." in answer
    assert "Recorded a bank payment" in answer
    for shown in (answer, said(customer.get(f"/invoices/{number}/"))):
        assert (
            "<strong>Received</strong>: $40.00, Bank transfer, received 3 February 2026, reference X-17"
            in shown
        )
    assert Invoice.objects.get(number=number).paid_minor == 40_00


def test_too_much_is_said(staff: Client, customer: Client, cast: Cast) -> None:
    address = reverse("console:bank_payment", args=[cast.invoice.number])
    due = Invoice.objects.get(number=cast.invoice.number).due_minor
    typed = {**TYPED, "amount": f"{(due + 2500) // 100}.{(due + 2500) % 100:02d}"}
    asked = staff.post(address, typed)
    assert asked.status_code == 422
    assert "is $25.00 more than the" in said(asked)
    assert 'name="surplus"' in said(asked)
    assert BankPayment.objects.count() == 0
    answer = said(staff.post(address, {**typed, "surplus": "on"}, follow=True))
    assert "$25.00 of it was more than was due and is credit balance now." in answer
    assert "$25.00 of it was more than was due and went to the credit balance." in said(
        customer.get(f"/invoices/{cast.invoice.number}/")
    )
    paid = said(staff.get(address))
    assert "Nothing is due: all of it goes to the credit balance." in paid
    assert "is still to be paid" not in paid
    # A paid invoice still takes what comes for it; a void one does not, and its page says why.
    assert address in said(staff.get(reverse("console:invoice", args=[cast.invoice.number])))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"amount": "-1"}, "Type an amount above zero."),
        ({"amount": "lots"}, "“lots” is not an amount in USD."),
        ({"received_on": "2999-01-01"}, "That day has not come yet."),
        ({"received_on": "2024-02-03"}, "That is more than a year ago."),
        ({"received_on": "yesterday"}, "That is not a day. Write it like 2026-05-03."),
        ({"reference": " "}, "Type the bank's reference"),
        ({"reference": "x" * 61}, "at most 60 characters"),
        ({"method": "shells"}, "Choose bank transfer or cheque."),
        ({"reason": ""}, "Say why"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_recorded(
    staff: Client, cast: Cast, wrong: dict[str, str], words: str
) -> None:
    answer = staff.post(reverse("console:bank_payment", args=[cast.invoice.number]), {**TYPED, **wrong})
    assert answer.status_code == 422
    assert words in said(answer)
    assert BankPayment.objects.count() == 0


def test_a_void_invoice_says_why_not(staff: Client, cast: Cast) -> None:
    number = cast.invoice.number
    staff.post(reverse("console:void", args=[number]), {"reason": "Wrong rate"})
    address = reverse("console:bank_payment", args=[number])
    assert "An invoice that is void cannot be paid." in said(staff.get(address))
    assert address not in said(staff.get(reverse("console:invoice", args=[number])))
    answer = said(staff.post(address, TYPED, follow=True))
    assert "Not done. An invoice that is void cannot be paid." in answer
    assert BankPayment.objects.count() == 0
