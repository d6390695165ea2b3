"""Building `InvoiceDetail` and `InvoiceSummary` from stored rows: a fixed number of queries per invoice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from uuid import UUID

from callbill.domain.invoicing._carrying import carried_to
from callbill.domain.invoicing._detail import (
    GroupView,
    InvoiceDetail,
    InvoiceSummary,
    LineView,
    SectionView,
    TaxView,
)
from callbill.domain.invoicing._pricing import tax_from_json
from callbill.domain.invoicing.models import Invoice, InvoiceLine, InvoiceSection, Stretch
from callbill.rules.counting import reason_in_words
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.lines import RatedLine, Step, from_json
from callbill.rules.money import Money
from callbill.rules.period import Period
from callbill.rules.totals import tax_totals
from callbill.rules.treatment import reason_for

GROUPS = (
    ("Usage", ("usage",)),
    ("Fixed fees", ("fee", "minimum")),
    ("Adjustments", ("discount", "adjustment", "late")),
)


def build_summary(invoice: Invoice, sections: Sequence[InvoiceSection] | None = None) -> InvoiceSummary:
    """A row of the list; with `sections` given, the amounts are those sections' only (M32)."""
    if sections is None:
        total, due = invoice.total_minor, invoice.due_minor
    else:
        total = sum(section.total_minor for section in sections)
        due = total if invoice.due_minor else 0
    assert invoice.issue_date is not None, "drafts are not shown"
    assert invoice.due_date is not None, "drafts are not shown"
    return InvoiceSummary(
        id=invoice.id,
        number=invoice.number or "",
        status=InvoiceStatus(invoice.status),
        payer_id=invoice.payer_id,
        payer_name=invoice.payer_snapshot["name"],
        payer_kind=invoice.payer_snapshot["kind"],
        period_label=Period(invoice.first_day, invoice.end_day, invoice.time_zone).label,
        issue_date=invoice.issue_date,
        due_date=invoice.due_date,
        total=Money(total, invoice.currency),
        due=Money(due, invoice.currency),
        partial=sections is not None,
    )


def build_detail(invoice: Invoice, *, only_companies: Collection[UUID] | None = None) -> InvoiceDetail:
    """The whole invoice, or only the sections of some companies."""
    sections = list(invoice.sections.prefetch_related("stretches", "lines__adjustment", "lines__stretch"))
    shown = [s for s in sections if only_companies is None or s.company_id in only_companies]
    partial = len(shown) < len(sections)
    currency = invoice.currency
    views = tuple(_section(section, currency, partial=partial) for section in shown)
    lines = [from_json(line.derivation) for section in shown for line in section.lines.all()]
    assert invoice.issued_at is not None, "drafts are not shown"
    nothing = Money.zero(currency)
    return InvoiceDetail(
        summary=build_summary(invoice, shown if partial else None),
        payer_address=invoice.payer_snapshot["address"],
        payer_tax_id=invoice.payer_snapshot["tax_id"],
        seller=dict(invoice.seller_snapshot),
        first_day=invoice.first_day,
        end_day=invoice.end_day,
        time_zone=invoice.time_zone,
        issued_at=invoice.issued_at,
        sections=views,
        taxes=_taxes(lines, currency),
        subtotal=Money.total((view.subtotal for view in views), currency),
        tax=Money.total((view.tax for view in views), currency),
        balance_applied=nothing if partial else Money(invoice.balance_applied_minor, currency),
        paid=nothing if partial else Money(invoice.paid_minor, currency),
        charged_back=nothing if partial else Money(invoice.charged_back_minor, currency),
        to_balance=nothing if partial else Money(max(-invoice.total_minor, 0), currency),
        paid_at=invoice.paid_at,
        past_due_at=invoice.past_due_at,
        brought=() if partial else _brought(invoice),
        carried=Money(-invoice.carried_minor, currency) if invoice.carried_minor and not partial else None,
        carried_to=(invoice.carried_to.number or "") if invoice.carried_to and not partial else "",
        payer_legal_name=invoice.payer_snapshot["legal_name"],
        replaces=(invoice.replaces.number or "") if invoice.replaces else "",
        replaced_by=invoice.replaced_by.values_list("number", flat=True).last() or "",
    )


