"""Issued documents are made once and kept; people get what they may see; the message at issue."""

from __future__ import annotations

import threading
from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import IntegrityError, connection, transaction

from callbill.domain.customers.models import Company
from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing import _notices
from callbill.domain.invoicing._document_store import issued_pdf, pdf_for
from callbill.domain.invoicing.models import Invoice, InvoiceDocument
from callbill.domain.invoicing.operations import issue_next, run_billing
from callbill.domain.notifications.models import Notification
from callbill.domain.payments._receipt_document import receipt_pdf
from callbill.domain.payments.models import PaymentAttempt, PaymentIntent, PaymentMethod, Receipt
from callbill.lib.transactions import TransactionOpen
from tests.domain import world
from tests.domain.documents.reading import text_of

pytestmark = pytest.mark.django_db(transaction=True)

NOW = world.at("2026-02-01T12:00")


def issue(company: Company) -> Invoice:
    invoice = issue_next(payer_id=world.payer_of(company).id, now=NOW)
    assert invoice is not None
    return invoice


@pytest.fixture
def acme() -> Company:
    company = world.company()
    world.calls(company, 20)
    return company


def receipt_of(invoice: Invoice) -> Receipt:
    card = PaymentMethod.objects.create(
        payer=invoice.payer,
        reference="pm_1",
        brand="visa",
        last4="4242",
        exp_month=12,
        exp_year=2030,
        added_at=NOW,
    )
    amount = {"amount_minor": invoice.total_minor, "currency": invoice.currency}
    intent = PaymentIntent.objects.create(invoice=invoice, created_at=NOW, **amount)
    attempt = PaymentAttempt.objects.create(
        intent=intent,
        invoice=invoice,
        payment_method=card,
        trigger="issue",
        state="succeeded",
        charge="ch_test_0001",
        created_at=NOW,
        **amount,
    )
    return Receipt.objects.create(
        number="R-000001", invoice=invoice, attempt=attempt, paid_at=world.at("2026-02-02T03:00"), **amount
    )


def test_the_first_pdf_is_kept_and_given_out_ever_after(acme: Company) -> None:
    invoice = issue(acme)
    first = issued_pdf(invoice.id, now=NOW)
    Invoice.objects.filter(id=invoice.id).update(status="past_due", past_due_at=NOW)
    assert issued_pdf(invoice.id, now=NOW + timedelta(days=400)) == first
    row = InvoiceDocument.objects.get()
    assert (row.sha256, row.created_at) == (sha256(first).hexdigest(), NOW)
    text = text_of(first)
    assert f"Invoice number {invoice.number}" in text
    assert "Inbound calls" in text
    assert "20 calls $1.35 $27.00" in text
    assert "Total $27.00 USD" in text


def test_a_kept_document_cannot_be_changed(acme: Company) -> None:
    issued_pdf(issue(acme).id, now=NOW)
    with pytest.raises(IntegrityError):
        InvoiceDocument.objects.update(pdf=b"other")


def test_many_who_ask_first_at_once_get_the_same_document(acme: Company) -> None:
    invoice = issue(acme)
    together = threading.Barrier(4)
    got: list[bytes] = []

    def ask() -> None:
        together.wait()
        try:
            got.append(issued_pdf(invoice.id, now=NOW))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert len(set(got)) == 1
    assert InvoiceDocument.objects.count() == 1


def test_no_document_is_made_inside_a_transaction(acme: Company) -> None:
    invoice = issue(acme)
    with transaction.atomic(), pytest.raises(TransactionOpen):
        issued_pdf(invoice.id, now=NOW)


def test_people_get_their_part_and_strangers_get_nothing() -> None:
    harbor = world.organization()
    east = world.company("east", "East Harbor", of=harbor)
    west = world.company("west", "West Harbor", of=harbor)
    other = world.company("other", "Other Inc")
    world.calls(east, 10)
    world.calls(west, 5)
    invoice = issue(east)
    number = invoice.number or ""

    whole = pdf_for(world.viewer("ada@harbor.example", organization=harbor), number, now=NOW)
    assert whole == issued_pdf(invoice.id, now=NOW)
    text = text_of(whole)
    assert "Total for East Harbor $13.50" in text
    assert "Total for West Harbor $6.75" in text
    assert "Total $20.25 USD" in text

    part = text_of(pdf_for(world.viewer("bo@east.example", company=east), number, now=NOW))
    assert "Part of an invoice" in part
    assert "Total $13.50 USD" in part
    assert "West" not in part
    assert "20.25" not in part
    assert InvoiceDocument.objects.count() == 1

    with pytest.raises(NotFound):
        pdf_for(world.viewer("eve@other.example", company=other), number, now=NOW)


def test_the_receipt_is_kept_and_confirms_the_payment(acme: Company) -> None:
    receipt = receipt_of(issue(acme))
    first = receipt_pdf(receipt.id, now=NOW)
    assert receipt_pdf(receipt.id, now=NOW + timedelta(days=400)) == first
    receipt.refresh_from_db()
    assert receipt.sha256 == sha256(first).hexdigest()
    text = text_of(first)
    for words in (
        "Receipt number R-000001",
        "Paid on 1 February 2026",  # New York's day, not UTC's
        "Amount paid $27.00 USD",
        "Paid with Visa •••• 4242",
        "Payment reference ch_test_0001",
        "20 calls $1.35 $27.00",
    ):
        assert words in text, words


def test_the_contacts_are_told_once_that_an_invoice_was_issued(acme: Company) -> None:
    run_billing(now=NOW)
    run_billing(now=NOW)
    invoice = Invoice.objects.get()
    assert _notices.tell_issued(invoice_id=invoice.id, now=NOW) == 0
    row = Notification.objects.get(key=f"issued:{invoice.id}")
    assert (row.recipient, row.payer_id, row.subject_id) == (
        "billing@acme.example",
        invoice.payer_id,
        invoice.id,
    )
    for words in (
        f"Invoice number: {invoice.number}",
        "Billable entity: Acme Dental",
        "Period: 1 to 31 January 2026",
        "Total: $27.00",
        "within a few hours, $27.00 is charged to your default card",
        "Without a card on file it stays open until 15 February 2026",
        f"/invoices/{invoice.number}/",
    ):
        assert words in row.body_text, words


@pytest.mark.parametrize(
    ("total", "balance", "expected"),
    [
        (2700, 0, "What happens next: within a few hours, $27.00 is charged to your default card."),
        (2700, 700, "What happens next: within a few hours, $20.00 is charged"),
        (2700, 2700, "There is nothing to pay."),
        (0, 0, "There is nothing to pay."),
        (-500, 0, "$5.00 was added to your credit balance for the next invoice."),
    ],
)
def test_the_message_says_what_happens_next(acme: Company, total: int, balance: int, expected: str) -> None:
    invoice = issue(acme)
    invoice.total_minor, invoice.balance_applied_minor = total, balance
    message = _notices.issued_message(invoice)
    assert expected in message.paragraphs[1]
    assert ("Due" in dict(message.facts)) == (total > balance)
    assert ("Paid from your credit balance" in dict(message.facts)) == (balance > 0)
