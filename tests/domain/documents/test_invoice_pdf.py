"""What stands on an invoice and on a receipt, read back from the PDF."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from callbill.domain.invoicing._document import (
    ROOT,
    Confirmation,
    invoice_data,
    invoice_pdf,
    receipt_data,
    receipt_pdf,
)
from callbill.lib.glyphs import covered
from callbill.rules.lifecycle import WORDS, InvoiceStatus
from tests.domain.documents.invoices import FEE, invoice, line, many_lines, named, section, usd
from tests.domain.documents.reading import reader, text_of, xmp_of

PAID = Confirmation("CIC-R-000042", date(2021, 3, 2), usd("1063.74"), "Visa •••• 4242", "ch_3PqXyz0123456789")
PAID_AT = datetime(2021, 3, 2, 15, 0, tzinfo=UTC)

NASTY = [
    '#read("x")] 北京医院',
    '#read("/etc/passwd")',
    '] #panic("x") [',
    '#import "@preview/cetz:0.3.1": *',
    "#{ let x = 1; while true { x += 1 } }",
    "$ sum_(i=0)^oo $",
    "= Heading\n== And another",
    "- item\n+ other",
    "*bold* _italic_ `raw` ```typ #panic() ```",
    "<label> @label",
    "https://evil.example/#x",
    "<script>alert(1)</script>",
    "=1+1",
    "\\u{41} \\ ~ -- --- ... // comment /* block */",
    '"); #sys.inputs',
    "{{ 7 * 7 }} {% now %} ${7*7} %s %(x)s",
    "'; DROP TABLE invoices; --",
    "O'Brien & Sons “Quoted” ‘too’",
    "\u202egnp.exe\u2066x\u2069 nul\x00 bell\x07 esc\x1b[31m",
    "Ünïcödé é ﬁ 😀 👩‍👩‍👧 𝔘 \ue000 \uffff \ufdd0 ज़ ไทย עברית العربية 한국어 日本語 Ω Я ə ﷽",
]


def test_everything_a_payer_needs_is_there_in_reading_order() -> None:
    text = text_of(invoice_pdf(invoice(balance="20.00")))
    place = 0
    for words in (
        "Invoice",
        "Calls In Command Inc.",
        "Boston, MA 02110",
        "Acme Dental",
        "Springfield, NY 12345",
        "Invoice number CIC-000007",
        "Issue date 1 March 2021",
        "Due date 15 March 2021",
        "Period 1 to 28 February 2021",
        "Time zone America/New_York",
        "Billable entity Acme Dental (company)",
        "Amount due $1,063.74 USD",
        "It will be charged to the default card on file.",
        "Usage",
        "Answered calls",
        "721 × 1.35 = 973.35",
        "721 calls $1.35 $973.35",
        "Fixed fees",
        "Bilingual desk 1 month $49.00 $49.00",
        "Adjustments",
        "Outage on 3 February",
        "Calls were not answered from 10:00 to 11:20 (incident 4711).",
        "-$25.00",
        "Tax",
        "NY sales tax 8.875 % $86.39",
        "1,024 calls received, 721 billed; 300 not billed: shorter than 5 seconds",
        "Subtotal $997.35",
        "Total $1,083.74 USD",
        "Paid from your credit balance -$20.00",
        "Amount due $1,063.74 USD",
        "Questions? Contact billing@cic.example or +1 617 555 0100 with the invoice number, CIC-000007.",
    ):
        found = text.find(words, place)
        assert found >= 0, f"{words!r} is missing after {text[place - 40 : place]!r} in {text!r}"
        place = found


def test_the_kept_document_says_nothing_that_changes_later() -> None:
    first = invoice_data(invoice())
    made = invoice()
    later = invoice_data(
        replace(
            made,
            paid=made.summary.total,
            paid_at=PAID_AT,
            past_due_at=PAID_AT,
            summary=replace(made.summary, status=InvoiceStatus.PAID, due=usd("0.00")),
        )
    )
    assert first == later
    text = text_of(invoice_pdf(invoice(status=InvoiceStatus.PAST_DUE)))
    for word in set(WORDS.values()) - {"Draft"}:
        assert word not in text.replace("Paid from", "")


def test_a_consolidated_invoice_has_a_section_and_a_subtotal_for_each_company() -> None:
    made = invoice(section("Acme"), section("Borealis", tax="0.00"), payer="Acme Group", kind="organization")
    text = text_of(invoice_pdf(made))
    assert "Billable entity Acme Group (organization)" in text
    assert "Total for Acme $1,083.74" in text
    assert "No tax $0.00 Borealis, before tax $997.35 Total for Borealis $997.35" in text
    assert "Acme, before tax $997.35 Borealis, before tax $997.35 Subtotal $1,994.70" in text
    assert "Total $2,081.09 USD" in text


def test_a_companys_people_get_a_document_of_their_section() -> None:
    text = text_of(
        invoice_pdf(invoice(section("Acme"), payer="Acme Group", kind="organization", partial=True))
    )
    assert "Part of an invoice" in text
    assert "A part of invoice CIC-000007, which Acme Group pays." in text
    assert "Amount due" not in text
    assert "Total $1,083.74 USD" in text


@pytest.mark.parametrize(
    ("amount", "balance", "expected"),
    [
        ("-100.00", "0.00", "Nothing to pay. $51.00 was added to your credit balance."),
        ("-49.00", "0.00", "Nothing to pay."),
        ("100.00", "149.00", "Nothing to pay."),
    ],
)
def test_nothing_to_pay_is_said(amount: str, balance: str, expected: str) -> None:
    made = invoice(section(usage=(line(amount=amount),), adjustments=(), tax="0.00"), balance=balance)
    words = invoice_data(made)
    assert words["highlight"] == {"label": "Amount due", "value": "$0.00\xa0USD", "text": expected}


def test_a_line_for_other_days_says_so() -> None:
    late = line("Late calls", "10.00", period_label="1 to 31 January 2021", kind="late")
    assert "Late calls 1 to 31 January 2021" in text_of(invoice_pdf(invoice(section(adjustments=(late,)))))


def test_the_receipt_has_the_same_lines_and_the_payment_confirmation() -> None:
    made = invoice(balance="20.00")
    assert receipt_data(made, PAID)["sections"] == invoice_data(made)["sections"]
    text = text_of(receipt_pdf(made, PAID, paid_at=PAID_AT))
    assert text.count("$973.35") == text_of(invoice_pdf(made)).count("$973.35")
    for words in (
        "Receipt number CIC-R-000042",
        "Paid on 2 March 2021",
        "Amount paid $1,063.74 USD",
        "Paid with Visa •••• 4242",
        "Payment reference ch_3PqXyz0123456789",
        "Payment confirmed $1,063.74 USD Paid on 2 March 2021 with Visa •••• 4242.",
        "Invoice number CIC-000007",
        "Paid from your credit balance -$20.00 Paid $1,063.74 USD",
    ):
        assert words in text, words


def test_a_receipt_without_a_card_says_only_when() -> None:
    words = receipt_data(invoice(), replace(PAID, paid_with="", reference=""))
    assert words["highlight"]["text"] == "Paid on 2 March 2021."
    assert not {"Paid with", "Payment reference"} & {label for label, _ in words["facts"]}


@pytest.mark.parametrize("name", NASTY)
def test_no_name_breaks_the_document_or_is_read_as_code(name: str) -> None:
    text = text_of(invoice_pdf(named(name)))
    assert "Total $1,083.74 USD" in text
    if name.isascii() and name.isprintable():
        assert "".join(name.split()) in "".join(text.split())
    assert "root:" not in text


def test_chinese_is_printed_and_what_no_font_has_becomes_a_mark() -> None:
    text = text_of(invoice_pdf(named("北京医院 😀")))
    assert "北京医院 \ufffd" in text


@given(
    st.lists(
        st.one_of(
            st.characters(),
            st.sampled_from(sorted(covered(ROOT / "fonts"))).map(chr),
            st.characters(categories=["Mn", "Mc", "Me", "Cf"]),
        ),
        min_size=30,
        max_size=120,
    ).map("".join)
)
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])  # each is a process
def test_any_text_at_all_can_be_printed(text: str) -> None:
    pdf = reader(invoice_pdf(named(text)))
    assert 1 <= len(pdf.pages) <= 5
    assert "<pdfaid:part>3</pdfaid:part>" in xmp_of(pdf)  # no character had to be let go


def test_endless_words_stay_on_the_paper() -> None:
    made = invoice_pdf(named("W" * 400))
    rows = [row for page in reader(made).pages for row in page.extract_text().split("\n")]
    assert max(row.count("W") for row in rows) < 80  # 174 mm of the smallest print
    assert "W" * 400 in text_of(made).replace(" ", "")


def test_nineteen_hundred_lines_go_over_pages_with_the_header_repeated() -> None:
    pdf = invoice_pdf(invoice(section(usage=many_lines(1900))))
    pages = [" ".join(page.extract_text().split()) for page in reader(pdf).pages]
    assert len(pages) > 40
    assert all("Description Quantity Rate Amount" in page for page in pages[:-1])
    assert all("Usage $1,805,950.00" in page for page in pages[1:-2])
    assert [f"Page {number} of {len(pages)}" in page for number, page in enumerate(pages, 1)] == [True] * len(
        pages
    )
    whole = " ".join(pages)
    missing = [number for number in range(1, 1901) if f"Line number {number} " not in whole]
    assert missing == []


def test_a_very_long_note_is_printed_whole() -> None:
    words = [f"word{number}" for number in range(3000)]
    random.Random(1).shuffle(words)
    note = line("Credit", "-1.00", kind="adjustment", rate="", how=(), note=" ".join(words))
    text = text_of(invoice_pdf(invoice(section(adjustments=(note,)))))
    assert not [word for word in words if f"{word} " not in text and f"{word}" not in text]


def test_the_same_invoice_gives_the_same_bytes() -> None:
    made = invoice()
    first, second = invoice_pdf(made), invoice_pdf(made)
    assert sha256(first).hexdigest() == sha256(second).hexdigest()
    assert invoice_pdf(replace(made, payer_tax_id="changed")) != first


def test_the_file_is_archivable_accessible_and_says_what_it_is() -> None:
    pdf = reader(invoice_pdf(invoice()))
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Invoice CIC-000007, CIC"
    assert pdf.metadata.author == "CIC"
    catalog: Any = pdf.trailer["/Root"]
    assert catalog["/Lang"] == "en"
    assert catalog["/MarkInfo"]["/Marked"]
    assert "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>" in xmp_of(pdf)
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp_of(pdf)


def test_every_figure_goes_to_the_document_as_text() -> None:
    def figures(value: object) -> list[object]:
        if isinstance(value, dict):
            return [found for inner in value.values() for found in figures(inner)]
        if isinstance(value, list):
            return [found for inner in value for found in figures(inner)]
        return [value]

    words = json.loads(json.dumps(invoice_data(invoice(section(fees=(FEE,))))))
    assert not [value for value in figures(words) if isinstance(value, float)]


def test_the_fonts_and_their_licences_are_here_and_small() -> None:
    fonts = ROOT / "fonts"
    names = {path.name for path in fonts.iterdir()}
    assert {"NotoSans-Regular.ttf", "NotoSans-Bold.ttf", "DroidSansFallbackFull.ttf"} <= names
    assert {"NotoSans.LICENSE.txt", "DroidSansFallback.LICENSE.txt"} <= names
    assert sum(path.stat().st_size for path in fonts.iterdir()) < 6_000_000
    assert "SIL Open Font License" in Path(fonts / "NotoSans.LICENSE.txt").read_text()
