"""Verifying: an issued invoice recomputed from stored calls, terms and inputs, compared to the cent (M19).

Nothing of the stored lines goes into the recomputation; adjustments come from their own rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.invoicing._differences import Difference, in_words, not_billed_in_words
from callbill.domain.invoicing._gathering import adjustment_item
from callbill.domain.invoicing._pricing import Inputs, as_stored, late_items, price
from callbill.domain.invoicing.models import Adjustment, Invoice, InvoiceSection, Stretch
from callbill.domain.ledger.queries import posted
from callbill.domain.usage import queries as calls
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.lines import to_json
from callbill.rules.period import Period
from callbill.rules.rating import AdjustmentItem
from callbill.rules.totals import Rated, consolidate


def verify_all() -> Iterator[tuple[str, list[Difference]]]:
    """Verify every issued invoice in order of number: (number, differences)."""
    numbers = (
        Invoice.objects.exclude(status=InvoiceStatus.DRAFT)
        .order_by("number")
        .values_list("number", flat=True)
    )
    for number in list(numbers):
        yield str(number), verify_invoice(str(number))


def verify_invoice(number: str) -> list[Difference]:
    """Every difference between the stored invoice and its recomputation; empty when it is right.

    Raises Invoice.DoesNotExist for an unknown number.
    """
    invoice = Invoice.objects.get(number=number)
    if invoice.status == InvoiceStatus.VOID:
        return []  # its calls and adjustments moved on to another invoice; `is_void` says so
    check = _Check(number, invoice.currency)
    sections = list(invoice.sections.prefetch_related("stretches__version", "lines"))
    rated_by_section = [check.section(section) for section in sections]
    settled = iter(consolidate([part for parts in rated_by_section for part in parts]))
    totals = {"subtotal": 0, "tax": 0, "total": 0}
    for section, parts in zip(sections, rated_by_section, strict=True):
        finals = [next(settled) for _ in parts]
        check.lines(section, finals)
        where = section.company_name
        check.same_money(f"{where}, subtotal", section.subtotal_minor, sum(p.subtotal for p in finals))
        check.same_money(f"{where}, tax", section.tax_minor, sum(p.tax for p in finals))
        for name in totals:
            totals[name] += sum(getattr(part, name) for part in finals)
    check.same_money("subtotal", invoice.subtotal_minor, totals["subtotal"])
    check.same_money("tax", invoice.tax_minor, totals["tax"])
    check.same_money("total", invoice.total_minor, totals["total"])
    if invoice.total_minor and not posted(f"invoice:{invoice.id}"):
        check.differences.append(Difference(number, "ledger", "no entry", "an entry for the invoice"))
    return check.differences


class _Check:
    """Collects the differences of one invoice."""

    def __init__(self, number: str, currency: str) -> None:
        self.number = number
        self.currency = currency
        self.differences: list[Difference] = []

    def same(self, where: str, stored: Any, recomputed: Any, currency: str | None = None) -> None:
        """Note a difference, if there is one: the first in values that have parts."""
        if stored != recomputed:
            inside, *words = in_words(stored, recomputed, currency)
            self.differences.append(Difference(self.number, f"{where} {inside}".rstrip(), *words))

    def same_money(self, where: str, stored: int, recomputed: int) -> None:
        """Note a difference of two amounts in minor units, if there is one."""
        self.same(where, stored, recomputed, self.currency)

    def section(self, section: InvoiceSection) -> list[Rated]:
        """The section's stretches priced again, after checking their calls."""
        stretches = list(section.stretches.all())
        items = [item for s in stretches if s.kind == "late" for item in self._late(section, s)]
        items += _adjustments(section)
        of_period = [s for s in stretches if s.kind == "period"]
        rated = []
        for stretch in of_period:
            terms = self._terms(section, stretch)
            count = self._calls(section, stretch, terms)
            span = Period(stretch.first_day, stretch.end_day, terms.time_zone)
            inputs = Inputs.from_json(stretch.inputs, terms.time_zone)
            rated.append(price(terms, span, count, inputs, items if stretch is of_period[-1] else ()))
        return rated

    def _terms(self, section: InvoiceSection, stretch: Stretch) -> Any:
        """The terms frozen on the invoice, which must be those of the contract version."""
        where = f"{section.company_name}, terms from {stretch.version.effective_from}"
        self.same(where, stretch.terms, stretch.version.document)
        return contracts.terms_of_document(stretch.terms)

    def _calls(self, section: InvoiceSection, stretch: Stretch, terms: Any) -> Any:
        where = f"{section.company_name}, {stretch.first_day} to {stretch.end_day}"
        count = calls.count_settled([stretch.id], terms)
        self.same(f"{where}, calls received", stretch.received, count.received)
        self.same(f"{where}, calls billed", stretch.billable, count.billable)
        self.same(
            f"{where}, calls",
            not_billed_in_words(stretch.not_billable),
            not_billed_in_words(count.not_billable),
        )
        _, digest = calls.digest(stretch.id)
        self.same(f"{where}, digest of the calls", stretch.digest, digest)
        return count

    def _late(self, section: InvoiceSection, stretch: Stretch) -> list[AdjustmentItem]:
        terms = self._terms(section, stretch)
        self._calls(section, stretch, terms)
        earlier = [UUID(given) for given in stretch.inputs["of"]]
        original = Stretch.objects.get(id=earlier[0])
        whole = Inputs.from_json(original.inputs, terms.time_zone).period
        return late_items(
            terms=terms,
            period=whole,
            span=Period(stretch.first_day, stretch.end_day, terms.time_zone),
            before=calls.count_settled(earlier, terms),
            after=calls.count_settled([*earlier, stretch.id], terms),
            stretch_id=str(stretch.id),
        )

    def lines(self, section: InvoiceSection, rated: list[Rated]) -> None:
        """Compare stored lines with recomputed ones, in order."""
        stored = list(section.lines.all())
        again = [line for part in rated for line in part.lines]
        self.same(f"{section.company_name}, number of lines", len(stored), len(again))
        for line, new in zip(stored, again, strict=False):
            where = f"{section.company_name}, line {line.position} ({line.name})"
            self.same(f"{where}, kind", " ".join((line.kind, line.charge)), " ".join(as_stored(new)))
            self.same_money(f"{where}, amount", line.amount_minor, new.amount)
            self.same_money(f"{where}, discount", line.discount_minor, new.discount)
            self.same_money(f"{where}, tax", line.tax_minor, new.tax)
            self.same(f"{where}, calls", line.calls, new.calls)
            self.same(f"{where}, how it was computed:", line.derivation, to_json(new))


def _adjustments(section: InvoiceSection) -> list[AdjustmentItem]:
    """The staff adjustments on the section, from their own rows, in the order of the lines."""
    rows = Adjustment.objects.filter(line__section=section).order_by("line__position")
    return [adjustment_item(row) for row in rows]
