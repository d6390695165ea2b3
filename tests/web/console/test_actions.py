"""What staff can do, and that each deed is in the audit log with who, when and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from callbill.domain.invoicing.models import Adjustment, BillingRun, Invoice
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.payments.models import PaymentAttempt
from callbill.domain.users.models import StaffAction, User
from callbill.lib import clock
from tests.domain import world
from tests.domain.payments.shop import DECLINES, Shop
from tests.web.console.conftest import Cast

CREDIT = {
    "direction": "credit",
    "kind": "outage_credit",
    "name": "Credit for the outage of 12 January",
    "amount": "1,042.50",
    "reason": "The lines were down for two hours",
    "period": "2026-01",
    "incident": "INC-7",
}


def told(answer: Any) -> str:
    """What the page said after the deed."""
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_a_credit_goes_on_the_next_invoice_and_into_the_log(staff: Client, cast: Cast) -> None:
    before = datetime.now(UTC)
    answer = staff.post(reverse("console:adjust", args=["acme"]), CREDIT)
    assert answer.status_code == 302
    assert "-$1,042.50, goes on the next invoice of Acme Dental" in told(answer)
    adjustment = Adjustment.objects.get()
    assert (adjustment.company, adjustment.amount_minor, adjustment.currency) == (cast.acme, -1042_50, "USD")
    assert (adjustment.kind, adjustment.period, adjustment.incident) == ("outage_credit", "2026-01", "INC-7")
    entry = StaffAction.objects.get()
    assert (entry.actor, entry.action, entry.reason) == (cast.staff, "add_adjustment", CREDIT["reason"])
    assert entry.at >= before
    page = staff.get(reverse("console:company", args=["acme"])).content.decode()
    assert "Added an adjustment" in page
    assert page.count("The lines were down for two hours") == 2  # what waits, and the log
    run_billing(now=world.at("2026-03-01T09:00"))
    adjustment.refresh_from_db()
    assert adjustment.line is not None
    assert adjustment.line.amount_minor == -1042_50
    assert "None waits." in staff.get(reverse("console:company", args=["acme"])).content.decode()


def test_a_charge_is_positive(staff: Client, cast: Cast) -> None:
    staff.post(reverse("console:adjust", args=["acme"]), {**CREDIT, "direction": "charge", "amount": "5"})
    assert Adjustment.objects.get().amount_minor == 5_00


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("amount", "", "Type an amount"),
        ("amount", "-5.00", "above zero"),
        ("amount", "0", "above zero"),
        ("amount", "12.345", "not an amount in USD"),
        ("amount", "1,04.50", "not an amount in USD"),
        ("amount", "1e3", "not an amount in USD"),
        ("amount", "٥", "not an amount in USD"),
        ("amount", "9" * 13, "more than can be billed"),
        ("reason", "  ", "Say why"),
        ("name", "", "as the customer shall read it"),
        ("period", "2026-13", "not a period"),
        ("kind", "bribe", "Choose one of the kinds"),
        ("direction", "", "required"),
    ],
)
def test_what_cannot_be_an_adjustment_comes_back_with_the_reason(
    staff: Client, cast: Cast, field: str, typed: str, words: str
) -> None:
    answer = staff.post(reverse("console:adjust", args=["acme"]), {**CREDIT, field: typed})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert words in page
    assert "INC-7" in page  # what was typed is still there
    assert Adjustment.objects.count() == StaffAction.objects.count() == 0


def test_billing_runs_with_a_reason_and_says_what_it_did(staff: Client, cast: Cast) -> None:
    clock.move_to(world.at("2026-03-02T10:00"))
    try:
        answer = staff.post(reverse("console:start_run"), {"reason": "The customer waits for it"})
    finally:
        clock.back_to_real_time()
    run = BillingRun.objects.latest("started_at")
    assert answer.headers["Location"] == reverse("console:run", args=[run.id])
    assert run.trigger == "staff"
    assert told(answer) == "2 invoices issued."
    entry = StaffAction.objects.get()
    assert (entry.actor, entry.action, entry.reason) == (
        cast.staff,
        "run_billing",
        "The customer waits for it",
    )
    page = staff.get(answer.headers["Location"]).content.decode()
    for number in Invoice.objects.filter(run=run).values_list("number", flat=True):
        assert str(number) in page
    assert "The customer waits for it" in page
    assert "The customer waits for it" in staff.get(reverse("console:audit")).content.decode()


def test_nothing_is_done_without_a_reason(staff: Client, cast: Cast) -> None:
    for address in (
        reverse("console:start_run"),
        reverse("console:retry", args=[cast.invoice.number]),
    ):
        for reason in ("", "   "):
            answer = staff.post(address, {"reason": reason})
            assert answer.status_code == 422
            assert "Say why" in answer.content.decode()
            assert "Not done yet" in answer.content.decode()
    assert StaffAction.objects.count() == 0
    assert BillingRun.objects.count() == 1
    assert PaymentAttempt.objects.count() == 0


@pytest.fixture
def retrying(shop: Shop) -> Client:
    """A browser of staff beside a shop that talks to the sandbox."""
    browser = Client()
    browser.force_login(User.objects.get(id=shop.staff.user_id))
    return browser


def retry(browser: Client, invoice: Invoice, reason: str = "They called") -> str:
    """Retry and read the page that follows."""
    answer = browser.post(reverse("console:retry", args=[invoice.number]), {"reason": reason}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_retry_that_is_paid(retrying: Client, shop: Shop) -> None:
    invoice = shop.bill()
    shop.add_card()
    page = retry(retrying, invoice)
    assert "Paid: $135.00 from the Visa •••• 4242." in page
    assert "Retried by staff" in page
    assert "Retry now" not in page
    assert "Receipt PDF" in page
    (entry,) = StaffAction.objects.all()
    assert (entry.actor_id, entry.action, entry.reason) == (
        shop.staff.user_id,
        "retry_payment",
        "They called",
    )
    receipt = retrying.get(reverse("console:receipt_pdf", args=[invoice.number]))
    assert receipt.headers["Content-Type"] == "application/pdf"
    assert receipt.content.startswith(b"%PDF-")
    paper = retrying.get(reverse("console:invoice_pdf", args=[invoice.number]))
    assert paper.content.startswith(b"%PDF-")


def test_a_retry_that_is_declined_says_why_with_codes_for_staff(retrying: Client, shop: Shop) -> None:
    invoice = shop.bill()
    shop.add_card(DECLINES)
    page = retry(retrying, invoice)
    assert "Declined: $135.00 on the Visa" in page
    attempt = PaymentAttempt.objects.get()
    assert attempt.code
    assert attempt.code in page
    assert attempt.decline_code in page
    assert "Past due" in page


def test_a_retry_that_cannot_be_tried_says_what_must_happen_first(retrying: Client, shop: Shop) -> None:
    invoice = shop.bill()
    assert "has no card on file" in retry(retrying, invoice)
    card = shop.add_card()
    shop.sandbox.decline_next(card.reference, "stolen_card")
    assert "Declined: $135.00" in retry(retrying, invoice)
    assert "Add another card and make it the default" in retry(retrying, invoice)
    assert PaymentAttempt.objects.count() == 1
    PaymentAttempt.objects.update(state="processing", finished_at=None)
    assert "payment in progress" in retry(retrying, invoice)
    assert PaymentAttempt.objects.count() == 1
