"""Closing months and reading the lines of what was issued."""

from __future__ import annotations

from decimal import Decimal

from callbill.domain.invoicing.models import Invoice, InvoiceLine
from callbill.domain.invoicing.operations import run_billing
from callbill.domain.invoicing.queries import books_differences, verify_invoice
from callbill.rules.period import Period
from tests.domain.world import at

PLATFORM = '[[fee]]\nid = "platform"\nname = "Platform"\namount = "31.00"\nwhen = "advance"\nprorate = true\n'


def bill(month: int) -> Invoice:
    """Close the months before the first of this one; the invoice of the last."""
    report = run_billing(now=at(f"2026-{month:02d}-01T12:00"))
    assert report.problems == []
    invoice = Invoice.objects.latest("number")
    assert verify_invoice(str(invoice.number)) == []
    assert books_differences() == []
    return invoice


def lines(invoice: Invoice) -> list[tuple[str, str, str]]:
    """(name, days, amount) of every line."""
    found = InvoiceLine.objects.filter(section__invoice=invoice).order_by("section__position", "position")
    zone = invoice.time_zone
    return [
        (
            line.name,
            Period(line.first_day, line.end_day, zone).label.removesuffix(" 2026"),
            f"{Decimal(line.amount_minor).scaleb(-2)}",
        )
        for line in found
    ]
