"""Invoices as the documents get them: short, consolidated, of any length, with any names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from callbill.domain.invoicing._detail import (
    GroupView,
    InvoiceDetail,
    InvoiceSummary,
    LineView,
    SectionView,
    TaxView,
)
from callbill.lib.fields import new_id
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.money import Money

PERIOD = "1 to 28 February 2021"
ISSUED = datetime(2021, 3, 1, 14, 0, tzinfo=UTC)


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def line(
    name: str = "Answered calls",
    amount: str = "973.35",
    *,
    kind: str = "usage",
    quantity: str = "721",
    unit: str = "call",
    rate: str = "1.35",
    how: tuple[str, ...] = ("721 calls", "721 × 1.35 = 973.35"),
    note: str = "",
    period_label: str = PERIOD,
) -> LineView:
    zero = usd("0.00")
    return LineView(
        id=new_id(),
        kind=kind,
        charge="calls",
        name=name,
        quantity=quantity,
        unit=unit,
        rate=rate,
        amount=usd(amount),
        discount=zero,
        tax=zero,
        period_label=period_label,
        how=how,
        calls=721 if kind == "usage" else None,
        note=note,
    )


FEE = line("Bilingual desk", "49.00", kind="fee", quantity="1", unit="month", rate="49.00", how=())
CREDIT = line(
    "Outage on 3 February",
    "-25.00",
    kind="adjustment",
    rate="",
    how=(),
    note="Calls were not answered from 10:00 to 11:20 (incident 4711).",
)


def section(
    name: str = "Acme Dental",
    *,
    usage: tuple[LineView, ...] = (line(),),
    fees: tuple[LineView, ...] = (FEE,),
    adjustments: tuple[LineView, ...] = (CREDIT,),
    tax: str = "86.39",
) -> SectionView:
    named = (("Usage", usage), ("Fixed fees", fees), ("Adjustments", adjustments))
    groups = tuple(
        GroupView(title, lines, Money.total((each.amount for each in lines), "USD"))
        for title, lines in named
        if lines
    )
    subtotal = Money.total((group.total for group in groups), "USD")
    taxes = (TaxView("NY sales tax", "8.875", usd(tax)),) if usd(tax).minor else ()
    return SectionView(
        id=new_id(),
        company_id=new_id(),
        company_name=name,
        groups=groups,
        taxes=taxes,
        subtotal=subtotal,
        tax=usd(tax),
        total=subtotal + usd(tax),
        calls_received=1024,
        calls_billable=721,
        not_billable=(("shorter than 5 seconds", 300), ("test call", 3)),
    )


def invoice(
    *sections: SectionView,
    payer: str = "Acme Dental",
    kind: str = "company",
    number: str = "CIC-000007",
    balance: str = "0.00",
    status: InvoiceStatus = InvoiceStatus.OPEN,
    partial: bool = False,
) -> InvoiceDetail:
    parts = sections or (section(),)
    subtotal = Money.total((part.subtotal for part in parts), "USD")
    tax = Money.total((part.tax for part in parts), "USD")
    total = subtotal + tax
    return InvoiceDetail(
        summary=InvoiceSummary(
            id=new_id(),
            number=number,
            status=status,
            payer_id=new_id(),
            payer_name=payer,
            payer_kind=kind,
            period_label=PERIOD,
            issue_date=date(2021, 3, 1),
            due_date=date(2021, 3, 15),
            total=total,
            due=total,
            partial=partial,
        ),
        payer_address="12 Elm Street\nSpringfield, NY 12345\nUSA",
        payer_tax_id="",
        seller={
            "name": "CIC",
            "legal_name": "Calls In Command Inc.",
            "address": "1 Harbour Road\nBoston, MA 02110\nUSA",
            "email": "billing@cic.example",
            "phone": "+1 617 555 0100",
            "tax_id": "12-3456789",
        },
        first_day=date(2021, 2, 1),
        end_day=date(2021, 3, 1),
        time_zone="America/New_York",
        issued_at=ISSUED,
        sections=tuple(parts),
        taxes=(TaxView("NY sales tax", "8.875", tax),) if tax.minor else (),
        subtotal=subtotal,
        tax=tax,
        balance_applied=usd(balance),
        paid=usd("0.00"),
        charged_back=usd("0.00"),
        to_balance=Money(max(-total.minor, 0), "USD"),
        paid_at=None,
        past_due_at=None,
    )


def many_lines(count: int) -> tuple[LineView, ...]:
    return tuple(line(f"Line number {number}", f"{number}.00") for number in range(1, count + 1))


def named(name: str) -> InvoiceDetail:
    """An invoice in which every name, address and note is `name`."""
    made = invoice(
        section(
            name,
            usage=(line(name, how=(name,)),),
            fees=(line(name, "49.00", kind="fee", unit="month", how=()),),
            adjustments=(line(name, "-25.00", kind="adjustment", rate="", how=(), note=name),),
        ),
        payer=name,
        kind="organization",
    )
    seller = {"name": name, "legal_name": name, "address": name, "email": name, "phone": name, "tax_id": name}
    return replace(made, seller=seller, payer_address=name, payer_tax_id=name)
