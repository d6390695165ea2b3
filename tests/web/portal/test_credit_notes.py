"""Credit notes in the portal: what the customer reads, and who sees which."""

from __future__ import annotations

from callbill.domain.invoicing.models import Invoice, InvoiceLine
from callbill.domain.invoicing.operations import credit_lines, record_payment, void_invoice
from tests.domain import world
from tests.web.portal.conftest import TODAY, Cast, browser, text_of


def credit(cast: Cast, invoice: Invoice, minor: int | None, company: str = "") -> str:
    lines = InvoiceLine.objects.filter(section__invoice=invoice, name="Inbound calls")
    line = lines.get(section__company_name=company) if company else lines.get()
    note = credit_lines(
        invoice_id=invoice.id,
        amounts={line.id: minor},
        reason="Test calls",
        actor_id=cast.staff.id,
        now=TODAY,
    )
    return note.number


def test_a_credit_note_is_on_the_page_with_its_pdf_and_what_it_did(cast: Cast) -> None:
    invoice = cast.invoice(cast.acme)
    number = credit(cast, invoice, 10_00)
    client = browser(cast.max)
    said = text_of(client.get(f"/invoices/{invoice.number}/"))
    # 2.16 x 10.00 / 24.30 = 0.8889
    assert f"Credit note {number} 10 February 2026, PDF Test calls" in said
    assert "$10.89 was taken off what was to be paid." in said
    assert f"Credit note {number} -$10.89 Still to be paid $67.71" in said
    assert "$67.71 still to be paid" in text_of(client.get("/invoices/"))
    pdf = client.get(f"/credit-notes/{number}/pdf/")
    assert pdf.content.startswith(b"%PDF-")
    assert f"credit-note-{number}.pdf" in pdf.headers["Content-Disposition"]
    for stranger in (cast.zoe, cast.otto):
        assert browser(stranger).get(f"/credit-notes/{number}/pdf/").status_code == 404


def test_credit_of_a_paid_invoice_is_balance(cast: Cast) -> None:
    invoice = cast.invoice(cast.acme)
    record_payment(invoice_id=invoice.id, amount_minor=78_60, reference="ch_1", now=TODAY)
    credit(cast, invoice, 10_00)
    said = text_of(browser(cast.amy).get(f"/invoices/{invoice.number}/"))
    assert "$10.89 was added to your credit balance." in said
    assert "still to be paid" not in text_of(browser(cast.amy).get("/invoices/"))


def test_a_company_sees_the_credit_of_its_own_section(cast: Cast) -> None:
    invoice = cast.invoice(cast.clinic)
    number = credit(cast, invoice, 5_00, "Harbor Dental")
    mine = credit(cast, invoice, 1_00, "Harbor Clinic")
    page = browser(cast.cleo).get(f"/invoices/{invoice.number}/")
    said = text_of(page)
    assert mine in said
    assert number not in said
    assert "credit-notes" not in page.content.decode().replace('"credit-notes"', "")
    assert browser(cast.cleo).get(f"/credit-notes/{mine}/pdf/").status_code == 404
    assert number in text_of(browser(cast.olga).get(f"/invoices/{invoice.number}/"))
    assert browser(cast.olga).get(f"/credit-notes/{number}/pdf/").status_code == 200


def test_a_withdrawn_invoice_says_what_takes_its_place(cast: Cast) -> None:
    invoice = cast.invoice(cast.acme)
    fresh = void_invoice(
        invoice_id=invoice.id, reason="The wrong rate", actor_id=cast.staff.id, now=TODAY, bill_again=True
    ).replacement
    assert fresh is not None
    client = browser(cast.amy)
    said = text_of(client.get(f"/invoices/{invoice.number}/"))
    assert "Void" in said
    assert "This invoice was withdrawn. There is nothing to pay." in said
    assert f"Invoice {fresh.number} takes its place." in said
    assert f"takes the place of invoice {invoice.number} , which was withdrawn." in text_of(
        client.get(f"/invoices/{fresh.number}/")
    )
    assert world.payer_of(cast.acme).invoices.count() == 2


def test_the_credit_balance_is_on_the_company_page_of_those_who_see_the_payer(cast: Cast) -> None:
    for made, minor in ((cast.acme, 78_60), (cast.clinic, 54_00)):
        invoice = cast.invoice(made)
        record_payment(invoice_id=invoice.id, amount_minor=minor, reference=f"ch_{made.key}", now=TODAY)
    assert "Credit balance" not in text_of(browser(cast.max).get("/company/"))
    credit(cast, cast.invoice(cast.acme), 10_00)
    credit(cast, cast.invoice(cast.clinic), 5_00, "Harbor Clinic")
    assert "Credit balance: $10.89 The next invoice uses it" in text_of(browser(cast.max).get("/company/"))
    assert "Credit balance: $5.00" in text_of(browser(cast.olga).get("/company/"))
    assert "Credit balance" not in text_of(browser(cast.cleo).get("/company/")), (
        "the organization's is not hers"
    )
    assert "Credit balance" not in text_of(browser(cast.zoe).get("/company/"))
    staff = browser(cast.staff)
    assert "Credit balance: $10.89" in text_of(staff.get("/console/companies/acme/"))
