"""Verifying: an issued invoice recomputed from stored calls, terms and inputs, compared to the cent (M19).

Nothing of the stored lines goes into the recomputation; adjustments come from their own rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.invoicing._carrying import carried_to
from callbill.domain.invoicing._differences import Difference, in_words, not_billed_in_words
from callbill.domain.invoicing._gathering import adjustment_item
from callbill.domain.invoicing._inputs import given_back
from callbill.domain.invoicing._late import late_items, parts_of
from callbill.domain.invoicing._pricing import Inputs, ToPrice, as_stored, price_sections
from callbill.domain.invoicing.models import Adjustment, Invoice, InvoiceSection, Stretch
from callbill.domain.ledger.queries import posted
from callbill.domain.usage import queries as calls
from callbill.rules.counting import Count
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.lines import to_json
from callbill.rules.period import Period
from callbill.rules.rating import AdjustmentItem
from callbill.rules.terms import Terms
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
    rated_by_section = check.sections(sections)
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
    carried = sum(each.carried_minor for each in carried_to(invoice))
    check.same_money("brought forward", invoice.brought_minor, carried)
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

    def sections(self, sections: Sequence[InvoiceSection]) -> list[list[Rated]]:
        """The stretches of each section priced again, after checking their calls."""
        late = [s for section in sections for s in section.stretches.all() if s.kind == "late"]
        items: dict[UUID, list[AdjustmentItem]] = {}
        for group in parts_of(late):
            for late_id, found in late_items(group).items():
                items[late_id] = found
        return price_sections([self._section(section, items) for section in sections])

    def _section(self, section: InvoiceSection, late: Mapping[UUID, list[AdjustmentItem]]) -> list[ToPrice]:
        stretches = list(section.stretches.all())
        own = {stretch.id: stretch for stretch in stretches}
        items = [item for late_id, found in late.items() if late_id in own for item in found]
        of_period = [stretch for stretch in stretches if stretch.kind == "period"]
        for stretch in stretches:
            terms = self._terms(section, stretch)
            source = Stretch.objects.get(id=stretch.inputs["of"][0]) if stretch.kind == "late" else stretch
            inputs = Inputs.from_json(source.inputs, terms.time_zone)
            if stretch.kind == "late":
                self._calls(section, stretch, terms, inputs)
            elif inputs.given_back is not None:
                items += given_back(inputs, Stretch.objects.get(id=inputs.given_back.stretch))
        items += _adjustments(section)
        parts = []
        for stretch in of_period:
            terms = contracts.terms_of_document(stretch.terms)
            inputs = Inputs.from_json(stretch.inputs, terms.time_zone)
            count = self._calls(section, stretch, terms, inputs)
            span = Period(stretch.first_day, stretch.end_day, terms.time_zone)
            on_last = tuple(items) if stretch is of_period[-1] else ()
            parts.append(ToPrice(terms, span, count, inputs, on_last))
        return parts

    def _terms(self, section: InvoiceSection, stretch: Stretch) -> Terms:
        """The terms frozen on the invoice, which must be those of the contract version."""
        where = f"{section.company_name}, terms from {stretch.version.effective_from}"
        self.same(where, stretch.terms, stretch.version.document)
        return contracts.terms_of_document(stretch.terms)

    def _calls(self, section: InvoiceSection, stretch: Stretch, terms: Terms, inputs: Inputs) -> Count:
        where = f"{section.company_name}, {stretch.first_day} to {stretch.end_day}"
        count = calls.count_settled([stretch.id], terms, inputs.calendars)
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
