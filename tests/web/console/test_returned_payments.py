"""The clerk's page for taking a bank payment back, and what everybody then reads on the invoice."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from callbill.domain.invoicing.models import Invoice
from callbill.domain.payments.models import BankPayment, Receipt
from callbill.domain.users.models import StaffAction
from callbill.lib import formats
from callbill.rules.money import Money
from tests.domain import world
from tests.web.console.conftest import Cast
from tests.web.console.test_bank_payments import TYPED, said

BACK = {"returned_on": "2026-02-05", "reason": "The bank did not pay the cheque."}


def recorded(staff: Client, cast: Cast, minor: int, **typed: str) -> BankPayment:
    """The clerk recorded so much for the invoice of January."""
    amount = f"{minor // 100}.{minor % 100:02d}"
    address = reverse("console:bank_payment", args=[cast.invoice.number])
    assert staff.post(address, {**TYPED, "amount": amount, "surplus": "on", **typed}).status_code == 302
    return BankPayment.objects.latest("recorded_at")


def page_of(payment: BankPayment) -> str:
    return reverse("console:return_bank_payment", args=[payment.id])


def test_all_of_it_is_taken_back_and_paid_again(staff: Client, customer: Client, cast: Cast) -> None:
    invoice = Invoice.objects.get(number=cast.invoice.number)
    due = formats.money(Money(invoice.due_minor, "USD"))
    payment = recorded(staff, cast, invoice.due_minor + 15_00)
    page = said(staff.get(reverse("console:invoice", args=[invoice.number])))
    assert page_of(payment) in page
    asked = said(staff.get(page_of(payment)))
    for words in (
        "Bank transfer, received 3 February 2026, reference X-17.",
        f"{due} is owed again; then {due} is still to be paid.",
        "No card is charged for it at once: the next try is with the next billing cycle.",
        "$15.00 goes out of the credit balance.",
        "Receipt CIC-R-000001 is no longer valid.",
        "The customer reads it",
    ):
        assert words in asked
    answer = said(staff.post(page_of(payment), BACK, follow=True))
    assert f"Taken back: {formats.money(Money(payment.amount_minor, 'USD'))} from invoice" in answer
    assert "Took a bank payment back" in answer
    assert page_of(payment) not in answer
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid_minor) == ("past_due", 0)
    portal = said(customer.get(f"/invoices/{invoice.number}/"))
    for shown in (answer, portal):
        assert "Returned 5 February 2026: The bank did not pay the cheque." in shown
        assert "went to the credit balance, and was taken out of it again." in shown
        assert "CIC-R-000001</a>" in shown
        assert "Taken back on" in shown
    assert "Receipt PDF" not in portal, "it is not paid"

    # The transfer comes after all, under the same reference: a new payment with a receipt of its own.
    recorded(staff, cast, invoice.due_minor)
    portal = said(customer.get(f"/invoices/{invoice.number}/"))
    assert "Receipt PDF" in portal
    assert portal.index("CIC-R-000002</a>") < portal.index("CIC-R-000001</a>")
    newest = customer.get(f"/invoices/{invoice.number}/receipt/")
    assert newest.headers["Content-Disposition"] == 'inline; filename="receipt-CIC-R-000002.pdf"'
    for browser, name in ((customer, "portal"), (staff, "console")):
        for number in ("CIC-R-000001", "CIC-R-000002"):
            file = browser.get(reverse(f"{name}:one_receipt_pdf", args=[number]))
            assert file.content.startswith(b"%PDF-")
            assert file.headers["Content-Disposition"] == f'inline; filename="receipt-{number}.pdf"'


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"returned_on": "2999-01-01"}, "The day on which it was returned has not come yet."),
        ({"returned_on": "2026-02-01"}, "It was received on 3 February 2026"),
        ({"returned_on": "soon"}, "That is not a day. Write it like 2026-05-03."),
        ({"returned_on": ""}, "Type the day on which it was returned."),
        ({"reason": " "}, "Say why"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_taken_back(
    staff: Client, cast: Cast, wrong: dict[str, str], words: str
) -> None:
    payment = recorded(staff, cast, 40_00)
    answer = staff.post(page_of(payment), {**BACK, **wrong})
    assert answer.status_code == 422
    assert words in said(answer)
    assert Invoice.objects.get(number=cast.invoice.number).paid_minor == 40_00


def test_a_second_click_says_so(staff: Client, cast: Cast) -> None:
    payment = recorded(staff, cast, 40_00)
    staff.post(page_of(payment), BACK)
    answer = said(staff.post(page_of(payment), BACK, follow=True))
    assert "Not done. This payment was taken back already. Returned 5 February 2026" in answer
    assert "This cannot be done now" in said(staff.get(page_of(payment)))
    assert StaffAction.objects.filter(action="return_bank_payment").count() == 1


def test_nobody_but_staff_with_the_token(staff: Client, customer: Client, cast: Cast) -> None:
    payment = recorded(staff, cast, 40_00)
    assert customer.get(page_of(payment)).status_code == 404
    assert customer.post(page_of(payment), BACK).status_code == 404
    assert Client().post(page_of(payment), BACK).status_code == 302
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(cast.staff)
    assert guarded.post(page_of(payment), BACK).status_code == 403
    nobody = reverse("console:return_bank_payment", args=["0190a000-0000-7000-8000-000000000000"])
    assert staff.get(nobody).status_code == 404
    assert BankPayment.objects.filter(returned_at=None).count() == 1


def test_a_receipt_is_not_another_tenants(staff: Client, cast: Cast) -> None:
    recorded(staff, cast, cast.invoice.due_minor)
    stranger = Client()
    stranger.force_login(world.person("eve@evil.example", company=cast.north, administrator=True))
    address = reverse("portal:one_receipt_pdf", args=[Receipt.objects.get().number])
    assert stranger.get(address).status_code == 404
    assert Client().get(address).status_code == 302
