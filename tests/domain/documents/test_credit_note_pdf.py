"""The credit note on paper: its words and figures, kept as first given out, and who may have it."""

from __future__ import annotations

from uuid import UUID

import pytest

from callbill.domain.customers.queries import NotFound
from callbill.domain.invoicing import queries
from callbill.domain.invoicing.models import CreditNote, Invoice, InvoiceLine
from callbill.domain.invoicing.operations import (
    credit_lines,
    credit_note_attachment,
    credit_note_pdf,
    record_payment,
    run_billing,
    void_invoice,
)
from tests.domain.documents.reading import text_of
from tests.domain.world import PER_CALL, at, calls, company, organization, person, terms, viewer

pytestmark = pytest.mark.django_db

TAXED = PER_CALL + '[tax]\n[[tax.rate]]\nname = "Sales tax"\npercent = "8.875"\n'
TODAY = at("2026-02-10T15:00")


@pytest.fixture
def mia() -> UUID:
    return person("mia@cic.example", staff=True).id


def billed() -> Invoice:
    calls(company(contract=terms(TAXED)), 100)
    run_billing(now=at("2026-02-01T09:00"))
    return Invoice.objects.get()


def credit(invoice: Invoice, by: UUID, minor: int | None) -> CreditNote:
    line = InvoiceLine.objects.filter(section__invoice=invoice).first()
    assert line is not None
    return credit_lines(
        invoice_id=invoice.id, amounts={line.id: minor}, reason="A wrong rate", actor_id=by, now=TODAY
    )


def test_it_says_what_was_credited_and_what_became_of_it(mia: UUID) -> None:
    invoice = billed()
    record_payment(invoice_id=invoice.id, amount_minor=100_00, reference="ch_1", now=TODAY)
    note = credit(invoice, mia, 100_00)
    # 11.98 x 100.00 / 135.00 = 8.874; 46.98 was still to be paid
    said = text_of(credit_note_pdf(note.id))
    for words in (
        "Credit note CIC-CN-000001",
        "10 February 2026",
        "CIC-000001 of 1 February 2026",
        "A wrong rate",
        "Inbound calls",
        "Tax on it: $8.87",
        "Sales tax 8.875 % $8.87",
        "Total credited $108.87 USD",
        "Taken off what was to be paid $46.98",
        "Added to your credit balance $61.89",
    ):
        assert words in said, words


def test_the_same_bytes_every_time_also_after_the_invoice_went_on(mia: UUID) -> None:
    invoice = billed()
    note = credit(invoice, mia, 10_00)
    first = credit_note_pdf(note.id)
    void_invoice(invoice_id=invoice.id, reason="All wrong", actor_id=mia, now=TODAY)
    assert credit_note_pdf(note.id) == first
    attached = credit_note_attachment(note_id=note.id, now=TODAY)
    assert (attached.filename, attached.content) == ("credit-note-CIC-CN-000001.pdf", first)
    last = CreditNote.objects.latest("number")
    assert "Invoice CIC-000001 is withdrawn" in text_of(credit_note_pdf(last.id))


def test_an_earlier_credit_note_does_not_read_like_the_void(mia: UUID) -> None:
    invoice = billed()
    note = credit(invoice, mia, 10_00)
    void_invoice(
        invoice_id=invoice.id, reason="All wrong", actor_id=mia, now=at("2026-02-11T09:00"), bill_again=True
    )
    said = text_of(credit_note_pdf(note.id))
    assert "withdrawn" not in said
    assert "$10.89 was taken off what was to be paid." in said
    again = queries.invoice_detail(Invoice.objects.get(status="open").id)
    assert again.replaces == "CIC-000001"
    assert queries.invoice_detail(invoice.id).replaced_by == "CIC-000002"


def test_a_company_sees_the_credit_of_its_own_lines(mia: UUID) -> None:
    harbor = organization()
    north = company("n", "North", terms(TAXED, payer="organization"), of=harbor)
    south = company("s", "South", terms(TAXED, payer="organization"), of=harbor)
    calls(north, 100)
    calls(south, 100)
    run_billing(now=at("2026-02-01T09:00"))
    invoice = Invoice.objects.get()
    number = str(invoice.number)
    norths, souths = InvoiceLine.objects.order_by("section__company_name")
    both = credit_lines(
        invoice_id=invoice.id,
        amounts={norths.id: 10_00, souths.id: 20_00},
        reason="-",
        actor_id=mia,
        now=TODAY,
    )
    credit_lines(invoice_id=invoice.id, amounts={norths.id: 1_00}, reason="-", actor_id=mia, now=TODAY)
    of_south = viewer("sue@south.example", company=south)
    (seen,) = queries.credit_notes_of(of_south, number)
    assert (seen.number, seen.partial, seen.subtotal.text, seen.total.text) == (
        both.number,
        True,
        "20.00",
        "21.77",
    )
    assert [line.company_name for line in seen.lines] == ["South"]
    with pytest.raises(NotFound):
        queries.credit_note_for(of_south, both.number)
    with pytest.raises(NotFound):
        queries.credit_notes_of(viewer("zoe@zebra.example", company=company("z", "Zebra")), number)
    of_harbor = viewer("olga@harbor.example", organization=harbor)
    assert len(queries.credit_notes_of(of_harbor, number)) == 2
    assert queries.credit_note_for(of_harbor, both.number).total.text == "32.66"
    said = text_of(credit_note_pdf(both.id))
    assert said.index("North") < said.index("South")


def test_what_staff_can_still_credit(mia: UUID) -> None:
    invoice = billed()
    number, sam = str(invoice.number), viewer("sam@cic.example", staff=True)
    credit(invoice, mia, 35_00)
    (line,) = queries.creditable(sam, number)
    assert (line.net.text, line.credited.text, line.left.text) == ("135.00", "35.00", "100.00")
    preview = queries.preview_credit(sam, number, {line.id: None})
    # 11.98 - 3.11 (11.98 x 35 / 135 = 3.1059)
    assert (preview.subtotal.text, preview.tax.text, preview.lowers_due.text) == ("100.00", "8.87", "108.87")
    assert CreditNote.objects.count() == 1
    for outsider in (viewer("ann@acme.example", company=invoice.payer.company, administrator=True),):
        with pytest.raises(NotFound):
            queries.creditable(outsider, number)
        with pytest.raises(NotFound):
            queries.preview_credit(outsider, number, None)
