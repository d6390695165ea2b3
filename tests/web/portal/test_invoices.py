"""The list of invoices and one invoice: words, figures, and who sees what."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callbill.domain.invoicing.operations import run_billing
from callbill.domain.payments.models import PaymentAttempt, PaymentIntent, PaymentMethod
from tests.domain import world
from tests.domain.payments.shop import issued_row
from tests.web.portal.conftest import FEBRUARY, Cast, browser, text_of

# 20 x 1.35 = 27.00, support 3 x 66 s = 3.3 min x 0.95 = 3.14, desk 49.00, promotion -2.70,
# tax 8.875 % of 24.30 = 2.16
TOTAL = "$78.60"


def test_the_list_has_what_the_seed_promises(cast: Cast) -> None:
    number = cast.invoice(cast.acme).number
    said = text_of(browser(cast.max).get("/invoices/"))
    assert "Number Issued Billable entity Total Status" in said
    assert f"{number} 1 Feb 2026" in said
    assert TOTAL in said
    assert "Open" in said
    assert said.count("CIC-") == 2, "its number and the words for its link, and nobody else's"


def test_totals_say_what_is_open_and_past_due(cast: Cast) -> None:
    client = browser(cast.amy)
    assert f"Open {TOTAL} Issued and not yet paid" in text_of(client.get("/invoices/"))
    cast.past_due(cast.acme)
    said = text_of(client.get("/invoices/"))
    assert "Open None Nothing waits to be paid" in said
    assert f"Past due {TOTAL} A payment failed or the due date has passed" in said


def test_the_filter_is_in_the_address(cast: Cast) -> None:
    client, number = browser(cast.amy), cast.invoice(cast.acme).number
    assert f"{number} 1 Feb 2026" in text_of(client.get("/invoices/?status=open"))
    said = text_of(client.get("/invoices/?status=paid"))
    assert "No invoice fits There is no paid invoice." in said
    assert f"{number} 1 Feb 2026" in text_of(client.get(f"/invoices/?search={number[-3:]}"))
    assert "whose number contains “nope”" in text_of(client.get("/invoices/?search=nope"))
    assert f"{number} 1 Feb 2026" in text_of(client.get("/invoices/?status=nonsense&page=x"))


def test_htmx_gets_the_rows_alone(cast: Cast) -> None:
    answer = browser(cast.amy).get("/invoices/", headers={"HX-Request": "true", "HX-Target": "results"})
    assert "<html" not in answer.content.decode()
    assert cast.invoice(cast.acme).number in text_of(answer)
    assert "HX-Target" in answer.headers["Vary"]


def test_paging_keeps_the_filter(cast: Cast) -> None:
    payer = world.payer_of(cast.acme)
    snapshot = {"name": "Acme Dental", "kind": "company", "address": "", "tax_id": ""}
    for month in range(1, 27):
        first = date(2022 + (month - 1) // 12, (month - 1) % 12 + 1, 1)
        issued_row(payer, first, first.replace(day=28), 1000, payer_snapshot=snapshot)
    client = browser(cast.amy)
    answer = client.get("/invoices/?status=open")
    assert "Page 1 of 2, 27 invoices" in text_of(answer)
    assert 'href="?status=open&amp;page=2"' in answer.content.decode()
    last = client.get("/invoices/?status=open&page=99")
    assert "Page 2 of 2" in text_of(last)


def test_nothing_yet(cast: Cast) -> None:
    fresh = world.company("fresh", "Fresh Florist")
    said = text_of(browser(world.person("fay@fresh.example", company=fresh)).get("/invoices/"))
    assert "No invoices yet The first one appears here when your first billing period has ended." in said


def test_an_invoice_has_its_lines_under_the_seed_headings(cast: Cast) -> None:
    said = text_of(browser(cast.max).get(f"/invoices/{cast.invoice(cast.acme).number}/"))
    order = ["Usage", "Support minutes", "Inbound calls", "Fixed fees", "Front desk", "Adjustments"]
    order += ["Launch promotion", "Tax Sales tax 8.875 %"]
    lines = said[said.index("Line Amount") :]
    place = 0
    for word in order:
        place = lines.index(word, place)  # each after the one before
    assert "3.3 minutes × $0.95" in lines
    assert "20 calls × $1.35" in lines
    assert "How it was computed : Inbound calls" in lines
    assert "-$2.70" in lines
    assert f"Total {TOTAL} USD" in lines
    assert "Billable entity Acme Dental (company)" in said
    assert "Period 1 to 31 January 2026" in said
    assert "Time zone of the period America/New_York" in said
    assert "What happens next There is no card on file." in said
    assert "No payment has been tried yet." in said
    assert "Receipt PDF" not in said


def test_every_attempt_is_told_with_its_reason(cast: Cast) -> None:
    invoice = cast.past_due(cast.acme)
    card = PaymentMethod.objects.create(
        payer=invoice.payer,
        reference="pm_1",
        brand="visa",
        last4="4242",
        exp_month=12,
        exp_year=2028,
        is_default=True,
        added_at=FEBRUARY,
    )
    intent = PaymentIntent.objects.create(
        invoice=invoice, amount_minor=7860, currency="USD", created_at=FEBRUARY
    )
    PaymentAttempt.objects.create(
        intent=intent,
        invoice=invoice,
        payment_method=card,
        trigger="issue",
        state="declined",
        amount_minor=7860,
        currency="USD",
        code="card_declined",
        decline_code="insufficient_funds",
        created_at=FEBRUARY,
        finished_at=FEBRUARY,
    )
    client = browser(cast.amy)
    said = text_of(client.get(f"/invoices/{invoice.number}/"))
    why = "There was not enough money available on the card."
    assert f"What happens next {why} Your Visa •••• 4242 will be charged" in said
    assert (
        f"Declined : {TOTAL}, Visa •••• 4242 1 Feb 2026, 04:00 EST · Automatic, first attempt {why}" in said
    )
    assert f"Pay now {invoice.number}" in said
    assert f"Past due: {invoice.number} , {TOTAL} {why}" in text_of(client.get("/company/"))
    assert "insufficient_funds" not in said, "codes are for staff"
    assert "Pay now CIC" not in text_of(browser(cast.max).get(f"/invoices/{invoice.number}/"))
    assert browser(cast.max).post(f"/invoices/{invoice.number}/pay/").status_code == 403


@pytest.mark.parametrize("tail", ["", "pdf/", "receipt/"])
def test_another_tenants_invoice_is_not_there(cast: Cast, tail: str) -> None:
    number = cast.invoice(cast.zenith).number
    for who in (cast.amy, cast.olga, cast.cleo):
        assert browser(who).get(f"/invoices/{number}/{tail}").status_code == 404
    assert browser(cast.amy).post(f"/invoices/{number}/pay/").status_code == 404


@pytest.mark.parametrize("number", ["CIC-999999", "x' OR 1=1 --", "%00", "..%2f..", "🙂"])
def test_a_made_up_number_is_not_there(cast: Cast, number: str) -> None:
    assert browser(cast.amy).get(f"/invoices/{number}/").status_code == 404


def test_an_organization_sees_all_sections_with_their_sums(cast: Cast) -> None:
    number = cast.invoice(cast.clinic).number
    for who in (cast.olga, cast.otto):
        said = text_of(browser(who).get(f"/invoices/{number}/"))
        assert "Billable entity Harbor Group (organization)" in said
        assert said.count("Subtotal before tax $27.00") == 2
        assert "Total $54.00 USD" in said


def test_a_companys_people_see_their_section_only(cast: Cast) -> None:
    number = cast.invoice(cast.clinic).number
    client = browser(cast.cleo)
    said = text_of(client.get(f"/invoices/{number}/"))
    assert "Your company's part $27.00" in said
    assert "Harbor Group pays this invoice; its billing administrator looks after the payment." in said
    for hidden in ("Harbor Dental", "$54.00", "Payment history", "Pay now"):
        assert hidden not in said
    row = text_of(client.get("/invoices/"))
    assert "$27.00" in row
    assert "$54.00" not in row


def test_the_number_of_queries_does_not_grow_with_the_invoice(cast: Cast) -> None:
    client, few = browser(cast.olga), cast.invoice(cast.clinic)

    def queries(number: str | None) -> int:
        client.get(f"/invoices/{number}/")
        with CaptureQueriesContext(connection) as seen:
            assert client.get(f"/invoices/{number}/").status_code == 200
        return len(seen)

    before = queries(few.number)
    for index in range(6):
        made = world.company(f"more{index}", f"Harbor {index}", of=cast.harbor)
        world.calls(made, 5, on=date(2026, 2, 3))
    run_billing(now=world.at("2026-03-01T09:00"))
    many = world.payer_of(cast.clinic).invoices.latest("first_day")
    assert many.sections.count() == 8
    assert queries(many.number) == before
    assert before <= 38, before


def test_the_pdf_is_the_issued_one(cast: Cast) -> None:
    number = cast.invoice(cast.acme).number
    client = browser(cast.max)
    first = client.get(f"/invoices/{number}/pdf/")
    assert first.headers["Content-Type"] == "application/pdf"
    assert first.headers["Content-Disposition"] == f'inline; filename="invoice-{number}.pdf"'
    assert first.content.startswith(b"%PDF-")
    assert client.get(f"/invoices/{number}/pdf/").content == first.content
    assert client.get(f"/invoices/{number}/receipt/").status_code == 404, "it is not paid"


def test_names_are_text_wherever_they_stand(cast: Cast, settings: Any) -> None:
    nasty = '<script>alert("x")</script> & #read("x")] 北京医院'
    made = world.company("nasty", nasty)
    world.calls(made, 2)
    run_billing(now=FEBRUARY)
    client = browser(world.person("nat@nasty.example", company=made, administrator=True))
    number = world.payer_of(made).invoices.get().number
    for page in ("/company/", "/invoices/", f"/invoices/{number}/", "/usage/", "/settings/"):
        html = client.get(page).content.decode()
        assert "<script>alert" not in html
        assert "&lt;script&gt;" in html, page