def _brought(invoice: Invoice) -> tuple[tuple[str, Money], ...]:
    """What was brought forward at issue, and from which invoice; of a void one only the sum is left."""
    if not invoice.brought_minor:
        return ()
    parts = [(each.number or "", Money(each.carried_minor, each.currency)) for each in carried_to(invoice)]
    return tuple(parts) or (("earlier invoices", Money(invoice.brought_minor, invoice.currency)),)


def _section(section: InvoiceSection, currency: str, *, partial: bool) -> SectionView:
    lines = list(section.lines.all())
    groups = []
    for title, kinds in GROUPS:
        members = tuple(_line(line, currency, partial=partial) for line in lines if line.kind in kinds)
        if members:
            groups.append(
                GroupView(title, members, Money.total((member.amount for member in members), currency))
            )
    # Late calls belong to an older period; their own lines say how many they are (M20).
    stretches = [stretch for stretch in section.stretches.all() if stretch.kind == "period"]
    not_billable: dict[str, int] = {}
    for stretch in stretches:
        for reason, count in stretch.not_billable.items():
            not_billable[reason] = not_billable.get(reason, 0) + count
    return SectionView(
        id=section.id,
        company_id=section.company_id,
        company_name=section.company_name,
        groups=tuple(groups),
        taxes=_taxes([from_json(line.derivation) for line in lines], currency),
        subtotal=Money(section.subtotal_minor, currency),
        tax=Money(section.tax_minor, currency),
        total=Money(section.total_minor, currency),
        calls_received=sum(stretch.received for stretch in stretches),
        calls_billable=sum(stretch.billable for stretch in stretches),
        not_billable=tuple(
            (reason_in_words(reason).removeprefix("Not billed: "), count)
            for reason, count in not_billable.items()
        ),
        tax_notes=_tax_notes(stretches, lines),
    )


def _tax_notes(stretches: Sequence[Stretch], lines: Sequence[InvoiceLine]) -> tuple[str, ...]:
    """Why no tax is charged on lines, also where the contract has no tax rate (M5)."""
    treatments = {stretch.id: tax_from_json(stretch.inputs.get("tax")) for stretch in stretches}
    notes = (
        reason_for(treatments[line.stretch_id], from_json(line.derivation).period)
        for line in lines
        if line.stretch_id in treatments
    )
    return tuple(dict.fromkeys(note for note in notes if note))


def _line(line: InvoiceLine, currency: str, *, partial: bool) -> LineView:
    rated = from_json(line.derivation)
    adjustment = getattr(line, "adjustment", None)
    zone = rated.period.zone
    return LineView(
        id=line.id,
        kind=line.kind,
        charge=line.charge,
        name=line.name,
        quantity=rated.quantity_text,
        unit=line.unit,
        rate=plain_rate(line.rate),
        amount=Money(line.amount_minor, currency),
        discount=Money(line.discount_minor, currency),
        tax=Money(line.tax_minor, currency),
        period_label=Period(line.first_day, line.end_day, zone).label,
        how=how(rated, partial=partial),
        calls=line.calls,
        note=adjustment.reason if adjustment else _late_note(line),
    )


def _late_note(line: InvoiceLine) -> str:
    """How many calls came in late, and how many of them are billed."""
    if line.kind != "late" or line.stretch is None:
        return ""
    stretch = line.stretch
    return (
        f"{stretch.received} calls came in after the invoice for their period; {stretch.billable} are billed."
    )


def how(line: RatedLine, *, partial: bool = False) -> tuple[str, ...]:
    """The arithmetic of a line in plain words, step by step.

    With `partial`, without a step that tells the taxable sum of the whole invoice: a company's people are
    not to learn what the other companies of their organization used (M32).
    """
    return tuple(step.text for step in line.derivation if not (partial and _tells_of_others(step)))


def _tells_of_others(step: Step) -> bool:
    figures = dict(step.figures)
    return step.kind == "tax" and figures.get("of") != figures.get("taxable")


def plain_rate(rate: Decimal | None) -> str:
    """A stored rate without padding, at least two decimals: "1.35", "0.0085"; "" for none."""
    if rate is None:
        return ""
    text = format(rate.normalize(), "f")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def _taxes(lines: Sequence[RatedLine], currency: str) -> tuple[TaxView, ...]:
    return tuple(
        TaxView(total.name, plain_rate(total.percent), Money(total.amount, currency), total.reason)
        for total in tax_totals(lines)
    )
